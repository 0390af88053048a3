"""Whatever kept an answer from coming has a name, a remedy, and a verdict about waiting."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import threading

import pytest
import requests

from mlflow_platform_client import ServerUnreachable, TrackingError
from mlflow_platform_client.errors import (
    AuthenticationFailed,
    RequestRejected,
    ServerFailed,
    translate,
)
from mlflow_platform_client.transport_trouble import diagnose


def raised_by(url: str) -> Exception:
    """What requests really raises."""
    try:
        requests.get(url, timeout=0.5)
    except requests.RequestException as error:
        return error
    raise AssertionError(url)


class TestRealSockets:
    """The diagnosis finds its way down what requests and urllib3 wrap."""

    def test_refused(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        assert _kind(raised_by(f"http://127.0.0.1:{port}")) == "refused"

    def test_silence(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            assert _kind(raised_by(f"http://127.0.0.1:{port}")) == "read_timeout"

    @pytest.mark.parametrize(
        ("scheme", "answer", "kind"),
        [
            ("http", b"", "dropped"),
            ("http", b"SSH-2.0-OpenSSH_9\r\n", "not_http"),
            ("https", b"HTTP/1.1 400 Bad Request\r\n\r\n", "tls"),
        ],
    )
    def test_strange_answers(self, scheme: str, answer: bytes, kind: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                connection, _ = server.accept()
                connection.recv(100)
                connection.sendall(answer)
                connection.close()

            thread = threading.Thread(target=serve)
            thread.start()
            error = raised_by(f"{scheme}://127.0.0.1:{server.getsockname()[1]}")
            thread.join()
        assert _kind(error) == kind


class TestWaiting:
    """Only what time may mend is worth another attempt."""

    @pytest.mark.parametrize(
        ("error", "kind", "may_pass"),
        [
            (socket.gaierror(socket.EAI_NONAME, "x"), "unknown_host", False),
            (socket.gaierror(socket.EAI_AGAIN, "x"), "dns", True),
            (ssl.SSLCertVerificationError("x"), "certificate", False),
            (OSError(errno.EHOSTUNREACH, "x"), "unreachable", True),
            (ConnectionResetError(), "dropped", True),
            (http.client.BadStatusLine("x"), "not_http", False),
            (requests.exceptions.ProxyError("x"), "proxy", True),
            (requests.exceptions.ConnectTimeout("x"), "connect_timeout", True),
            (TimeoutError(), "read_timeout", True),
        ],
    )
    def test_kinds(self, error: Exception, kind: str, may_pass: bool) -> None:
        outer = RuntimeError("wrapped")
        outer.__context__ = error
        trouble = diagnose(outer)
        assert trouble is not None
        assert (trouble.kind, trouble.may_pass) == (kind, may_pass)

    def test_what_is_no_trouble_of_transport(self) -> None:
        assert diagnose(ValueError("x")) is None
        assert diagnose(FileNotFoundError(2, "x")) is None


class TestTheGate:
    """Each foreign exception has one place in the tree, told by what can be done about it."""

    def test_statuses(self) -> None:
        from mlflow.exceptions import RestException

        for code, expected in (
            ("RESOURCE_DOES_NOT_EXIST", RequestRejected),
            ("INVALID_PARAMETER_VALUE", RequestRejected),
            ("PERMISSION_DENIED", AuthenticationFailed),
            ("UNAUTHENTICATED", AuthenticationFailed),
            ("INTERNAL_ERROR", ServerFailed),
            ("TEMPORARILY_UNAVAILABLE", ServerFailed),
            ("REQUEST_LIMIT_EXCEEDED", ServerFailed),
        ):
            error = RestException({"error_code": code, "message": "m"})
            assert type(translate(error, "do it")) is expected, code

    def test_what_mlflow_wraps(self) -> None:
        from mlflow.exceptions import MlflowException

        for words, expected in (
            ("API request to http://h failed with exception x", ServerUnreachable),
            ("API request failed with error code 503 != 200", ServerFailed),
            ("ResponseError('too many 500 error responses')", ServerFailed),
            ("Invalid metric name", RequestRejected),
        ):
            assert type(translate(MlflowException(words), "do it")) is expected, words

    def test_programming_errors_pass(self) -> None:
        assert translate(KeyError("x"), "do it") is None
        assert type(translate(OSError(28, "No space left"), "do it")) is TrackingError

    def test_transience(self) -> None:
        transient = [ServerUnreachable("x"), ServerFailed("x", status=503)]
        assert all(error.is_transient for error in transient)
        assert not RequestRejected("x").is_transient


def _kind(error: Exception) -> str:
    trouble = diagnose(error)
    assert trouble is not None, repr(error)
    return trouble.kind
