"""Lines of a log with the moment they were written.

Owns the forms of time that the platform's programs write (the server, PostgreSQL, supervisord,
Kubernetes), and that lines without one (a traceback) belong to the line before.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_MOMENT = re.compile(
    r"\s*(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?\s?(Z|UTC|GMT|\+00:00)?"
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of one log."""

    source: str  # whose log it is
    moment: datetime.datetime | None  # None: before the first line with a time
    text: str

    @property
    def is_code(self) -> bool:
        """Whether it is a traceback's quotation of source: `raise TimeoutError(…)` is no error."""
        match = _MOMENT.match(self.text)
        return self.text[match.end() if match else 0 :].startswith("    ")


@dataclass(frozen=True, slots=True)
class Logs:
    """What was read, and why more was not."""

    texts: Mapping[str, str]  # by where they are from
    reasons: tuple[str, ...] = ()  # of what could not be read

    def named(self, *, database: bool) -> list[str]:
        """The sources that are PostgreSQL's own, or those that are not."""
        return [name for name in self.texts if name.lower().startswith("postgresql") is database]

    def lines(self) -> list[LogLine]:
        """All lines of all sources."""
        return [line for name, text in self.texts.items() for line in parsed(name, text)]


def parsed(source: str, text: str) -> Iterator[LogLine]:
    """The lines of a log's text."""
    moment: datetime.datetime | None = None
    for line in text.splitlines():
        moment = moment_of(line) or moment
        if line.strip():
            yield LogLine(source, moment, line)


def since(lines: Iterable[LogLine], begin: datetime.datetime) -> list[LogLine]:
    """Lines that were written after `begin`; those whose time is unknown are left out."""
    return [line for line in lines if line.moment is not None and line.moment >= begin]


def moment_of(line: str) -> datetime.datetime | None:
    """When a line was written, as far as it says so. Without a zone it is this machine's time."""
    match = _MOMENT.match(line)
    if match is None:
        return None
    numbers = [int(match[index]) for index in range(1, 7)]
    try:
        naive = datetime.datetime(*numbers)  # pyright: ignore[reportArgumentType] # noqa: DTZ001
    except ValueError:
        return None
    return naive.replace(tzinfo=datetime.UTC) if match[7] else naive.astimezone(datetime.UTC)
