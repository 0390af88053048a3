"""Telling clients to go elsewhere while the server still answers.

Owns the mark that a worker is on its way out. Every answer from then on carries `Connection: close`
so that a client with a kept-open connection makes its next request on a new one, which a load
balancer sends to another server: when the listener closes, nobody has a connection left to lose.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Draining:
    """An ASGI application that says good-bye once it is told to."""

    def __init__(self, application: Application) -> None:
        """Serve `application`."""
        self._application = application
        self.begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; with `Connection: close` when draining began before the answer does."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def closing(message: Message) -> None:
            if self.begun and message["type"] == "http.response.start":
                headers = [
                    (name, value)
                    for name, value in message.get("headers", [])
                    if bytes(name).lower() != b"connection"
                ]
                message = {**message, "headers": [*headers, (b"connection", b"close")]}
            await send(message)

        await self._application(scope, receive, closing)
