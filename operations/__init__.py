"""What is done with a platform after its deployment, one command each.

    python -m operations latency --stack local
    python -m operations latency --url http://127.0.0.1:5000 --json

A command reads a stack through its outputs and settings, as the smoke tests do, and never through
the code that deployed it. Exit codes: 0 clean, 1 something was found, 2 could not look.

Start reading at `commands`, the table of them; `command_line` runs one.
"""
