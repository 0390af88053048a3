"""One kept-alive HTTP connection on which every request has a deadline.

Owns sending a request and reading its whole answer within a number of seconds, through a proxy
where there is one. `http.client` is used directly: importing it takes 25 ms where `requests` takes
150, and the check needs nothing else of either.

A socket's timeout starts anew with every byte, so a server that drips one byte a second would
never time out; here each read gets only what is left of the request's time. Redirects are not
followed: a redirected POST loses its body, and credentials must not travel to another host.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from smoke_tests.masking import Masker
from smoke_tests.proxies import Proxy
from smoke_tests.retrying import Clock
from smoke_tests.target import Target
from smoke_tests.tls import make_context
from smoke_tests.transport_problem import TransportProblem, Trouble, from_exception

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LARGEST_ANSWER_BYTES = 8 * 1024 * 1024
# Servers close idle connections after 5 s (uvicorn) or 2 s (gunicorn); a request sent into a
# closing connection is lost, and nobody can say whether it was served.
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a server answered, whole."""

    status: int
    reason: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    seconds: float  # from sending the request to the answer's last byte


class HttpConnection:
    """Requests to one target, over one connection while it stays fresh."""

    def __init__(
        self,
        target: Target,
        *,
        environ: Mapping[str, str],
        proxy: Proxy | None,
        clock: Clock,
        masker: Masker,
    ) -> None:
        """Prepare; nothing is opened before the first request."""
        self._target = target
        self._environ = environ
        self._proxy = proxy
        self._clock = clock
        self._masker = masker
        self._deadline = _Deadline(clock)
        self._connection: http.client.HTTPConnection | None = None
        self._last_used = 0.0
        if target.scheme == "https":
            _ = self._tls  # a bad certificate file is reported before anything is asked

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> Answer:
        """Send one request and read its answer.

        Raises:
            TransportProblem: no complete answer arrived in time.
        """
        started = self._clock.monotonic()
        self._deadline.restart(timeout)
        try:
            connection = self._open()
            self._send(connection, method, path, headers, body)
            response = connection.getresponse()
            content = response.read(LARGEST_ANSWER_BYTES + 1)
            self._verify_complete(response, content)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise from_exception(
                error,
                where=self._target.authority,
                timeout=timeout,
                masker=self._masker,
                proxy=None if self._proxy is None else str(self._proxy),
            ) from None
        except TransportProblem:
            self.close()
            raise
        self._last_used = self._clock.monotonic()
        return Answer(
            status=response.status,
            reason=response.reason,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=content,
            seconds=self._last_used - started,
        )

    def close(self) -> None:
        """Drop the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> http.client.HTTPConnection:
        if self._clock.monotonic() - self._last_used > _IDLE_SECONDS:
            self.close()
        if self._connection is None:
            self._connection = self._new_connection()
        self._connection.timeout = self._deadline.remaining()
        if self._connection.sock is not None:
            self._connection.sock.settimeout(self._deadline.remaining())
        return self._connection

    def _new_connection(self) -> http.client.HTTPConnection:
        target, proxy = self._target, self._proxy
        host, port = (target.host, target.port) if proxy is None else (proxy.host, proxy.port)
        if target.scheme == "https":
            connection = http.client.HTTPSConnection(host, port, context=self._tls)
            if proxy is not None:
                connection.set_tunnel(target.host, target.port or 443, dict(proxy.headers))
        else:
            connection = http.client.HTTPConnection(host, port)
        connection.response_class = _response_class(self._deadline)
        return connection

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> None:
        sent = dict(headers)
        url = self._target.prefix + path
        if self._proxy is not None and self._target.scheme == "http":
            url = self._target.origin + url
            sent |= self._proxy.headers
        connection.request(method, url, body=body, headers=sent)

    def _verify_complete(self, response: http.client.HTTPResponse, content: bytes) -> None:
        if len(content) > LARGEST_ANSWER_BYTES:
            raise TransportProblem(
                Trouble.TOO_LARGE,
                f"answer of more than {LARGEST_ANSWER_BYTES // 1024**2} MiB "
                f"from {self._target.authority}",
            )
        # Given a number of bytes, `read` returns what there is instead of raising.
        if response.length:
            raise http.client.IncompleteRead(content, response.length)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return make_context(self._environ)


class _Deadline:
    """The end of the request under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._end = 0.0

    def restart(self, seconds: float) -> None:
        self._end = self._clock.monotonic() + seconds

    def remaining(self) -> float:
        remaining = self._end - self._clock.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining


class _DeadlineReader(io.RawIOBase):
    """Reads a socket, each time with what is left of the request's time."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        self._sock.settimeout(self._deadline.remaining())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _response_class(deadline: _Deadline) -> type[http.client.HTTPResponse]:
    class DeadlineResponse(http.client.HTTPResponse):
        def __init__(
            self,
            sock: socket.socket,
            debuglevel: int = 0,
            method: str | None = None,
            url: str | None = None,
        ) -> None:
            super().__init__(sock, debuglevel, method, url)
            self.fp.close()
            self.fp = io.BufferedReader(_DeadlineReader(sock, deadline))

    return DeadlineResponse
