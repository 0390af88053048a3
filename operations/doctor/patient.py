"""The platform that is examined, as all checks see it.

Owns what they share: the place with its outputs and settings, read before the first check; the ways
to the server, the database and the clouds, each found once; and the exhibits. It judges nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from operations.database_login import DatabaseLogin, NotReachable
from operations.doctor.check import NotRun
from operations.doctor.exhibits import Exhibits
from operations.doctor.once import Once
from operations.place import Place
from smoke_tests.connecting import Door
from smoke_tests.retrying import Patience

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs
    from infra.settings import PlatformSettings

_Value = TypeVar("_Value")

STATEMENT_SECONDS = 10
REQUEST_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the caller of `doctor` chose."""

    log_minutes: int = 15  # how far back logs and events count as now
    timeout_seconds: int | None = None  # of each check; None: as long as the check says
    kubeconfig: str | None = None  # None: asked from the cloud
    certificate_days: int = 21  # a certificate that ends sooner is a finding


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One platform."""

    place: Place
    options: Options = field(default_factory=Options)
    exhibits: Exhibits = field(default_factory=Exhibits)
    _shared: dict[str, Once[Any]] = field(
        default_factory=dict[str, Once[Any]], repr=False, compare=False
    )
    _making: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def outputs(self) -> PlatformOutputs:
        """What the stack exports.

        Raises:
            NotRun: only an address was given.
        """
        if self.place.outputs is None:
            raise NotRun("only a stack says that: name one with --stack")
        return self.place.outputs

    @property
    def settings(self) -> PlatformSettings:
        """What the stack's file asks for.

        Raises:
            NotRun: only an address was given.
        """
        if self.place.settings is None:
            raise NotRun("only a stack says that: name one with --stack")
        return self.place.settings

    def foreign(self, text: str) -> str:
        """Somebody else's words on one line, masked and cut to what a report can show."""
        line = " ".join(self.place.masker.foreign(text).split())
        return line if len(line) <= 400 else f"{line[:397]}..."

    @cached_property
    def door(self) -> Door:
        """The way to the server; one attempt, for this is about now."""
        return self.place.door(
            Patience(
                waits=(),
                health_timeout_seconds=REQUEST_SECONDS,
                request_timeout_seconds=REQUEST_SECONDS,
            )
        )

    def once(self, name: str, make: Callable[[], _Value]) -> _Value:
        """What several checks want, made by the first of them; a failure is everybody's too."""
        with self._making:
            shared = self._shared.setdefault(name, Once(make))
        return shared()

    def login(self) -> DatabaseLogin:
        """The way into the database that the stack's outputs show.

        Raises:
            NotReachable: they show none.
        """
        return DatabaseLogin.from_outputs(self.outputs, self.place.masker)

    def knock(self) -> None:
        """Log in to the database once for everybody.

        Raises:
            NotReachable: why not, in the database's or the network's words.
        """
        self.once("database", lambda: self.login().connect().close())

    @contextmanager
    def database(self) -> Generator[Any]:
        """A connection of the check's own.

        Raises:
            NotRun: there is none; `database.login` says why.
        """
        try:
            self.knock()
            connection = self.login().connect()
        except NotReachable:
            raise NotRun("the database cannot be asked from here: see database.login") from None
        try:
            connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
            yield connection
        finally:
            connection.close()
