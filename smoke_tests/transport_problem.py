"""Why no answer arrived, told apart by what helps.

Owns the translation of everything the standard library raises between `connect` and the last byte
of an answer. Which kinds pass with time decides about another attempt; the kind decides about the
remedy (`remedies`).
"""

from __future__ import annotations

import http.client
import socket
import ssl
from enum import Enum

from smoke_tests.masking import Masker


class Trouble(Enum):
    """What went wrong on the way; the value says it in words."""

    REFUSED = "connection refused"
    UNKNOWN_HOST = "host name not found"
    UNREACHABLE = "network unreachable"
    TIMEOUT = "no answer in time"
    BROKEN = "connection closed without an answer"
    TRUNCATED = "answer cut off"
    PROXY = "the proxy refused the connection"
    CERTIFICATE = "certificate not trusted"
    TLS = "TLS failed"
    NOT_HTTP = "the answer is not HTTP"
    TOO_LARGE = "answer too large"


_PASSES_WITH_TIME = frozenset(
    {
        Trouble.REFUSED,
        Trouble.UNKNOWN_HOST,  # a new load balancer's name takes minutes to appear
        Trouble.UNREACHABLE,
        Trouble.TIMEOUT,
        Trouble.BROKEN,
        Trouble.TRUNCATED,
        Trouble.PROXY,
    }
)


class TransportProblem(Exception):  # noqa: N818  # one word for eleven kinds of trouble
    """No usable answer arrived; the text is fit for printing."""

    def __init__(self, trouble: Trouble, text: str, *, proxy: str | None = None) -> None:
        """Keep the kind and, when a proxy stood in between, its address."""
        super().__init__(text if proxy is None else f"{text} (through the proxy {proxy})")
        self.trouble = trouble
        self.proxy = proxy

    @property
    def passes_with_time(self) -> bool:
        """Whether another attempt may succeed without anybody doing anything."""
        return self.trouble in _PASSES_WITH_TIME


def from_exception(
    error: Exception,
    *,
    where: str,
    timeout: float,
    masker: Masker,
    proxy: str | None,
) -> TransportProblem:
    """Name the trouble behind an exception of `socket`, `ssl` or `http.client`."""
    trouble = _classify(error)
    detail = _detail(error, masker)
    if trouble is Trouble.TIMEOUT:
        text = f"no answer from {where} within {timeout:g} s"
    elif trouble is Trouble.REFUSED:
        text = f"connection refused at {where}"
    elif trouble in {Trouble.BROKEN, Trouble.TRUNCATED}:
        text = f"{trouble.value} at {where}"
    else:
        text = f"{trouble.value}: {where}" + (f" ({detail})" if detail else "")
    return TransportProblem(trouble, text, proxy=proxy)


def _classify(error: Exception) -> Trouble:
    # Order matters: several of these are subclasses of OSError and of one another.
    table: tuple[tuple[type[Exception], Trouble], ...] = (
        (TimeoutError, Trouble.TIMEOUT),
        (ssl.SSLCertVerificationError, Trouble.CERTIFICATE),
        (ssl.SSLEOFError, Trouble.BROKEN),
        (ssl.SSLZeroReturnError, Trouble.BROKEN),
        (ssl.SSLError, Trouble.TLS),
        (socket.gaierror, Trouble.UNKNOWN_HOST),
        (ConnectionRefusedError, Trouble.REFUSED),
        (ConnectionError, Trouble.BROKEN),  # RemoteDisconnected among them
        (http.client.IncompleteRead, Trouble.TRUNCATED),
        (http.client.HTTPException, Trouble.NOT_HTTP),
    )
    for kind, trouble in table:
        if isinstance(error, kind):
            return trouble
    if "Tunnel connection failed" in str(error):
        return Trouble.PROXY
    return Trouble.UNREACHABLE if isinstance(error, OSError) else Trouble.NOT_HTTP


def _detail(error: Exception, masker: Masker) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return masker.foreign(error.verify_message)
    if isinstance(error, OSError) and error.strerror:
        return masker.foreign(error.strerror)
    # A server's first line can be of any length; one glance at it is enough.
    return " ".join(masker.foreign(str(error)).split())[:120]
