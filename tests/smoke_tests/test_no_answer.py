"""No usable answer: refused, hanging, dripping, cut off, flooding, not HTTP, not trusted."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.smoke_tests.conftest import Check
from tests.smoke_tests.hostile_server import HostileServer, drip, flood, hang, say

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
Hostile = Callable[..., HostileServer]
NOTHING_LISTENS = (
    "Nothing listens on that port: deploy with `make up`, or give the address that the stack's "
    "output trackingUri names."
)
GUIDE_SENTENCE = "❌ FAILED: MLflow server not reachable. Check Cloud Run service."


class TestRefused:
    """Nothing listens: the check waits for a cold start, then names port and remedy."""

    def test_default_waits_then_failure(self, check: Check, free_port: int):
        ran = check(f"http://127.0.0.1:{free_port}")
        assert ran.code == 1
        assert sum(ran.slept) == 10 + 20 + 30 + 30 + 30
        lines = ran.out.splitlines()
        waits = [line for line in lines if line.startswith("  Waiting")]
        assert waits == [f"  Waiting {n}s before retry..." for n in (10, 20, 30, 30, 30)]
        assert (
            f"✗ MLflow server not reachable: connection refused at 127.0.0.1:{free_port} "
            "(6 attempts)"
        ) in lines

    def test_report_of_a_failure_whole(self, check: Check, free_port: int):
        ran = check(f"http://127.0.0.1:{free_port}", "--retry-waits", "none")
        assert ran.out.splitlines()[4:] == [
            "",
            "=== Test 1: MLflow Server Health ===",
            f"✗ MLflow server not reachable: connection refused at 127.0.0.1:{free_port}",
            "",
            "=== Test 2: Create/Get Experiment ===",
            "- Not run: test 1 failed",
            "",
            "=== Test 3: Create Run and Log Metrics ===",
            "- Not run: test 1 failed",
            "",
            "=== Test 4: Retrieve Metrics ===",
            "- Not run: test 1 failed",
            "",
            GUIDE_SENTENCE,
            f"   What to do: {NOTHING_LISTENS}",
        ]
        assert (ran.code, ran.slept, ran.err) == (1, [], "")

    def test_waits_come_from_flag_and_environment(self, check: Check, free_port: int):
        uri = f"http://127.0.0.1:{free_port}"
        environ = {"SMOKE_TESTS_RETRY_WAITS": "1,2"}
        assert sum(check(uri, environ=environ).slept) == 3
        assert sum(check(uri, "--retry-waits", "0.5", environ=environ).slept) == 0.5


class TestUnknownHost:
    """A host name that does not resolve is retried: new names take time to appear."""

    def test_remedy_names_the_spelling(self, check: Check, monkeypatch: pytest.MonkeyPatch):
        def no_such_host(*args: object, **named: object) -> object:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
        ran = check("http://mlflow.invalid:5000", "--retry-waits", "1")
        assert "host name not found: mlflow.invalid:5000" in ran.out
        assert "Check the spelling of the host" in ran.out
        assert sum(ran.slept) == 1


class TestSilence:
    """A request ends at its deadline, however the server spends the time."""

    @pytest.mark.parametrize("treatment", [hang, drip], ids=["hang", "drip"])
    def test_deadline_holds(self, check: Check, hostile: Hostile, treatment: object):
        server = hostile(treatment)
        ran = check(server.uri, "--health-timeout", "0.2", "--retry-waits", "5")
        assert ran.code == 1
        assert f"no answer from 127.0.0.1:{server.port} within 0.2 s (2 attempts)" in ran.out
        assert server.connections == 2

    def test_slow_start_passes_health_in_the_end(self, check: Check, hostile: Hostile):
        ran = check(
            hostile(hang, say(OK), say(b"")).uri,
            *("--health-timeout", "0.2", "--retry-waits", "10"),
        )
        assert "MLflow health check failed (attempt 1/2): no answer" in ran.out
        assert "✓ MLflow server healthy" in ran.out


class TestBrokenAnswers:
    """An answer that is cut off or no HTTP is told apart from a server that is away."""

    def test_cut_off_body_is_retried(self, check: Check, hostile: Hostile):
        server = hostile(say(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nO"), say(OK), say(b""))
        ran = check(server.uri, "--retry-waits", "10")
        assert "(attempt 1/2): answer cut off at 127.0.0.1" in ran.out
        assert "✓ MLflow server healthy" in ran.out

    def test_closing_without_a_word_is_retried(self, check: Check, hostile: Hostile):
        ran = check(hostile(say(b"")).uri, "--retry-waits", "10")
        assert "connection closed without an answer" in ran.out
        assert sum(ran.slept) == 10

    def test_another_protocol_is_not_retried(self, check: Check, hostile: Hostile):
        server = hostile(say(b"SSH-2.0-OpenSSH_9.6\r\n"))
        ran = check(server.uri)
        assert "the answer is not HTTP" in ran.out
        assert "What to do: The server may speak the other scheme: try https://" in ran.out
        assert ran.slept == []

    def test_endless_body_is_not_retried(self, check: Check, hostile: Hostile):
        ran = check(hostile(flood).uri)
        assert "answer of more than 8 MiB" in ran.out
        assert (ran.code, ran.slept) == (1, [])


class TestCertificates:
    """An untrusted certificate fails at once; MLflow's own variables make it trusted."""

    @pytest.fixture
    def tls_server(self, tmp_path: Path) -> Iterator[tuple[str, Path]]:
        certificate = make_certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                with plain:
                    try:
                        with context.wrap_socket(plain, server_side=True) as secure:
                            secure.recv(65536)
                            secure.sendall(OK)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}", certificate
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()

    def test_untrusted_is_not_retried(self, check: Check, tls_server: tuple[str, Path]):
        ran = check(tls_server[0])
        assert "certificate not trusted: localhost:" in ran.out
        assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in ran.out
        assert ran.slept == []

    @pytest.mark.parametrize("name", ["MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE"])
    def test_bundle_makes_it_trusted(self, check: Check, tls_server: tuple[str, Path], name: str):
        uri, certificate = tls_server
        assert "✓ MLflow server healthy" in check(uri, environ={name: str(certificate)}).out

    def test_verification_can_be_switched_off(self, check: Check, tls_server: tuple[str, Path]):
        ran = check(tls_server[0], environ={"MLFLOW_TRACKING_INSECURE_TLS": "true"})
        assert "✓ MLflow server healthy" in ran.out

    def test_https_to_a_plain_port_names_the_scheme(self, check: Check):
        # A plain server that answers whatever arrives, as an HTTP server answers a bad request.
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        ran = check(f"https://127.0.0.1:{port}")
        thread.join()
        listener.close()
        assert "MLflow server not reachable: TLS failed: 127.0.0.1" in ran.out
        assert (
            f"What to do: The server may speak the other scheme: try http://127.0.0.1:{port}"
            in (ran.out)
        )
        assert ran.slept == []

    def test_missing_bundle_is_exit_2(self, check: Check, tls_server: tuple[str, Path]):
        environ = {"MLFLOW_TRACKING_SERVER_CERT_PATH": "/nowhere/ca.pem"}
        ran = check(tls_server[0], environ=environ)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == (
            "error: MLFLOW_TRACKING_SERVER_CERT_PATH is '/nowhere/ca.pem': No such file or "
            "directory; name a readable PEM file that holds the certificate\n"
        )

    def test_contradiction_is_exit_2(self, check: Check, tls_server: tuple[str, Path]):
        environ = {
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(tls_server[1]),
            "MLFLOW_TRACKING_INSECURE_TLS": "true",
        }
        assert check(tls_server[0], environ=environ).code == 2


def make_certificate(folder: Path) -> Path:
    """A self-signed certificate for localhost with its key, in one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
