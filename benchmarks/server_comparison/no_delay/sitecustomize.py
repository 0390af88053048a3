"""Gives TCP_NODELAY to every connection that asyncio accepts: the ablation's patch.

Owns one line of asyncio: it sets the option only on sockets whose protocol number says TCP, and
uvicorn's parent process binds its socket with number 0. Python loads this file by its name where
its folder is on PYTHONPATH.
"""

import asyncio.base_events
import socket


def _set_nodelay(sock: socket.socket) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


asyncio.base_events._set_nodelay = _set_nodelay
