"""The cloud of the conformance suite: a JSON-lines file that remembers what was asked of it.

Owns the journal (every provider call in order, what happened outside of Pulumi, faults to come)
and what follows from it: which things stand, with which properties. It knows no protocol; the
attached provider (`fake_provider.py`) and the dynamic one (`program_library/things.py`) both use
it, and the latter imports it in another process, so it needs nothing beyond the standard library.
"""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

Properties = dict[str, Any]

REPLACING = frozenset({"shape", "slot"})
"""Inputs that cannot change in place; `slot` can be held by one thing at a time."""
EXCLUSIVE = frozenset({"slot"})
CHANGING_CALLS = frozenset({"create", "update", "delete"})


class CloudRefusedError(Exception):
    """The cloud was told to fail this call."""


class FakeCloud:
    """One account; ids are the thing's name and the number of its making, so runs compare."""

    def __init__(self, journal: Path) -> None:
        """Open an account; the file appears with the first line."""
        self._journal = journal

    # What a provider does -------------------------------------------------------------------

    def call(self, call: str, name: str, **details: Any) -> None:
        """Write a provider's call down, and fail it if that was asked for."""
        fault = self.fault(call, name)
        self._write({"call": call, "name": name, **details, **({"fault": fault} if fault else {})})
        if fault:
            raise CloudRefusedError(fault)

    def create(self, name: str, properties: Properties, **details: Any) -> tuple[str, Properties]:
        """Make a thing; return its id and outputs."""
        made = sum(1 for line in self._lines() if line.get("made") == name) + 1
        id_ = f"{name}-{made}"
        self.call("create", name, id=id_, inputs=properties, **details)
        outputs = self._outputs(name, id_, properties, revision=1)
        self._write({"made": name, "id": id_, "outputs": outputs})
        return id_, outputs

    def update(self, name: str, id_: str, properties: Properties, **details: Any) -> Properties:
        """Change a thing in place; return its outputs."""
        self.call("update", name, id=id_, inputs=properties, **details)
        revision = int(self.things().get(id_, {}).get("revision", 0)) + 1
        outputs = self._outputs(name, id_, properties, revision=revision)
        self._write({"changed": name, "id": id_, "outputs": outputs})
        return outputs

    def delete(self, name: str, id_: str, **details: Any) -> None:
        """Remove a thing."""
        self.call("delete", name, id=id_, **details)
        self._write({"removed": name, "id": id_})

    def read(self, name: str, id_: str) -> Properties | None:
        """Return a thing's outputs, or nothing if it is gone."""
        self.call("read", name, id=id_)
        return self.things().get(id_)

    # What a test does -----------------------------------------------------------------------

    def fail(self, call: str, name: str, message: str = "quota exceeded") -> None:
        """Let this call for this thing fail until `mend`."""
        self._write({"fault_for": f"{call} {name}", "message": message})

    def mend(self) -> None:
        """End all faults."""
        self._write({"mended": True})

    def make(self, name: str, id_: str, **properties: Any) -> None:
        """Let a thing exist that no Pulumi program made."""
        outputs = self._outputs(name, id_, properties, revision=1)
        self._write({"made": name, "id": id_, "outputs": outputs, "outside": True})

    def drift(self, id_: str, **properties: Any) -> None:
        """Change a thing behind Pulumi's back."""
        outputs = {**self.things()[id_], **properties}
        self._write({"changed": "", "id": id_, "outputs": outputs, "outside": True})

    def lose(self, id_: str) -> None:
        """Remove a thing behind Pulumi's back."""
        self._write({"removed": "", "id": id_, "outside": True})

    # What can be seen -----------------------------------------------------------------------

    def things(self) -> dict[str, Properties]:
        """Return what stands: outputs by id."""
        standing: dict[str, Properties] = {}
        for line in self._lines():
            if "made" in line or "changed" in line:
                standing[line["id"]] = line["outputs"]
            elif "removed" in line:
                standing.pop(line["id"], None)
        return standing

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the providers' calls, oldest first, after the first `since` lines."""
        return [line for line in self._lines()[since:] if "call" in line]

    def mark(self) -> int:
        """Return where the journal ends now."""
        return len(self._lines())

    def fault(self, call: str, name: str) -> str:
        """Return how this call is to fail, empty if it is not."""
        message = ""
        for line in self._lines():
            if line.get("fault_for") == f"{call} {name}":
                message = line["message"]
            elif "mended" in line:
                message = ""
        return message

    @staticmethod
    def _outputs(name: str, id_: str, properties: Properties, *, revision: int) -> Properties:
        return {
            **properties,
            "endpoint": f"https://{id_}.example",
            "token": f"token of {name}",
            "revision": revision,
        }

    def _lines(self) -> list[dict[str, Any]]:
        try:
            text = self._journal.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def _write(self, line: dict[str, Any]) -> None:
        with self._journal.open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(line, sort_keys=True) + "\n")


def changed_inputs(old: Properties, new: Properties) -> list[str]:
    """Return the inputs that differ, in order of name."""
    return sorted(
        key
        for key in {*old, *new}
        if not key.startswith("__") and (key not in old or key not in new or old[key] != new[key])
    )
