"""Which proxy, if any, stands between the check and the server.

Owns the reading of HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY in the way every HTTP client
on the machine reads them. One rule differs: a server on this machine is never asked through a
proxy, because no proxy could reach it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.target import Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxy:
    """An HTTP proxy; its credentials are ready as a header."""

    host: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def __str__(self) -> str:
        """The address without credentials."""
        return f"{self.host}:{self.port}"


def choose_proxy(target: Target, environ: Mapping[str, str], masker: Masker) -> Proxy | None:
    """The proxy to use for a target, as the environment says.

    Raises:
        CouldNotLook: the proxy's address is of a kind that is not supported.
    """
    if target.is_loopback or _excluded(target, _variable(environ, "no_proxy") or ""):
        return None
    name = f"{target.scheme}_proxy"
    value = _variable(environ, name)
    if not value:
        name, value = "all_proxy", _variable(environ, "all_proxy")
    if not value:
        return None
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = None, None, None
    if parts is None or parts.scheme != "http" or not host:
        raise CouldNotLook(
            f"{name.upper()} is {masker.foreign(value)!r}: the check speaks to http:// proxies "
            "only; set it to one, or name this server's host in NO_PROXY"
        )
    headers: dict[str, str] = {}
    if parts.username:
        username, password = unquote(parts.username), unquote(parts.password or "")
        masker.remember_basic(username, password)
        masker.remember(parts.password)
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {pair}"
    return Proxy(host=host, port=port or 80, headers=headers)


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    # Lower case wins, as in curl; HTTP_PROXY in capitals can be forged through CGI only.
    return environ.get(name) or environ.get(name.upper()) or None


def _excluded(target: Target, no_proxy: str) -> bool:
    for entry in no_proxy.replace(",", " ").split():
        name = entry.lower().removeprefix("*").lstrip(".")
        if entry == "*" or target.authority.lower() == name:
            return True
        if name and (target.host == name or target.host.endswith(f".{name}")):
            return True
    return False
