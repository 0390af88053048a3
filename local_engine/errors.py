"""What the engine says when it will not go on.

Owns the engine's one exception. Its text is a sentence for the person at the terminal: what was
found, what is allowed, what to do next. It never carries a property value, because a value may be
a secret.
"""

from __future__ import annotations


class EngineError(Exception):
    """The engine refuses or cannot continue; the message is complete and shown without a trace.

    `urn` names the resource the sentence is about, so that a display can put it beside its row.
    """

    def __init__(self, message: str, *, urn: str = "") -> None:
        """Keep the sentence and, where there is one, the resource it is about."""
        super().__init__(message)
        self.message = message
        self.urn = urn
