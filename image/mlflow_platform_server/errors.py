"""What stops a start, in the words its reader gets.

One error for everything that somebody has to mend before the server can run. Its text is the whole
message: one sentence, no traceback, no secret.
"""

from __future__ import annotations


class CannotStart(Exception):  # noqa: N818 - reads as what happened
    """The server cannot run like this; the text says why and what to do."""
