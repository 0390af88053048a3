"""What the checks saw, word for word, for whoever reads the bundle.

Owns the collection: texts by the name of the file they become. Nothing is masked here and nothing
leaves: `bundle` masks everything on its way out, in one place.
"""

from __future__ import annotations

import json
import threading


class Exhibits:
    """Texts by name; many threads add to it."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}

    def add(self, name: str, content: object) -> None:
        """Keep a text, or anything that JSON (or `str`) can show."""
        if isinstance(content, str):
            text = content
        else:
            text = json.dumps(content, indent=2, default=str, ensure_ascii=False)
        with self._lock:
            self._texts[name] = text

    def texts(self) -> dict[str, str]:
        """Everything so far."""
        with self._lock:
            return dict(sorted(self._texts.items()))
