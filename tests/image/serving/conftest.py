"""One PostgreSQL for all tests of the server, with a migrated database to copy."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.serving.real_server import PACKAGE, Database, Server, running

MIGRATED = "migrated"


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    # Not among pytest's folders, which PostgreSQL may not enter when root tests.
    folder = Path(tempfile.mkdtemp(prefix="server-tests-"))
    folder.chmod(0o755)
    made = Database(folder)
    try:
        made.start()
        made.execute(f"CREATE DATABASE {MIGRATED}", "postgres")
        made.execute("CREATE DATABASE empty", "postgres")
        subprocess.run(
            [
                *(sys.executable, "-m", "mlflow_platform_server", "migrate"),
                *("--backend-store-uri", made.uri(MIGRATED)),
            ],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PACKAGE), "HOME": str(folder)},
            check=True,
            capture_output=True,
        )
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def store(database: Database, request: pytest.FixtureRequest) -> str:
    """A migrated database of this module's own."""
    return database.copy(MIGRATED, request.module.__name__.rpartition(".")[2])


@pytest.fixture(scope="module")
def server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two workers that a module's tests share."""
    folder = tmp_path_factory.mktemp("server")
    options = [
        *("--workers", "2", "--threads", "8"),
        *("--artifacts-destination", str(folder / "artifacts")),
        *("--expose-prometheus", str(folder / "prometheus")),
    ]
    environment = {
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "8",
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "8",
    }
    with running(Server(store, folder, options, environment)) as started:
        yield started
