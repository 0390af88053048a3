"""Default `mlflow server` and the platform's profile, side by side on one PostgreSQL.

    python -m benchmarks.server_comparison --quick

Where to look: `cases` says what is measured, `variants` which servers, `harness` in which order,
`load_generator` how a request is timed, `aims` what is to be reached, `report` what is printed.
"""
