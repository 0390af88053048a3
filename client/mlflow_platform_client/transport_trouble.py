"""Why no answer arrived, in words an operator can act on.

Owns the diagnosis of what a socket, TLS or a proxy did, found by walking down what requests and
urllib3 wrapped it in. It knows nothing about HTTP statuses: an answer did not come.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happened, what to do, and whether time alone may mend it."""

    kind: str
    sentence: str
    remedy: str
    may_pass: bool = True


_REFUSED = Trouble(
    "refused",
    "connection refused",
    "Nothing listens there: start the server, or correct host and port of the tracking URI.",
)
_UNKNOWN_HOST = Trouble(
    "unknown_host",
    "no such host",
    "Check the spelling of the host in the tracking URI, and this machine's DNS.",
    may_pass=False,
)
_DNS_AWAY = Trouble(
    "dns", "the name server did not answer", "Check this machine's network and DNS."
)
_CERTIFICATE = Trouble(
    "certificate",
    "the server's certificate is not trusted",
    "For a private certificate authority set MLFLOW_TRACKING_SERVER_CERT_PATH to its bundle; "
    "otherwise check that the certificate names this host and has not expired.",
    may_pass=False,
)
_TLS = Trouble(
    "tls",
    "no TLS connection could be made",
    "The server may speak plain HTTP: try http:// in the tracking URI.",
    may_pass=False,
)
_PROXY = Trouble(
    "proxy",
    "the proxy did not connect",
    "Check HTTP_PROXY and HTTPS_PROXY, or name the server's host in NO_PROXY.",
)
_CONNECT_TIMEOUT = Trouble(
    "connect_timeout",
    "no connection within the time allowed",
    "Packets get lost: check firewall, security group and VPN between this machine and the server.",
)
READ_TIMEOUT = Trouble(
    "read_timeout",
    "connected, but no answer within the time allowed",
    "The server accepts connections and does not answer: look at its log and its database; restart "
    "it if it hangs.",
)
_NOT_HTTP = Trouble(
    "not_http",
    "what answered does not speak HTTP",
    "Check the port: another service listens there, or the server wants https://.",
    may_pass=False,
)
_DROPPED = Trouble(
    "dropped",
    "the connection was dropped",
    "The server or a load balancer closed it: check that the server is not restarting or out of "
    "memory, and whether it wants https://.",
)
_UNREACHABLE = Trouble(
    "unreachable",
    "the network has no way there",
    "Check VPN and routes of this machine, and the address in the tracking URI.",
)


def diagnose(error: BaseException) -> Trouble | None:
    """What kept an answer from coming; None when the exception tells of something else."""
    found = [(type(item).__name__, item) for item in _everything_below(error)]
    names = {name for name, _ in found}
    items = [item for _, item in found]
    if any(isinstance(item, ssl.SSLCertVerificationError) for item in items):
        return _CERTIFICATE
    if "ProxyError" in names:
        return _PROXY
    if any(isinstance(item, ssl.SSLError) for item in items) or "SSLError" in names:
        return _TLS
    for item in items:
        if isinstance(item, socket.gaierror):
            return _DNS_AWAY if item.errno == socket.EAI_AGAIN else _UNKNOWN_HOST
    if {"ConnectTimeoutError", "ConnectTimeout"} & names:
        return _CONNECT_TIMEOUT
    if any(isinstance(item, ConnectionRefusedError) for item in items):
        return _REFUSED
    if any(getattr(item, "errno", None) in _NO_ROUTE for item in items):
        return _UNREACHABLE
    if {"BadStatusLine", "UnknownProtocol", "LineTooLong"} & names:
        return _NOT_HTTP
    if {"ReadTimeoutError", "ReadTimeout"} & names or TimeoutError in map(type, items):
        return READ_TIMEOUT
    is_dropped = any(isinstance(item, ConnectionError) for item in items)
    return _DROPPED if is_dropped or names & _ENDED else None


_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH)
_ENDED = {"RemoteDisconnected", "ProtocolError", "IncompleteRead", "ChunkedEncodingError"}


def _everything_below(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        # urllib3 keeps what it wraps in `reason`, requests in its arguments.
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None)]
        waiting += current.args
