"""SIGTERM under load: what was taken is answered, and nothing is reset."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from tests.image.serving.real_server import Database, Load, Server, running, wait_until

pytestmark = pytest.mark.slow

CLIENTS = 12


def history(database: Database, store: str, run_id: str) -> set[int]:
    rows = database.execute(
        f"SELECT step FROM metrics WHERE run_uuid = '{run_id}'", store.rpartition("/")[2]
    )
    return {int(row[0]) for row in rows}


class TestDraining:
    """A rollout costs no client anything."""

    @pytest.mark.parametrize("drain", ["0", "1.5"])
    def test_nothing_is_lost_under_load(
        self, database: Database, store: str, tmp_path: Path, drain: str
    ) -> None:
        options = ["--workers", "2", "--threads", "8", "--drain-seconds", drain]
        with running(Server(store, tmp_path, options)) as server:
            load = Load(server, CLIENTS)
            load.wait_for(100)
            assert server.stop() == 0
            tally = load.join()
        assert tally.lost == []
        assert len(tally.acknowledged) >= 100
        assert tally.acknowledged == history(database, store, load.run_id)

    def test_clients_are_asked_to_go_elsewhere(self, store: str, tmp_path: Path) -> None:
        options = ["--drain-seconds", "1.5"]
        with running(Server(store, tmp_path, options)) as server:
            load = Load(server, CLIENTS)
            load.wait_for(50)
            assert load.tally.closed_politely == 0
            server.stop()
            tally = load.join()
        assert tally.closed_politely > CLIENTS
        assert "ending: draining for 1.5 s" in server.log

    def test_a_request_in_flight_is_answered(self, store: str, tmp_path: Path) -> None:
        """Half a request is there at SIGTERM, the other half comes after it."""
        with running(Server(store, tmp_path)) as server:
            body = b'{"max_results": 1}'
            head = (
                "POST /api/2.0/mlflow/experiments/search HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode()
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(head + body[:5])
                wait_until(lambda: server.workers[0].net_connections("tcp"))
                server.process.send_signal(signal.SIGTERM)
                wait_until(lambda: "ending" in server.log)
                connection.sendall(body[5:])
                answer = b""
                while chunk := connection.recv(65536):
                    answer += chunk
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"connection: close" in answer.lower()
            assert server.process.wait(30) == 0

    def test_a_second_signal_ends_it_at_once(self, store: str, tmp_path: Path) -> None:
        options = ["--drain-seconds", "600"]
        with running(Server(store, tmp_path, options)) as server:
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: "draining for 600 s" in server.log)
            assert server.ask("GET", "/health")[0] == 200  # still taken
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
