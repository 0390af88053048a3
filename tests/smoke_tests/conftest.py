"""What the smoke tests' tests share: the command in-process, stand-in servers, one real MLflow."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from smoke_tests.command_line import main
from smoke_tests.retrying import Clock
from tests.smoke_tests.hostile_server import HostileServer, Treatment
from tests.smoke_tests.stand_in_mlflow import StandInMlflow


@dataclass
class Ran:
    """What one run of the command did."""

    code: int
    out: str
    err: str
    slept: list[float] = field(default_factory=list)

    @property
    def everything(self) -> str:
        return self.out + self.err


class Screen(io.StringIO):
    """A stream of a chosen encoding that may be a terminal."""

    def __init__(self, encoding: str = "utf-8", *, tty: bool = False) -> None:
        super().__init__()
        self._encoding = encoding
        self._tty = tty

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._tty

    def write(self, text: str) -> int:
        text.encode(self._encoding)  # as a real stream would
        return super().write(text)


Check = Callable[..., Ran]


@pytest.fixture
def check() -> Check:
    """Run the command in this process; sleeping costs nothing and is recorded."""

    def run(
        *argv: str, environ: Mapping[str, str] | None = None, screen: Screen | None = None
    ) -> Ran:
        slept: list[float] = []
        out, err = screen or Screen(), Screen()
        code = main(
            argv,
            environ=environ or {},
            stdout=out,
            stderr=err,
            clock=Clock(sleep=slept.append),
        )
        return Ran(code, out.getvalue(), err.getvalue(), slept)

    return run


@pytest.fixture
def stand_in() -> Iterator[StandInMlflow]:
    server = StandInMlflow()
    yield server
    server.close()


@pytest.fixture
def hostile() -> Iterator[Callable[..., HostileServer]]:
    servers: list[HostileServer] = []

    def make(*treatments: Treatment) -> HostileServer:
        servers.append(HostileServer(*treatments))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@dataclass(frozen=True)
class RealMlflow:
    uri: str
    username: str
    password: str

    @property
    def environ(self) -> dict[str, str]:
        return {
            "MLFLOW_TRACKING_USERNAME": self.username,
            "MLFLOW_TRACKING_PASSWORD": self.password,
        }


@pytest.fixture(scope="session")
def real_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMlflow]:
    """One real server with a static prefix and basic authentication: both at once, started once."""
    folder: Path = tmp_path_factory.mktemp("mlflow")
    password = "a-long-enough-password"
    (folder / "auth.ini").write_text(
        "[mlflow]\ndefault_permission = READ\nauthorization_function = "
        "mlflow.server.auth:authenticate_request_basic_auth\n"
        f"database_uri = sqlite:///{folder}/auth.db\n"
        f"admin_username = admin\nadmin_password = {password}\n"
        "auth_cache_ttl_seconds = 60\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--port", str(port)]
    command += ["--static-prefix", "/team/mlflow"]
    environment = {
        **os.environ,
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "only-for-this-test",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    uri = f"http://127.0.0.1:{port}/team/mlflow"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _await_health(f"{uri}/health", server, folder / "log")
            yield RealMlflow(uri, "admin", password)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _await_health(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            direct.open(url, timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"mlflow server did not start:\n{log.read_text()[-2000:]}")
