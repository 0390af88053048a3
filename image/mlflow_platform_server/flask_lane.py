"""A short way to the part of MLflow that is a Flask application.

MLflow's ASGI application passes each request through six middlewares and eight routers before it
reaches Flask, which then checks host, origin and workspace by itself once more: under gunicorn
Flask is all there is. Here a request whose path only Flask serves goes to Flask directly, with
Flask's own checks; everything else, every request of a browser from another origin included, takes
MLflow's whole way. Answers are the same, at gunicorn's price.

Owns the choice of the way and the bridge from ASGI to WSGI; it knows nothing of what is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import anyio.to_thread

from mlflow_platform_server.draining import Application, Message, Receive, Scope, Send

BATCH_BYTES = 256 * 1024
"""What is read from Flask in one go: small answers whole, large files piece by piece."""

WsgiApplication = Callable[..., Iterable[bytes]]


class FlaskLane:
    """Sends a request to Flask directly or to the whole application."""

    def __init__(
        self,
        whole: Application,
        flask: WsgiApplication,
        serves: Callable[[str, str], bool],
        *,
        varies_by_origin: bool = False,
    ) -> None:
        """`serves(path, method)` says whether Flask alone answers such a request.

        `varies_by_origin`: the whole application answers other origins differently, and says so to
        caches in every answer.
        """
        self._whole = whole
        self._flask = flask
        self._serves = serves
        self._varies_by_origin = varies_by_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or whatever else the server has to say (start, stop, websocket)."""
        if (
            scope["type"] == "http"
            and scope["method"] != "OPTIONS"
            and self._serves(scope["path"], scope["method"])
            and not any(name == b"origin" for name, _ in scope["headers"])
        ):
            await self._answer(scope, receive, send)
        else:
            await self._whole(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        answer = WsgiAnswer(self._flask, environ(scope, body))
        first = await anyio.to_thread.run_sync(answer.begin)
        headers = _by_origin(answer.headers) if self._varies_by_origin else answer.headers
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": first, "more_body": not answer.ended})
        if answer.ended:
            return
        gone = asyncio.ensure_future(receive())
        try:
            while not answer.ended and not gone.done():
                batch = await anyio.to_thread.run_sync(answer.more)
                await send(
                    {
                        "type": "http.response.body",
                        "body": batch,
                        "more_body": not answer.ended,
                    }
                )
        finally:
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone
            if not answer.ended:
                await anyio.to_thread.run_sync(answer.close)


class WsgiAnswer:
    """One answer of a WSGI application, read in batches; every method runs in a thread."""

    def __init__(self, application: WsgiApplication, request: dict[str, Any]) -> None:
        """Nothing is asked yet."""
        self._application = application
        self._request = request
        self._result: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = False

    def begin(self) -> bytes:
        """Ask, and read the first batch of the answer."""
        self._result = self._application(self._request, self._start)
        self._chunks = iter(self._result)
        return self.more()

    def more(self) -> bytes:
        """The next batch; `ended` is true after the last."""
        batch: list[bytes] = []
        size = 0
        try:
            for chunk in self._chunks:
                batch.append(chunk)
                size += len(chunk)
                if size >= BATCH_BYTES:
                    return b"".join(batch)
        except BaseException:
            self.close()
            raise
        self.close()
        return b"".join(batch)

    def close(self) -> None:
        """Let the application release what the answer held."""
        self.ended = True
        if close := getattr(self._result, "close", None):
            close()

    def _start(
        self, status: str, headers: list[tuple[str, str]], exc_info: object = None
    ) -> Callable[[bytes], object]:
        del exc_info  # nothing was sent yet: an error's answer simply replaces the first one
        self.status = int(status.split(" ", 1)[0])
        self.headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]
        return _refuse_to_write


def environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """A request as WSGI describes it."""
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client")
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if client:
        found["REMOTE_ADDR"] = client[0]
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").upper().replace("-", "_")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        value = raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    # Also of a body in chunks, which came without its length.
    found["CONTENT_LENGTH"] = str(len(body))
    return found


def _by_origin(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers with Origin among what the answer varies by, as Starlette's CORS adds it."""
    varies = [value for name, value in headers if name == b"vary"]
    others = [(name, value) for name, value in headers if name != b"vary"]
    return [*others, (b"vary", b", ".join([*varies, b"Origin"]))]


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the client went away before its end."""
    chunks: list[bytes] = []
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _refuse_to_write(_data: bytes) -> object:
    raise NotImplementedError("WSGI's write() is not supported: return the body instead")
