"""Resources that no emulator holds, kept in one JSON file per package.

Owns the file: one object per type and id, written whole to a new file that takes the old one's
place, so that a reader outside (a test that injects drift, an operator) sees one state or the next.
It is read anew on every call, because what was changed from outside is what a refresh must find.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from simulated_cloud.property_values import Properties


class FileStore:
    """Properties by type and id."""

    def __init__(self, path: Path) -> None:
        """Keep them in this file, which appears with the first resource."""
        self.path = path
        self._lock = threading.RLock()

    def get(self, kind: str, identity: str) -> Properties | None:
        """Return a resource's properties, or None if it is not there."""
        return self._load().get(kind, {}).get(identity)

    def list(self, kind: str) -> dict[str, Properties]:
        """Return all resources of a type by id."""
        return self._load().get(kind, {})

    def kinds(self) -> dict[str, int]:
        """Return how many resources of each type there are; types without any are left out."""
        return {kind: len(items) for kind, items in self._load().items() if items}

    def put(self, kind: str, identity: str, properties: Properties) -> None:
        """Write a resource whole."""
        with self._lock:
            everything = self._load()
            everything.setdefault(kind, {})[identity] = properties
            self._save(everything)

    def remove(self, kind: str, identity: str) -> None:
        """Remove a resource; one that is not there is no error."""
        with self._lock:
            everything = self._load()
            if everything.get(kind, {}).pop(identity, None) is not None:
                self._save(everything)

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self.path.unlink(missing_ok=True)

    def _load(self) -> dict[str, dict[str, Properties]]:
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def _save(self, everything: dict[str, dict[str, Properties]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new")
        # Secrets may be among the properties: nobody else reads them.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(everything, file, indent=1, sort_keys=True)
        fresh.replace(self.path)
