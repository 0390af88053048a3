"""What answers mean, and how requests are made."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlflow_platform_client.errors import (
    AuthenticationFailed,
    RequestRejected,
    ServerFailed,
    ServerUnreachable,
)
from mlflow_platform_client.tracking_server import (
    HttpTrackingServer,
    connect,
    judge,
)


def answer(code: str, message: str) -> str:
    return json.dumps({"error_code": code, "message": message})


POOL = (
    "(sqlalchemy.exc.TimeoutError) QueuePool limit of size 5 overflow 10 reached, connection timed "
    "out, timeout 30.00"
)
NUL = "(psycopg.DataError) PostgreSQL text fields cannot contain NUL (0x00) bytes\n[SQL: INSERT"


class TestWhatAnAnswerMeans:
    """Worth another attempt, about who we are, or a refusal of these data: never confused."""

    @pytest.mark.parametrize("text", ["{}", "", '{"extra": 1}'])
    def test_done(self, text: str) -> None:
        judge(200, text)

    @pytest.mark.parametrize(
        ("status", "text"),
        [
            (500, answer("INTERNAL_ERROR", "boom")),
            (503, answer("TEMPORARILY_UNAVAILABLE", "database")),
            (502, "<html>Bad Gateway</html>"),
            (429, "slow down"),
            (408, ""),
            (400, answer("BAD_REQUEST", POOL)),
            (400, "<html>a proxy's word</html>"),
            (404, "<html>wrong prefix</html>"),
            (200, "<html>please log in</html>"),
            (302, ""),
        ],
    )
    def test_another_attempt(self, status: int, text: str) -> None:
        with pytest.raises(ServerFailed):
            judge(status, text)

    @pytest.mark.parametrize("status", [401, 403])
    def test_who_we_are(self, status: int) -> None:
        with pytest.raises(AuthenticationFailed):
            judge(status, "You are not authenticated.")

    @pytest.mark.parametrize(
        ("status", "text"),
        [
            (400, answer("INVALID_PARAMETER_VALUE", "Changing param values is not allowed")),
            (404, answer("RESOURCE_DOES_NOT_EXIST", "Run not found")),
            (400, answer("BAD_REQUEST", NUL)),
            (400, answer("BAD_REQUEST", NUL + " [parameters: 'QueuePool limit']")),
            (413, "<html>Request Entity Too Large</html>"),
        ],
    )
    def test_a_refusal_of_the_data(self, status: int, text: str) -> None:
        with pytest.raises(RequestRejected):
            judge(status, text)

    def test_secrets_in_an_answer_are_masked(self) -> None:
        with pytest.raises(ServerFailed) as error:
            judge(500, answer("INTERNAL_ERROR", "postgresql://mlflow:hunter2hunter2@db/mlflow"))
        assert "hunter2" not in str(error.value)


class Far:
    """An HTTP server that remembers what it was asked, and on which connection."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections: set[tuple[str, int]] = set()
        self.status, self.text = 200, "{}"
        self.silent = threading.Event()
        self.silent.set()
        far = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                far.requests.append((self.path, dict(self.headers), body))
                far.connections.add(self.client_address)
                far.silent.wait(20)
                self.send_response(far.status)
                self.send_header("Content-Length", str(len(far.text)))
                self.send_header("Content-Type", "application/json")
                if far.status == 503:
                    self.send_header("Retry-After", "60")
                self.end_headers()
                self.wfile.write(far.text.encode())

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def far() -> Iterator[Far]:
    server = Far()
    yield server
    server.silent.set()
    server.server.shutdown()
    server.server.server_close()


class TestOverHttp:
    """MLflow's own request, credentials and connection; without its retries."""

    def test_the_request(self, far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
        server = connect(far.uri, connect_seconds=5)
        assert isinstance(server, HttpTrackingServer)
        server.log_batch(b'{"run_id":"r"}', 5)
        [(path, headers, body)] = far.requests
        assert path == "/api/2.0/mlflow/runs/log-batch"
        assert body == b'{"run_id":"r"}'
        assert headers["Content-Type"] == "application/json"
        assert headers["Authorization"] == "Basic bWU6c2VjcmV0"

    def test_credentials_are_read_anew(self, far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
        server = connect(far.uri, connect_seconds=5)
        for token in ("first", "second"):
            monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", token)
            server.log_batch(b"{}", 5)
        assert [headers["Authorization"] for _, headers, _ in far.requests] == [
            "Bearer first",
            "Bearer second",
        ]

    def test_the_connection_is_kept(self, far: Far) -> None:
        server = connect(far.uri, connect_seconds=5)
        for _ in range(5):
            server.log_batch(b"{}", 5)
        assert len(far.connections) == 1

    def test_no_retries_and_no_waiting_behind_our_back(self, far: Far) -> None:
        far.status, far.text = 503, "busy"
        with pytest.raises(ServerFailed, match="HTTP 503"):
            connect(far.uri, connect_seconds=5).log_batch(b"{}", 5)
        assert len(far.requests) == 1

    def test_no_answer_in_time(self, far: Far) -> None:
        far.silent.clear()
        with pytest.raises(ServerUnreachable, match="timed out"):
            connect(far.uri, connect_seconds=5).log_batch(b"{}", 0.05)

    def test_nobody_listens(self, far: Far) -> None:
        far.server.shutdown()
        far.server.server_close()
        with pytest.raises(ServerUnreachable, match="no answer from the tracking server"):
            connect(far.uri, connect_seconds=5).log_batch(b"{}", 5)
