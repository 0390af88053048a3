"""When do certificates end?

Owns reading the certificate that a server shows, over plain TLS and after PostgreSQL's own request
for it, without judging whether it is trusted: an expired one must be read to be named. What clients
trust is the smoke tests' business.
"""

from __future__ import annotations

import datetime
import socket
import ssl
import struct
from typing import TYPE_CHECKING

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import Patient

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CONNECT_SECONDS = 8.0
SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # PostgreSQL's protocol, "SSLRequest"


def of_server(patient: Patient) -> Answer:
    """Of what clients connect to."""
    target = patient.place.target
    if target.scheme != "https":
        raise NotRun(f"{target.uri} is reached without TLS")
    shown = _shown(target.host, target.port or 443, postgresql=False)
    return _judged(
        patient,
        shown,
        where=target.authority,
        renew="Renew it where TLS ends (the load balancer's certificate in ACM, a managed "
        "certificate, or the Ingress's Secret), and check why it was not renewed by itself.",
    )


def of_database(patient: Patient) -> Answer:
    """Of what the server connects to."""
    outputs = patient.outputs
    host = outputs.database_host
    if not host:
        raise NotRun("the stack exports no databaseHost")
    shown = _shown(host, outputs.database_port or 5432, postgresql=True)
    return _judged(
        patient,
        shown,
        where=f"{host}:{outputs.database_port or 5432}",
        renew="On RDS: apply the pending certificate rotation (`aws rds modify-db-instance "
        "--ca-certificate-identifier …`); on Cloud SQL: rotate the server CA; elsewhere replace "
        "ssl_cert_file and reload PostgreSQL.",
    )


def _judged(patient: Patient, certificate: Certificate, *, where: str, renew: str) -> Answer:
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    days = (ends - now).total_seconds() / 86_400
    subject = patient.foreign(certificate.subject.rfc4514_string()) or "no subject"
    seen = f"{where} shows {subject}, valid until {ends:%Y-%m-%d %H:%M} UTC"
    if now < begins:
        return failed(
            f"{seen}, and not before {begins:%Y-%m-%d %H:%M}",
            cause="the certificate is not valid yet, or this machine's clock is wrong",
            next_step="Compare the clocks (`date -u`), then look who issued it.",
        )
    if days < 0:
        return failed(
            f"{seen}: it ended {-days:.1f} days ago",
            cause="the certificate has expired: every client that verifies it refuses",
            next_step=renew,
        )
    if days < patient.options.certificate_days:
        return failed(
            f"{seen}: {days:.1f} days from now",
            cause="the certificate ends soon and has not been renewed",
            next_step=renew,
        )
    return passed(f"{seen} ({days:.0f} days)")


def _shown(host: str, port: int, *, postgresql: bool) -> Certificate:
    from cryptography.x509 import load_der_x509_certificate

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Read, not trusted: nothing is sent over this connection.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS) as plain:
            if postgresql:
                plain.sendall(SSL_REQUEST)
                if plain.recv(1) != b"S":
                    raise NotRun(f"{host}:{port} offers no TLS")
            with context.wrap_socket(plain, server_hostname=host) as secured:
                found = secured.getpeercert(binary_form=True)
    except OSError as error:
        said = error.strerror or type(error).__name__
        raise NotRun(f"no certificate can be read at {host}:{port} ({said})") from None
    if not found:
        raise NotRun(f"{host}:{port} shows no certificate")
    return load_der_x509_certificate(found)


SERVER = Check(
    name="server.certificate",
    question="Is the server's certificate valid for long enough?",
    ask=of_server,
)
DATABASE = Check(
    name="database.certificate",
    question="Is the database's certificate valid for long enough?",
    ask=of_database,
)
