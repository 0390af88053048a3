"""Rules about addresses: where the server listens and the names under which it is called.

Owns one small function per rule, each with its own message. Most mistakes here deploy without a
word and then answer 403 or 404 to everybody but the machine itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from infra.server_address import EVERY_INTERFACE
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _parts(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts


def host_is_an_address(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The server binds it as it is."""
    del parsed
    host = settings.server.host
    if not host or any(sign in host for sign in "/ ,@") or host.count(":") == 1:
        yield problem(
            "serverHost",
            f"is {host!r}; write the address of an interface, such as 127.0.0.1 or 0.0.0.0, "
            "without scheme and port (that is mlflow-platform:serverPort)",
        )


def static_prefix_is_a_path(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow puts the prefix in front of UI, API and health as it is."""
    del parsed
    prefix = settings.server.static_prefix
    if not prefix:
        return
    path = prefix.startswith("/") and not prefix.endswith("/") and "//" not in prefix
    if not path or any(sign in prefix for sign in "?#%{} "):
        yield problem(
            "serverStaticPrefix",
            f"is {prefix!r}; it begins with a slash and does not end with one, such as /mlflow",
        )


def tracking_uri_reaches_the_server(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Clients are told this address, and the server's allow-list is made of it."""
    del parsed
    uri = settings.server.tracking_uri
    if not uri:
        return
    parts = _parts(uri)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        shown = "no address" if parts is None or "@" in uri else repr(uri)
        yield problem(
            "trackingUri",
            f"is {shown}; write http://host:port or https://host, as clients use it (a folder or a "
            "database is mlflow-platform:backendStoreUri)",
        )
    elif parts.username or parts.password:
        yield problem(
            "trackingUri",
            "holds a user name or password; leave them out: clients take them from "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    elif parts.path != settings.server.static_prefix:
        yield problem(
            "trackingUri",
            f"has the path {parts.path!r} and mlflow-platform:serverStaticPrefix is "
            f"{settings.server.static_prefix!r}; they must be the same, or every call gets 404",
        )
    elif parts.query or parts.fragment:
        yield problem("trackingUri", f"is {uri!r}; leave out what follows the path")


def somebody_is_answered(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """A server that listens to the network and knows only loopback names answers 403 to it."""
    del parsed
    server = settings.server
    if (
        settings.target == "local"
        and server.host in EVERY_INTERFACE
        and not server.tracking_uri
        and not server.allowed_hosts
    ):
        yield problem(
            "serverHost",
            f"is {server.host}, so other machines can connect, but the server answers 403 to any "
            "name it does not know: set mlflow-platform:trackingUri to the address they use, or "
            "add its names to mlflow-platform:allowedHosts",
        )


def hosts_are_names(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow compares the Host header literally."""
    del parsed
    for host in settings.server.allowed_hosts:
        if any(sign in host for sign in "/, @"):
            yield problem(
                "allowedHosts",
                f"has {host!r}; write host names as in a Host header, without scheme or path",
            )
    for origin in settings.server.cors_allowed_origins:
        parts = _parts(origin)
        if origin != "*" and (parts is None or not parts.scheme or not parts.netloc or parts.path):
            yield problem(
                "corsAllowedOrigins",
                f"has {origin!r}; write origins with their scheme and no path, such as "
                "https://app.example.com",
            )


def ports_differ(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Server and database share the machine."""
    del parsed
    database, server = settings.database, settings.server
    ours = settings.target == "local" and not database.backend_store_uri
    if ours and database.port == server.port:
        yield problem(
            "databasePort",
            f"is {database.port}, the same as mlflow-platform:serverPort: give one of them another",
        )


ADDRESS_RULES = (
    host_is_an_address,
    static_prefix_is_a_path,
    tracking_uri_reaches_the_server,
    somebody_is_answered,
    hosts_are_names,
    ports_differ,
)
