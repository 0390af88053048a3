"""The end of a program's log, fit to be shown: only what is new, and without secrets.

Owns reading the log since a given moment, masking, and recognising the causes that a person can
mend. What a program says is quoted; what it means is added where it is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SHOWN_LINES = 15
READ_BYTES = 64 * 1024
MASK = "********"

_CREDENTIALS = (
    re.compile(r"(?P<keep>://[^:/@\s]*:)[^@\s]+(?=@)"),
    re.compile(r"(?P<keep>(?:password|passwd|secret|token)\s*[=:]\s*)[^\s,;'\")]+", re.IGNORECASE),
)

CAUSES = (
    (r"address already in use|Address already in use|Connection in use", "its port is taken"),
    (r"password authentication failed", "the database refuses the user or the password"),
    (r"database \"[^\"]*\" does not exist", "the database does not exist"),
    (r"no pg_hba.conf entry", "the database does not let this machine in"),
    (
        r"Connection refused|could not translate host name|connection timeout expired",
        "the database cannot be reached",
    ),
    (r"out-of-date database schema", "the database's schema is not the one this MLflow needs"),
    (r"remaining connection slots|too many clients", "the database has no free connection"),
    (r"No space left on device", "the disk is full"),
    (r"could not resize shared memory segment", "shared memory (/dev/shm) is full"),
    (r"Permission denied", "a file or folder may not be used"),
    (r"No module named", "a Python package is missing (`make up` installs what is needed)"),
)


@dataclass(frozen=True, slots=True)
class LogTail:
    """A log from a moment on."""

    path: Path
    offset: int

    @classmethod
    def from_now(cls, path: Path) -> LogTail:
        """What will be written to `path` from now on."""
        try:
            return cls(path, path.stat().st_size)
        except OSError:
            return cls(path, 0)

    def text(self, secrets: Iterable[str] = ()) -> str:
        """What was written since, its last part, without secrets."""
        try:
            size = self.path.stat().st_size
            # Smaller than before: it was rotated meanwhile, and all of it is new.
            start = self.offset if size >= self.offset else 0
            with self.path.open("rb") as log:
                log.seek(max(start, size - READ_BYTES))
                found = log.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return masked(found, secrets)

    def explanation(self, secrets: Iterable[str] = ()) -> str:
        """Cause, if it is known, and the last lines: the second half of an error message."""
        text = self.text(secrets)
        cause = known_cause(text)
        lines = [line for line in text.splitlines() if line.strip()][-SHOWN_LINES:]
        said = "".join(f"\n    {line}" for line in lines) or "\n    (nothing)"
        reason = f": {cause}" if cause else ""
        return f"{reason}; the last lines of {self.path}:{said}"


def known_cause(text: str) -> str | None:
    """What a log says in words a person can act on; the last cause named counts."""
    found: Sequence[tuple[int, str]] = [
        (match.start(), cause) for pattern, cause in CAUSES for match in re.finditer(pattern, text)
    ]
    return max(found)[1] if found else None


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the given secrets and without anything that looks like a credential."""
    for secret in sorted({item for item in secrets if item}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    for pattern in _CREDENTIALS:
        text = pattern.sub(rf"\g<keep>{MASK}", text)
    return text
