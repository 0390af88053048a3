"""What the tests of the local target share: free ports, a waiter, and one real platform."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.database_endpoint import DatabaseEndpoint
from infra.database_tuning import parameters
from infra.local.artifact_folder import ArtifactFolderProvider
from infra.local.layout import Layout, interpreter
from infra.local.local_platform import DATABASE_MEMORY_MIB
from infra.local.migration import MigrationProvider
from infra.local.mlflow_process import SERVER_PACKAGE, MlflowProcessProvider
from infra.local.password_file import PasswordFileProvider
from infra.local.postgres import PostgresProvider
from infra.local.postgres_binaries import binaries_version, binary_directory
from infra.local.provider import LocalProvider
from infra.local.schema_revision import installed_revisions
from infra.local.supervisor import SupervisorProvider
from tests.infra.stacks import stack

Properties = dict[str, Any]


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Poll a condition; its first true value. Fails when it never is."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never true: {condition}"
        time.sleep(0.05)
    return value


def descendants(layout: Layout) -> list[psutil.Process]:
    """Processes of a stack, found through its own supervisord and nothing else."""
    pid = int((layout.run / "supervisord.pid").read_text())
    supervisord = psutil.Process(pid)
    assert str(layout.run / "supervisord.conf") in supervisord.cmdline()
    return supervisord.children(recursive=True)


@dataclass
class RealPlatform:
    """The local stack's resources, driven through their providers as an engine does."""

    layout: Layout
    database_port: int = field(default_factory=free_port)
    server_port: int = field(default_factory=free_port)
    pool_size: int = 20
    password: str = "the-role-password"
    superuser_password: str = "the-superuser-password"
    deployed: dict[str, Properties] = field(default_factory=dict)

    @property
    def endpoint(self) -> DatabaseEndpoint:
        return DatabaseEndpoint(
            host="127.0.0.1", port=self.database_port, name="mlflow", user="mlflow"
        )

    def resources(self) -> dict[str, tuple[LocalProvider, Properties]]:
        """Providers and inputs, in the order they are created."""
        return {
            "supervisor": (SupervisorProvider(), self.supervisor()),
            "database": (PostgresProvider(), self.database()),
            "artifacts": (
                ArtifactFolderProvider(),
                {"path": str(self.layout.artifacts), "purge": False},
            ),
            "password_file": (PasswordFileProvider(), self.password_file()),
            "schema": (MigrationProvider(), self.schema()),
            "server": (MlflowProcessProvider(), self.server()),
        }

    def up(self) -> dict[str, str]:
        """What an engine does with `up --refresh`; operation by resource."""
        done: dict[str, str] = {}
        for name, (provider, props) in self.resources().items():
            old = self.deployed.get(name)
            found = provider.read(name, dict(old)).outs if old else None
            if not found:
                provider.create(dict(props))
                done[name] = "create"
            elif provider.diff(name, found, dict(props)).changes:
                provider.update(name, found, dict(props))
                done[name] = "update"
            else:
                done[name] = "same"
            self.deployed[name] = props
        return done

    def drift(self) -> dict[str, Any]:
        """What an engine shows with `refresh`: changed properties by resource."""
        drift: dict[str, Any] = {}
        for name, (provider, _) in self.resources().items():
            known = self.deployed[name]
            found = provider.read(name, dict(known)).outs
            changed = {key: value for key, value in found.items() if known.get(key) != value}
            if changed or not found:
                drift[name] = changed or "gone"
        return drift

    def down(self) -> None:
        """What an engine does with `destroy`."""
        for name, (provider, props) in reversed(self.resources().items()):
            provider.delete(name, dict(props))
        self.deployed.clear()

    def supervisor(self) -> Properties:
        return {"directory": str(self.layout.root), "purge": False, "state": "running"}

    def database(self) -> Properties:
        return {
            "directory": str(self.layout.root),
            "host": "127.0.0.1",
            "port": self.database_port,
            "user": "mlflow",
            "databases": ["mlflow"],
            "password": self.password,
            "superuser_password": self.superuser_password,
            "parameters": parameters(stack(), DATABASE_MEMORY_MIB),
            "postgres_bin_dir": str(binary_directory("")),
            "binaries_version": binaries_version(""),
            "service_user": "",
            "purge": False,
            "state": "running",
        }

    def password_file(self) -> Properties:
        return {
            "path": str(self.layout.password_file),
            "host": "127.0.0.1",
            "port": self.database_port,
            "database": "mlflow",
            "user": "mlflow",
            "password": self.password,
            "state": "intact",
        }

    def schema(self) -> Properties:
        url = self.endpoint.url()
        return {
            "directory": str(self.layout.root),
            "store": url,
            "command": [
                *(interpreter(), "-m", "mlflow_platform_server", "migrate"),
                *("--schema-tuning", "on", "--backend-store-uri", url),
            ],
            "password_file": str(self.layout.password_file),
            "revision": installed_revisions().head,
            "mlflow_version": "installed",
        }

    def server(self) -> Properties:
        command = [interpreter(), "-m", "mlflow_platform_server", "serve"]
        command += ["--backend-store-uri", self.endpoint.url()]
        command += ["--host", "127.0.0.1", "--port", str(self.server_port), "--workers", "2"]
        command += ["--serve-artifacts", "--artifacts-destination", str(self.layout.artifacts)]
        return {
            "directory": str(self.layout.root),
            "command": command,
            "environment": {
                "PGPASSFILE": str(self.layout.password_file),
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(self.pool_size),
                "PYTHONPATH": str(SERVER_PACKAGE),
            },
            "secret_environment": {"MLFLOW_FLASK_SERVER_SECRET_KEY": "the-session-key"},
            "files": {},
            "fresh_directories": [str(self.layout.prometheus)],
            "lent_environment": [],
            "version": "installed",
            "host": "127.0.0.1",
            "port": self.server_port,
            "tracking_uri": f"http://127.0.0.1:{self.server_port}",
            "readiness_path": "/api/2.0/mlflow/experiments/search?max_results=1",
            "readiness_seconds": 5,
            "liveness_path": "/health",
            "liveness_seconds": 5,
            "start_seconds": 120,
            "grace_seconds": 10,
            "probe_user": "",
            "probe_password": "",
            "state": "running",
        }


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPlatform]:
    """One running platform for all tests that need one, in a folder with an awkward name."""
    folder: Path = tmp_path_factory.mktemp("a checkout, 100 %s ü")
    real = RealPlatform(Layout(folder / "state" / "local"))
    try:
        real.up()
        yield real
    finally:
        real.down()
