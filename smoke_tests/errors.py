"""Why the check stops: it could not look, or a stage failed.

Owns the two exceptions that end a check. Whatever a socket, a subprocess or a library raises is
turned into one of them close to where it happens, so that nobody reads a traceback.
"""

from __future__ import annotations


class CouldNotLook(Exception):  # noqa: N818  # named after its exit code's meaning
    """The check cannot start: bad arguments, no address, no credentials. Exit code 2."""


class StageFailed(Exception):  # noqa: N818  # an outcome of the check, not a defect of it
    """A stage found the platform broken. Exit code 1.

    `problem` is the line printed with a cross; `remedy` says what to do about it.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        """Keep both sentences; the first is the exception's text."""
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
