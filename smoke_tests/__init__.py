"""Does the platform work? The four-stage check: health, experiment, run, metric.

    python -m smoke_tests http://127.0.0.1:5000
    python -m smoke_tests --stack local

The check talks plain HTTP to the tracking server and imports neither mlflow nor Pulumi, so that it
starts in a fraction of a second and tests the server rather than a client library. It reads a
stack only through `infra.outputs`. Exit codes: 0 all stages passed, 1 a stage failed, 2 the check
could not look (bad arguments, no address, no credentials, interrupted).

Start reading at `four_stages`; `runner` runs them, `command_line` is the command.
"""
