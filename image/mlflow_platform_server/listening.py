"""The listening socket that all workers share, and how it is closed without a lost connection.

A listener that is closed resets every connection the kernel has accepted and no worker has taken
yet. So closing has two steps: first no new connection is let in, which a packet filter on the
socket does (a client's SYN goes unanswered, it asks again a second later and finds the port
closed), then what waits is taken, then it is closed.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

from mlflow_platform_server.errors import CannotStart

SO_ATTACH_FILTER = 26

NO_NEW_CONNECTIONS = (
    # The TCP header begins at 0, its flags are byte 13: drop what has SYN and not ACK.
    (0x30, 0, 0, 13),  # A = flags
    (0x54, 0, 0, 0x12),  # A &= SYN | ACK
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # yes: drop
    (0x06, 0, 0, 0x40000),  # no: keep
)
"""A classic BPF program; it needs no rights."""


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to host and port; it listens when the first worker does.

    Raises:
        CannotStart: the address is taken or is none of this machine's.
    """
    try:
        family, kind, _protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # The protocol by name: asyncio sets TCP_NODELAY only where it is told that this is TCP.
        listener = socket.socket(family, kind, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it: an answer is not held back for the client's delayed ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        raise CannotStart(
            f"cannot listen on {host}, port {port} ({error}): end what listens there, or choose "
            "others with --host and --port"
        ) from None
    listener.set_inheritable(False)
    return listener


def let_nobody_new_in(listener: socket.socket) -> None:
    """From now on no connection begins at this socket; those that wait can still be taken.

    Does nothing where the kernel has no such filter: a connection that begins at the very moment
    of closing may then be reset.
    """
    packed = b"".join(struct.pack("HBBI", *step) for step in NO_NEW_CONNECTIONS)
    program = ctypes.create_string_buffer(packed)
    option = struct.pack("HxxxxxxP", len(NO_NEW_CONNECTIONS), ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, option)


def address_of(listener: socket.socket) -> str:
    """Where it listens, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
