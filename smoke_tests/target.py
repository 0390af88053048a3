"""Where the check looks: a tracking URI taken apart.

Owns parsing and validation of the URI. User information is taken out at once, so that the
address kept for printing and for requests never holds a password. A path in the URI is the
server's `--static-prefix`: health and API are asked below it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """An MLflow server's address, free of credentials."""

    scheme: str  # `http` or `https`
    host: str  # without brackets, whatever the address family
    port: int | None  # None: the scheme's own
    prefix: str  # the static prefix, empty or `/…` without a slash at its end
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Host and port as the `Host` header carries them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: what Cloud Run takes as a token's audience."""
        return f"{self.scheme}://{self.authority}"

    @property
    def uri(self) -> str:
        """The tracking URI without credentials."""
        return self.origin + self.prefix

    @property
    def is_loopback(self) -> bool:
        """Whether the server runs on this machine, where no proxy can reach it."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_target(uri: str, *, masker: Masker, source: str) -> Target:
    """Read a tracking URI.

    `source` names where the URI came from, for the message when it is refused.

    Raises:
        CouldNotLook: the URI is not the address of an MLflow server.
    """
    uri = uri.strip()
    shown = masker.foreign(uri)

    def refuse(reason: str) -> CouldNotLook:
        return CouldNotLook(
            f"{source} is {shown!r}: {reason}; give the address of an MLflow server, "
            "such as http://127.0.0.1:5000 or https://mlflow.example.org/prefix"
        )

    if any(character.isspace() or not character.isprintable() for character in uri):
        raise refuse("it contains a space or a control character")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError as error:
        raise refuse("its host or port cannot be read") from error
    if parts.scheme not in {"http", "https"}:
        raise refuse("the check needs an http:// or https:// address")
    if not host:
        raise refuse("it names no host")
    if parts.query or parts.fragment:
        raise refuse("an address has no '?' or '#' part")
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    if password:
        masker.remember_basic(username or "", password)
        masker.remember(parts.password)
    return Target(
        scheme=parts.scheme,
        host=host,
        port=port,
        prefix=parts.path.rstrip("/"),
        username=username,
        password=password,
    )
