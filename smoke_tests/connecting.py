"""From an address or a stack to a server that can be asked.

Owns the order in which addresses are considered and the putting together of what a request needs:
credentials, proxy, connection. The check uses it, and so do the commands of `operations`, which ask
the same server as the same user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smoke_tests.authentication import (
    Authentication,
    AuthenticationOptions,
    choose_authentication,
)
from smoke_tests.errors import CouldNotLook
from smoke_tests.http_connection import HttpConnection
from smoke_tests.masking import Masker
from smoke_tests.proxies import Proxy, choose_proxy
from smoke_tests.retrying import Clock, Patience, Wait, WaitListener
from smoke_tests.target import Target, parse_target
from smoke_tests.tracking_server import TrackingServer

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """The way to one server, as one user; every connection goes through it anew."""

    target: Target
    authentication: Authentication
    proxy: Proxy | None
    patience: Patience
    environ: Mapping[str, str]
    clock: Clock
    masker: Masker

    def connect(self, on_wait: WaitListener | None = None) -> tuple[TrackingServer, HttpConnection]:
        """A server to ask over a connection of its own, which the caller closes."""
        connection = HttpConnection(
            self.target,
            environ=self.environ,
            proxy=self.proxy,
            clock=self.clock,
            masker=self.masker,
        )
        server = TrackingServer(
            self.target,
            connection=connection,
            authentication=self.authentication,
            patience=self.patience,
            clock=self.clock,
            masker=self.masker,
            environ=self.environ,
            on_wait=on_wait or _nobody_watches,
        )
        return server, connection


def choose_target(
    *candidates: tuple[str, str | None], masker: Masker, otherwise: CouldNotLook
) -> Target:
    """The first address that is given; each candidate is a source's name and what it says.

    Raises:
        CouldNotLook: `otherwise` where none is given, or the first one cannot be used.
    """
    for source, uri in candidates:
        if uri:
            return parse_target(uri, masker=masker, source=source)
    raise otherwise


def open_door(
    target: Target,
    *,
    outputs: PlatformOutputs | None,
    patience: Patience,
    environ: Mapping[str, str],
    clock: Clock,
    masker: Masker,
    options: AuthenticationOptions | None = None,
) -> Door:
    """Choose credentials and a proxy for that server.

    Raises:
        CouldNotLook: the chosen authentication lacks something.
    """
    options = options or AuthenticationOptions(
        stack_username=outputs.auth_admin_username if outputs else None,
        stack_password=outputs.auth_admin_password if outputs else None,
    )
    return Door(
        target=target,
        authentication=choose_authentication(
            options, target=target, environ=environ, masker=masker
        ),
        proxy=choose_proxy(target, environ, masker),
        patience=patience,
        environ=environ,
        clock=clock,
        masker=masker,
    )


def _nobody_watches(_wait: Wait, _remaining: float) -> None:
    pass
