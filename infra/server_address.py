"""What the server is called: the address clients use and the Host headers it accepts.

Owns the tracking URI and MLflow's allow-list of hosts, which must agree: a client that reaches the
server under a name that is not on the list gets 403 for every call. It opens no socket.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from infra.settings import PlatformSettings


def tracking_uri(settings: PlatformSettings) -> str:
    """The address clients use: as set, or where the server listens.

    A server that listens on every interface is reached from its own machine by loopback.
    """
    if settings.server.tracking_uri:
        return settings.server.tracking_uri
    host = settings.server.host
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    if ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{settings.server.port}{settings.server.static_prefix}"


def allowed_hosts(settings: PlatformSettings) -> tuple[str, ...]:
    """Host headers the server accepts: its own names, loopback, and what the settings add.

    Each name stands twice, with the port and without: MLflow compares literally and a client
    omits the port where it is the scheme's default. MLflow's own default is wider (any name that
    begins with `10.` passes), hence a list of ours in every case.
    """
    public = urlsplit(tracking_uri(settings))
    own = ("localhost", "127.0.0.1", "[::1]", settings.server.host, public.hostname or "")
    names = (*own, *settings.server.allowed_hosts)
    ports = [str(settings.server.port)]
    if public.port and str(public.port) not in ports:
        ports.append(str(public.port))
    hosts: dict[str, None] = {}
    for name in names:
        if not name or name in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            continue
        hosts[name] = None
        if name != "*" and not _has_port(name):
            hosts.update({f"{name}:{port}": None for port in ports})
    return tuple(hosts)


def _has_port(host: str) -> bool:
    tail = host.rpartition("]")[2] if host.startswith("[") else host
    return ":" in tail
