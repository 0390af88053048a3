"""`preview --json`: the steps of a preview in the schema of Pulumi's PreviewDigest.

Owns the digest and nothing of how a preview comes about. States are written down when their step
begins, because the engine goes on filling them in; secrets are `[secret]`, as in the CLI.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from local_engine.display.step_text import is_shown, is_stack
from local_engine.events import (
    OP_CREATE_REPLACEMENT,
    OP_DELETE_REPLACED,
    OP_DISCARD_REPLACED,
    OP_IMPORT_REPLACEMENT,
    OP_READ_REPLACEMENT,
    OP_REMOVE_PENDING_REPLACE,
    OP_REPLACE,
    Diagnostic,
    Event,
    Step,
    StepFinished,
    StepStarted,
    UpdateFinished,
)
from local_engine.property_json import CiphertextMemory, PropertyEncoder
from local_engine.property_values import mask
from local_engine.resource_json import resource_json
from local_engine.resource_state import ResourceState

# Of these a one-line display shows the logical one alone, `replace`.
REPLACEMENT_OPS = frozenset(
    {
        OP_CREATE_REPLACEMENT,
        OP_DELETE_REPLACED,
        OP_DISCARD_REPLACED,
        OP_IMPORT_REPLACEMENT,
        OP_READ_REPLACEMENT,
        OP_REMOVE_PENDING_REPLACE,
        OP_REPLACE,
    }
)


class PreviewDigest:
    """A display that says nothing until the end, and then one JSON document."""

    def __init__(
        self,
        stream: TextIO,
        config: Mapping[str, str],
        *,
        refresh: bool = False,
        suppress_outputs: bool = False,
        show_sames: bool = False,
    ) -> None:
        """`config` is what the program was given, its secrets already blinded."""
        self._stream = stream
        self._refresh = refresh
        self._suppress_outputs = suppress_outputs
        self._show_sames = show_sames
        self._lock = threading.Lock()
        self._steps: list[dict[str, Any]] = []
        self._diagnostics: list[dict[str, Any]] = []
        self._digest: dict[str, Any] = {"config": dict(config)} if config else {}
        self._end: dict[str, Any] = {}

    def __call__(self, event: Event) -> None:
        """Take one event, from whatever thread."""
        with self._lock:
            if isinstance(event, StepStarted):
                if self._wanted(event.step):
                    self._steps.append(self._step(event.step, event.step.op))
            elif isinstance(event, StepFinished):
                self._refreshed(event.step)
                if event.error is not None:
                    self._failed(event.step.urn, event.error)
            elif isinstance(event, Diagnostic):
                if not event.ephemeral and event.severity != "debug":
                    self._diagnostics.append(_diagnostic(event))
            elif isinstance(event, UpdateFinished):
                self._end = {
                    "duration": int(event.seconds * 1e9),
                    "changeSummary": {
                        op: count for op, count in sorted(event.changes.items()) if count
                    },
                }

    def close(self) -> None:
        """Print the document."""
        with self._lock:
            document = self._digest
            if self._steps:
                document["steps"] = self._steps
            if self._diagnostics:
                document["diagnostics"] = self._diagnostics
            document.update({key: value for key, value in self._end.items() if value})
            json.dump(document, self._stream, indent=4, ensure_ascii=False)
            self._stream.write("\n")
            self._stream.flush()

    def _wanted(self, step: Step) -> bool:
        half = not step.logical and step.op in REPLACEMENT_OPS
        return is_stack(step) or (is_shown(step, sames=self._show_sames) and not half)

    def _refreshed(self, step: Step) -> None:
        """Replace the step of a refresh by what it found, when it found something.

        Only where refreshing is all there is: before an update the update's steps tell it.
        """
        found = (
            self._refresh
            and step.op == "refresh"
            and (
                step.result_op == "delete"
                or (step.result_op == "update" and step.detailed_diff is not None)
            )
        )
        for index, entry in enumerate(self._steps if found else ()):
            if entry["urn"] == step.urn:
                self._steps[index] = self._step(step, step.result_op)

    def _failed(self, urn: str, error: str) -> None:
        """Tell why a step failed, unless its resource has said so itself."""
        known = {(entry.get("urn"), entry["message"].strip()) for entry in self._diagnostics}
        if (urn, error.strip()) not in known:
            self._diagnostics.append(_diagnostic(Diagnostic("error", urn, error)))

    def _step(self, step: Step, op: str) -> dict[str, Any]:
        entry: dict[str, Any] = {"op": op, "urn": step.urn}
        if step.provider:
            entry["provider"] = step.provider
        if step.old is not None:
            entry["oldState"] = self._state(step.old, step)
        if step.new is not None:
            entry["newState"] = self._state(step.new, step)
        if step.diffs:
            entry["diffReasons"] = list(step.diffs)
        if step.replace_keys:
            entry["replaceReasons"] = list(step.replace_keys)
        entry["detailedDiff"] = step.detailed_diff and {
            path: {"kind": part.kind, "inputDiff": part.input_diff}
            for path, part in sorted(step.detailed_diff.items())
        }
        return entry

    def _state(self, state: ResourceState, step: Step) -> dict[str, Any]:
        def encode(name: str, value: Any) -> Any:
            if self._suppress_outputs and is_stack(step) and name in ("inputs", "outputs"):
                return {}
            return _ENCODER.encode(mask(value), (name,))

        return resource_json(state, encode)


def _diagnostic(event: Diagnostic) -> dict[str, Any]:
    # The CLI's messages end their line.
    message = event.message if event.message.endswith("\n") else f"{event.message}\n"
    entry = {"urn": event.urn, "message": message, "severity": event.severity}
    return {key: value for key, value in entry.items() if value}


def _no_crypter() -> Any:
    raise AssertionError("a secret reached the digest unmasked")


_ENCODER = PropertyEncoder(_no_crypter, CiphertextMemory())
