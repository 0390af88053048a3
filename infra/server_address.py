"""What the server is called: the address clients use and the Host headers it accepts.

Owns the tracking URI and MLflow's allow-list of hosts, which must agree: a client that reaches the
server under a name that is not on the list gets 403 for every call. It opens no socket, and imports
no settings: what watches a running server asks it for an address without loading them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from infra.settings import PlatformSettings

EVERY_INTERFACE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
"""Addresses to listen on that no client can call the server by."""


SERVICE_HOST = "mlflow.mlflow.svc.cluster.local"
"""What every pod of a cluster calls the server by: Service `mlflow` in namespace `mlflow`."""

SERVICE_NAMES = (SERVICE_HOST, "mlflow.mlflow.svc", "mlflow.mlflow", "mlflow")
"""The Service's whole name, and the short ones that a pod's resolver completes."""


def tracking_uri(settings: PlatformSettings) -> str:
    """The address clients use: as set, or where the server listens.

    In a cluster that is the Ingress, or the Service, which other pods reach.
    """
    if settings.server.tracking_uri:
        return settings.server.tracking_uri
    if settings.target == "aws":
        if hosts := settings.kubernetes.ingress.hosts:
            return f"https://{hosts[0]}{settings.server.static_prefix}"
        return f"http://{SERVICE_HOST}:{settings.server.port}{settings.server.static_prefix}"
    host = reachable_host(settings.server.host)
    return f"http://{bracketed(host)}:{settings.server.port}{settings.server.static_prefix}"


def reachable_host(host: str) -> str:
    """Where a server that listens on `host` is reached from its own machine.

    By loopback of the same family where it listens on every interface: a single uvicorn worker on
    `::` takes no IPv4.
    """
    if host not in EVERY_INTERFACE:
        return host
    return "::1" if ":" in host else "127.0.0.1"


def allowed_hosts(settings: PlatformSettings) -> tuple[str, ...]:
    """Host headers the server accepts: its own names, loopback, and what the settings add.

    Each name stands twice, with the port and without: MLflow compares literally and a client
    omits the port where it is the scheme's default. MLflow's own default is wider (any name that
    begins with `10.` passes), hence a list of ours in every case.
    """
    public = urlsplit(tracking_uri(settings))
    own = ("localhost", "127.0.0.1", "::1", settings.server.host, public.hostname or "")
    names = (*own, *_names_in_cluster(settings), *settings.server.allowed_hosts)
    ports = [str(settings.server.port)]
    if public.port and str(public.port) not in ports:
        ports.append(str(public.port))
    hosts: dict[str, None] = {}
    for name in names:
        if not name or name in EVERY_INTERFACE:
            continue
        host = bracketed(name)
        hosts[host] = None
        if host != "*" and not _has_port(host):
            hosts.update({f"{host}:{port}": None for port in ports})
    return tuple(hosts)


def _names_in_cluster(settings: PlatformSettings) -> tuple[str, ...]:
    if settings.target != "aws":
        return ()
    return (*SERVICE_NAMES, *settings.kubernetes.ingress.hosts)


def bracketed(host: str) -> str:
    """An IPv6 address as it stands in a URL and in a Host header; any other name as it is."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]
