"""The real server on a real PostgreSQL: shared, replaced, counted, checked."""

from __future__ import annotations

import base64
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.image.serving.conftest import MIGRATED
from tests.image.serving.real_server import ROOT, Database, Server, running, wait_until

pytestmark = pytest.mark.slow


def check(server: Server, *more: str, environment: dict[str, str] | None = None) -> str:
    """The four-stage check, as its user runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "smoke_tests", server.tracking_uri, *more],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + server.log
    return done.stdout


class TestItServes:
    """What a client does works as with `mlflow server`."""

    def test_the_four_stages(self, server: Server) -> None:
        assert "ALL TESTS PASSED" in check(server)

    def test_health_and_version(self, server: Server) -> None:
        assert server.ask("GET", "/health")[::2] == (200, b"OK")
        assert server.ask("GET", "/version")[::2] == (200, b"3.17.2")

    def test_an_answer_is_not_held_back(self, server: Server) -> None:
        """Accepted sockets have TCP_NODELAY, inherited from the listener."""
        listening = [
            line
            for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()
            if f":{server.port:04X} " in line and " 0A " in line
        ]
        assert len(listening) == 1  # one socket, shared by all workers

    def test_counters_are_summed_over_workers(self, server: Server) -> None:
        before = counted(server)
        for _ in range(40):
            server.ask("GET", "/api/2.0/mlflow/experiments/search?max_results=1")
        assert counted(server) - before == 40

    def test_a_strangers_host_is_refused(self, server: Server) -> None:
        status, _, text = server.ask(
            "GET", "/api/2.0/mlflow/experiments/search?max_results=1", headers={"Host": "evil.test"}
        )
        assert (status, text) == (
            403,
            b"Invalid Host header - possible DNS rebinding attack detected",
        )

    def test_a_strangers_page_is_refused(self, server: Server) -> None:
        status, _, _ = server.ask(
            "POST", "/api/2.0/mlflow/runs/create", {}, headers={"Origin": "http://evil.test"}
        )
        assert status == 403


class TestWorkersAreCopies:
    """Everything is imported once; no connection is in two hands."""

    def test_the_supervisor_has_one_thread_and_no_connection(self, server: Server) -> None:
        assert server.supervisor.num_threads() == 1
        kinds = {item.status for item in server.supervisor.net_connections("tcp")}
        assert kinds <= {psutil.CONN_LISTEN}

    def test_two_workers_have_half_the_memory_of_two_servers(self, server: Server) -> None:
        alone = server.supervisor.memory_full_info().rss / 2**20
        assert server.pss_mib < 2.5 * alone

    def test_a_killed_worker_is_replaced(self, server: Server) -> None:
        victim, survivor = server.workers
        victim.kill()
        wait_until(
            lambda: len(server.workers) == 2 and victim.pid not in {w.pid for w in server.workers}
        )
        assert survivor.is_running()
        assert server.ask("GET", server.ready_path)[0] == 200
        assert f"worker {victim.pid} ended with signal SIGKILL and is replaced" in server.log

    def test_workers_end_with_a_supervisor_that_was_killed(
        self, store: str, tmp_path: Path
    ) -> None:
        with running(Server(store, tmp_path, ["--workers", "2"])) as doomed:
            workers = doomed.workers
            doomed.process.send_signal(signal.SIGKILL)
            psutil.wait_procs(workers, timeout=30)
            assert not any(worker.is_running() for worker in workers)


class TestWaysToServe:
    """Prefix, authentication and gunicorn."""

    def test_a_static_prefix(self, store: str, tmp_path: Path) -> None:
        prefixed = Server(
            store,
            tmp_path,
            ["--static-prefix", "/mlflow"],
            ready_path="/mlflow/api/2.0/mlflow/experiments/search?max_results=1",
        )
        with running(prefixed) as server:
            assert server.ask("GET", "/mlflow/health")[0] == 200
            assert server.ask("GET", "/health")[0] == 404
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "mlflow_platform_server", "health"),
                    *("--port", str(server.port), "--static-prefix", "/mlflow"),
                ],
                env={**os.environ, "PYTHONPATH": str(ROOT / "image")},
                check=False,
            )
            assert done.returncode == 0

    def test_gunicorn(self, store: str, tmp_path: Path) -> None:
        options = ["--kind", "gunicorn", "--workers", "2", "--artifacts-destination", str(tmp_path)]
        with running(Server(store, tmp_path, options)) as server:
            check(server)
            assert server.stop() == 0

    def test_basic_authentication(self, basic: Server) -> None:
        assert basic.ask("GET", basic.ready_path, headers={"Authorization": ""})[0] == 401
        assert basic.ask("GET", basic.ready_path)[0] == 200
        assert basic.ask("GET", "/health", headers={"Authorization": ""})[0] == 200
        check(
            basic,
            environment={
                "MLFLOW_TRACKING_USERNAME": "admin",
                "MLFLOW_TRACKING_PASSWORD": "correct horse battery",
            },
        )

    def test_a_worker_knows_a_user_that_another_one_made(self, basic: Server) -> None:
        status, _, text = basic.ask(
            "POST",
            "/api/2.0/mlflow/users/create",
            {"username": "ann", "password": "another horse battery"},
        )
        assert status == 200, text
        word = base64.b64encode(b"ann:another horse battery").decode()
        for _ in range(8):
            status, _, _ = basic.ask(
                "GET", basic.ready_path, headers={"Authorization": f"Basic {word}"}
            )
            assert status == 200


@pytest.fixture(scope="module")
def basic(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    uri = database.copy(MIGRATED, "basic")
    folder = tmp_path_factory.mktemp("basic")
    configuration = folder / "basic_auth.ini"
    configuration.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {uri}\nauth_cache_ttl_seconds = 60\n",
        encoding="utf-8",
    )
    environment = {
        "MLFLOW_AUTH_CONFIG_PATH": str(configuration),
        "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
        "MLFLOW_AUTH_ADMIN_PASSWORD": "correct horse battery",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key that is long enough to sign sessions",
    }
    options = ["--workers", "2", "--app-name", "basic-auth"]
    options += ["--artifacts-destination", str(folder / "artifacts")]
    word = base64.b64encode(b"admin:correct horse battery").decode()
    headers = {"Authorization": f"Basic {word}"}
    with running(Server(uri, folder, options, environment, headers=headers)) as started:
        yield started


class TestItCannotStart:
    """One sentence, at once, and exit code 1."""

    def test_a_port_that_is_taken(self, store: str, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            server = Server(store, tmp_path, port=taken.getsockname()[1])
            said = refusal(server)
        assert said.startswith(
            f"mlflow_platform_server: cannot listen on 127.0.0.1, port {server.port} ("
        )

    def test_a_database_without_a_schema(self, database: Database, tmp_path: Path) -> None:
        said = refusal(Server(database.uri("empty"), tmp_path))
        place = f"postgresql://mlflow@127.0.0.1:{database.port}/empty"
        assert said == (
            f"mlflow_platform_server: {place} has no MLflow schema: make it first, alone, with "
            f"`python -m mlflow_platform_server migrate --backend-store-uri {place}`\n"
        )

    def test_workers_that_cannot_serve(self, store: str, tmp_path: Path) -> None:
        """A folder for counters that cannot be made stops the start, not each worker for ever."""
        nowhere = Server(store, tmp_path, ["--app-name", "no-such-app"])
        assert "--app-name is 'no-such-app'" in refusal(nowhere)


def refusal(server: Server) -> str:
    done = subprocess.run(
        server.command,
        env={**os.environ, "PYTHONPATH": str(ROOT / "image")},
        cwd=server.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def counted(server: Server) -> float:
    text = server.ask("GET", "/metrics")[2].decode()
    found = re.findall(
        r'^mlflow_http_request_total\{[^}]*status="200"[^}]*\} ([0-9.e+]+)$', text, re.MULTILINE
    )
    # The question itself is counted only after its answer was made.
    metrics = re.findall(r"^mlflow_http_request_total", text, re.MULTILINE)
    assert metrics
    return sum(map(float, found))
