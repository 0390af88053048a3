"""A certificate is read from a real TLS server, and named when it has ended or soon does."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.throwaway_postgres import ThrowawayPostgres
from operations.doctor.certificates import SSL_REQUEST
from tests.infra.stacks import stack
from tests.operations.conftest import Operate
from tests.operations.doctor.conftest import Examine, Pass, outputs_of


def write_certificate(folder: Path, *, begins: int, ends: int) -> Path:
    """A certificate for localhost with its key, valid between these days from now."""
    now = datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mlflow.test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=ends, hours=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    path.chmod(0o600)
    return path


@contextmanager
def tls_server(certificate: Path, greeting: bytes = b"") -> Iterator[int]:
    """Shows the certificate to whoever connects (with that greeting), and says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                if greeting and connection.recv(len(greeting)) == greeting:
                    connection.sendall(b"S")
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


class TestOfTheServer:
    """Expired, not valid yet, ending soon, and fine, told apart."""

    @pytest.mark.parametrize(
        ("begins", "ends", "status", "words"),
        [
            (-90, -3, "failed", "it ended 3.0 days ago"),
            (-90, 5, "failed", "5.0 days from now"),
            (2, 90, "failed", "and not before"),
            (-1, 90, "passed", "(90 days)"),
        ],
    )
    def test_days(
        self, operate: Operate, tmp_path: Path, begins: int, ends: int, status: str, words: str
    ) -> None:
        with tls_server(write_certificate(tmp_path, begins=begins, ends=ends)) as port:
            found = Pass(operate("doctor", "--url", f"https://127.0.0.1:{port}", "--json"))
        assert found.status("server.certificate") == status
        assert words in found.evidence("server.certificate")
        assert "CN=mlflow.test" in found.evidence("server.certificate")

    def test_how_soon_is_a_choice(self, operate: Operate, tmp_path: Path) -> None:
        with tls_server(write_certificate(tmp_path, begins=-1, ends=25)) as port:
            uri = f"https://127.0.0.1:{port}"
            usual = Pass(operate("doctor", "--url", uri, "--json"))
            longer = Pass(operate("doctor", "--url", uri, "--json", "--certificate-days", "30"))
        assert usual.status("server.certificate") == "passed"
        assert longer.status("server.certificate") == "failed"

    def test_nobody_there(self, operate: Operate) -> None:
        found = Pass(operate("doctor", "--url", "https://127.0.0.1:1", "--json"))
        assert found.status("server.certificate") == "not_run"
        assert found.evidence("server.certificate") == (
            "no certificate can be read at 127.0.0.1:1 (Connection refused)"
        )
        assert found.roots == ["server.health"]


class TestOfTheDatabase:
    """A database's certificate is asked for in PostgreSQL's way: a request, one letter, then TLS.

    PostgreSQL's wheel is built without TLS, so a server of our own plays the first two bytes.
    """

    @pytest.mark.parametrize(
        ("ends", "status", "words"),
        [(-10, "failed", "it ended 10.0 days ago"), (90, "passed", "(90 days)")],
    )
    def test_days(
        self, examine: Examine, tmp_path: Path, ends: int, status: str, words: str
    ) -> None:
        path = write_certificate(tmp_path, begins=-90, ends=ends)
        with tls_server(path, greeting=SSL_REQUEST) as port:
            found = examine(outputs_of(database_host="127.0.0.1", database_port=port), stack())
        assert found.status("database.certificate") == status
        assert words in found.evidence("database.certificate")

    @pytest.mark.slow
    def test_a_database_without_tls(self, examine: Examine) -> None:
        with ThrowawayPostgres() as cluster:
            outputs = outputs_of(database_host="127.0.0.1", database_port=cluster.port)
            found = examine(outputs, stack())
        assert found.status("database.certificate") == "not_run"
        assert found.evidence("database.certificate") == f"127.0.0.1:{cluster.port} offers no TLS"
