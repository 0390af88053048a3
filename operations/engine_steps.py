"""What an engine means to do or found: the steps of its `--json` output, typed.

Owns asking the engine at hand for a preview or a refresh that writes nothing, and reading the
answer; the Pulumi CLI and the embedded engine print the same schema. What a step means for a
reader is the business of `drift_resources` and `preview_summary`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from operations.place import Place
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import (
    Document,
    as_document,
    find_documents,
    find_text,
    parse_document,
)
from smoke_tests.stack_target import PROJECT_DIRECTORY, engine_command, engine_environment

SECRET = "[secret]"  # noqa: S105  # what both engines print in place of one
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What both engines print for a value that only the deployment will tell."""

ENGINE_SECONDS = 1800.0
"""A refresh asks a cloud once for each resource; a throttled account takes its time."""

LONGEST = 160
BEFORE = 40
"""Characters that a value is shown with, and those before two values part."""

ABSENT: object = object()
"""A path that leads nowhere, which is something else than null."""

_PATH = re.compile(r"\[\"((?:[^\"\\]|\\.)*)\"\]|\[(\d+)\]|([^.\[]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A resource as a state describes it."""

    id: str  # the cloud's own; empty where there is none yet
    inputs: Document
    outputs: Document
    parent: str
    protect: bool
    retained: bool  # a deletion forgets it and leaves it where it is

    def at(self, path: str, *, inputs_first: bool = True) -> object:
        """The value at one of the engine's paths, `ABSENT` where there is none."""
        order = (self.inputs, self.outputs) if inputs_first else (self.outputs, self.inputs)
        for properties in order:
            value = follow(properties, path)
            if value is not ABSENT:
                return value
        return ABSENT


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One resource, and what happens or happened to it."""

    op: str  # same, create, update, replace, delete, refresh, read, …
    urn: str
    old: State | None
    new: State | None
    changed: Mapping[str, bool]  # path → it is an input
    replaced_for: tuple[str, ...]  # the paths that force a replacement

    @property
    def name(self) -> str:
        """The name in the program."""
        return self.urn.rpartition("::")[2]

    @property
    def type(self) -> str:
        """Pulumi's token of the type: `aws:rds/instance:Instance`."""
        return self.urn.split("::")[2].rpartition("$")[2] if self.urn.count("::") >= 3 else ""

    @property
    def is_own(self) -> bool:
        """A resource that a cloud has: no stack, no provider, no component."""
        provider = self.type.startswith("pulumi:")
        return not provider and not self.type.startswith("mlflow-platform:")


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """Everything one run of the engine said."""

    steps: tuple[Step, ...]
    summary: Mapping[str, int]  # how many of each operation
    problems: tuple[str, ...] = field(default=())  # errors that the engine told of

    @property
    def left_out(self) -> int:
        """How many that stay the same are counted and not shown."""
        return max(0, self.summary.get("same", 0) - sum(step.op == "same" for step in self.steps))

    @property
    def resources(self) -> tuple[Step, ...]:
        """The steps of what a cloud has."""
        return tuple(step for step in self.steps if step.is_own)


def ask_for_steps(place: Place, *question: str, more: Sequence[str] = ()) -> Steps:
    """Run the engine on the place's stack and read what it prints.

    Raises:
        CouldNotLook: it is missing, refuses, fails, or prints something else.
    """
    stack = place.stack or ""
    command = [*engine_command(place.environ), *question, "--json", "--stack", stack, *more]
    shown = f"`{' '.join(question)} --json` of stack {stack!r}"
    try:
        finished = subprocess.run(
            command,
            cwd=PROJECT_DIRECTORY,
            env=engine_environment(stack, place.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=ENGINE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CouldNotLook(
            f"{shown} did not answer ({type(error).__name__}): run it by hand to see why"
        ) from None
    said = _last_words(place.masker.foreign(finished.stderr.decode("utf-8", "replace")))
    document = parse_document(finished.stdout)
    if document is None:
        raise CouldNotLook(
            f"{shown} could not be had ({said or 'no JSON of a preview'}): is it deployed, and may "
            "you read it here?"
        )
    steps = steps_of(document)
    if finished.returncode != 0 or steps.problems:
        told = steps.problems[0] if steps.problems else said  # the first; the last is "failed"
        told = " ".join(place.masker.foreign(told).split())[:300]
        raise CouldNotLook(
            f"{shown} failed ({told or f'exit {finished.returncode}'}): run it by hand to see why"
        )
    return steps


def steps_of(document: Document) -> Steps:
    """Read what `preview --json` or `refresh --preview-only --json` printed."""
    summary = as_document(document.get("changeSummary")) or {}
    return Steps(
        steps=tuple(_step(item) for item in find_documents(document, "steps")),
        summary={key: count for key, count in summary.items() if isinstance(count, int)},
        problems=tuple(
            _problem(item)
            for item in find_documents(document, "diagnostics")
            if item.get("severity") == "error"
        ),
    )


def follow(properties: object, path: str) -> object:
    """The value at a path such as `settings.flags[0].value` or `tags["a.b"]`."""
    value: object = properties
    for quoted, index, name in _PATH.findall(path):
        key = quoted.replace('\\"', '"') if quoted else name
        if index and isinstance(value, list):
            items = cast("list[object]", value)
            value = items[int(index)] if int(index) < len(items) else ABSENT
        elif not index and isinstance(value, dict) and key in value:
            value = cast("dict[str, object]", value)[key]
        else:
            return ABSENT
        if value is ABSENT:
            return ABSENT
    return value


def shown(value: object, longest: int = LONGEST) -> str:
    """A value as a reader meets it: JSON, in one line, no longer than needed."""
    return _cut(_text(value), 0, longest)


def shown_pair(before: object, after: object, longest: int = LONGEST) -> tuple[str, str]:
    """Two values; where both are long and begin alike, from shortly before they part."""
    old, new = _text(before), _text(after)
    pairs = zip(old, new, strict=False)
    parts = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(old), len(new)))
    start = max(0, parts - BEFORE) if parts >= longest - BEFORE else 0
    return _cut(old, start, longest), _cut(new, start, longest)


def _cut(text: str, start: int, longest: int) -> str:
    text = f"…{text[start:]}" if start else text
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _text(value: object) -> str:
    if value is ABSENT or value is None:
        return "nothing"
    if value == UNKNOWN:
        return "known after deployment"
    text = value if isinstance(value, str) else json.dumps(_whole(value), ensure_ascii=False)
    return " ".join(text.split()) or "empty"


def _whole(value: object) -> object:
    """Numbers without a fraction as the integers they were before protobuf."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in cast("dict[str, object]", value).items()}
    return value


def _step(document: Document) -> Step:
    detailed = as_document(document.get("detailedDiff")) or {}
    reasons = document.get("replaceReasons")
    return Step(
        op=find_text(document, "op") or "",
        urn=find_text(document, "urn") or "",
        old=_state(as_document(document.get("oldState"))),
        new=_state(as_document(document.get("newState"))),
        changed={
            path: (as_document(part) or {}).get("inputDiff") is True
            for path, part in detailed.items()
        },
        replaced_for=tuple(sorted(str(item) for item in cast("list[object]", reasons)))
        if isinstance(reasons, list)
        else (),
    )


def _state(document: Document | None) -> State | None:
    if document is None:
        return None
    return State(
        id=find_text(document, "id") or "",
        inputs=as_document(document.get("inputs")) or {},
        outputs=as_document(document.get("outputs")) or {},
        parent=find_text(document, "parent") or "",
        protect=document.get("protect") is True,
        retained=document.get("retainOnDelete") is True,
    )


def _problem(diagnostic: Document) -> str:
    """An error as it was told, after the name of its resource."""
    said = " ".join((find_text(diagnostic, "message") or "").split()).removeprefix("error: ")
    name = (find_text(diagnostic, "urn") or "").rpartition("::")[2]
    return f"{name}: {said}" if name else said


def _last_words(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ").rstrip(".")[:300] if lines else ""
