"""Certificates and tokens of a control plane that lives on one machine for a while.

Owns one authority, made anew each time and forgotten afterwards (its key is never written down), a
certificate per server, one for the API server as etcd's client, the key that signs service
accounts' tokens, and a random token per component.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=30)
NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")

ADMIN = "simulated-cloud"
COMPONENTS = {
    ADMIN: "system:masters",
    "system:kube-controller-manager": "system:masters",
    "system:kube-scheduler": "system:masters",
    "system:kwok": "system:masters",
}
"""User by token, and its group. Components get all rights: there is nothing to guard from them."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where everything lies; every file is its owner's alone."""

    folder: Path

    @property
    def authority(self) -> Path:
        """Certificate of the authority."""
        return self.folder / "ca.crt"

    def certificate(self, name: str) -> Path:
        """Certificate of `etcd`, `apiserver` or `etcd-client`."""
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Private key of the same, or of `service-account`."""
        return self.folder / f"{name}.key"

    @property
    def tokens(self) -> Path:
        """The API server's list of tokens."""
        return self.folder / "tokens.csv"

    def token(self, user: str) -> str:
        """The token of a component."""
        for line in self.tokens.read_text(encoding="utf-8").splitlines():
            token, name, *_ = line.split(",")
            if name == user:
                return token
        raise KeyError(user)


def make_credentials(folder: Path) -> Credentials:
    """Make all of them in `folder`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Credentials(folder)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated-cloud")])
    authority = (
        _builder(name, name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    _write(made.authority, _pem(authority))
    for who, usage in (
        ("etcd", ExtendedKeyUsageOID.SERVER_AUTH),
        ("apiserver", ExtendedKeyUsageOID.SERVER_AUTH),
        ("etcd-client", ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])
        names = [x509.DNSName(item) for item in NAMES]
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        certificate = (
            _builder(subject, name, key)
            .add_extension(x509.SubjectAlternativeName([*names, loopback]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        _write(made.certificate(who), _pem(certificate))
        _write(made.key(who), _private(key))
    _write(made.key("service-account"), _private(rsa.generate_private_key(65537, 2048)))
    tokens = [
        f'{secrets.token_hex(24)},{user},{user},"{group}"' for user, group in COMPONENTS.items()
    ]
    _write(made.tokens, "\n".join(tokens).encode())
    return made


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A clock that was set back a little is no reason to refuse.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
