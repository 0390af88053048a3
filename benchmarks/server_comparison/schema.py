"""MLflow's tables in a database of the benchmark."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.server_comparison.server import ServerFailedError
from benchmarks.throwaway_postgres import ThrowawayPostgres


def mlflow_schema(cluster: ThrowawayPostgres, database: str) -> None:
    """The tables of the installed MLflow, as its own migrations make them."""
    uri = f"postgresql+psycopg://mlflow@127.0.0.1:{cluster.port}/{database}"
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade", uri],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode != 0:
        raise ServerFailedError(f"the schema could not be made:\n{done.stderr[-2000:]}")
