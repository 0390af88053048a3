"""A TCP server that treats HTTP badly, in a scripted way.

Owns one listening socket and a list of treatments, one for each connection (the last one is used
again for further ones). A treatment gets the connection after the request's head has arrived.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Treatment = Callable[[socket.socket, threading.Event], None]


def say(data: bytes) -> Treatment:
    """Send these bytes and close."""

    def treat(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(data)

    return treat


def hang(connection: socket.socket, over: threading.Event) -> None:
    """Keep the connection open and say nothing."""
    over.wait(30)


def drip(connection: socket.socket, over: threading.Event) -> None:
    """Send a header that does not end for ten seconds, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(1000):
        if over.wait(0.01):
            return
        connection.sendall(b"a")


def flood(connection: socket.socket, over: threading.Event) -> None:
    """Send a body without an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    block = b"x" * 65536
    while not over.is_set():
        connection.sendall(block)


class HostileServer:
    """Serves on a free port of 127.0.0.1 until `close`."""

    def __init__(self, *treatments: Treatment) -> None:
        self._treatments = list(treatments)
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        self.heads: list[bytes] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            index = min(self.connections, len(self._treatments)) - 1
            thread = threading.Thread(target=self._serve, args=(connection, index))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, index: int) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(65536)
                if not received:
                    return
                head += received
            self.heads.append(head)
            self._treatments[index](connection, self._over)
