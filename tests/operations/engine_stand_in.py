"""A `pulumi` that prints what it was given: previews, outputs and settings, and nothing else.

Owns a small builder of steps in the engines' schema, so that a test says only what it is about.
What real engines print is recorded in `recorded/` and read by the same tests.
"""

from __future__ import annotations

import json
import shlex
import stat
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from infra.outputs import PlatformOutputs, camel_case

PROJECT = "mlflow-platform"
SCRIPT = """#!/bin/sh
# A shell, not Python: every command asks an engine several times.
echo "$*" >> {folder}/asked
for word; do
  case "$word" in -*) ;; *) verb=$word; break ;; esac
done
if [ ! -f {folder}/$verb.json ]; then
  echo "error: no stack named 'dev' found" >&2
  exit 1
fi
cat {folder}/$verb.json
exit "$(cat {folder}/$verb.code)"
"""


class RecordedEngine:
    """An engine in a folder of its own."""

    def __init__(self, folder: Path, stack: str = "dev") -> None:
        self._folder, self._stack = folder, stack
        program = folder / "pulumi"
        program.write_text(SCRIPT.format(folder=shlex.quote(str(folder))))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.environ = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}
        self.has(target="aws")
        self.is_set(target="aws")

    @property
    def asked(self) -> list[str]:
        """Its command lines, in order."""
        return (self._folder / "asked").read_text().splitlines()

    def has(self, **outputs: object) -> None:
        """The stack exports these, and something for all that it must export."""
        known: dict[str, object] = {
            camel_case(item.name): "some"
            for item in fields(PlatformOutputs)
            if item.default is MISSING
        }
        named = {camel_case(name): value for name, value in outputs.items()}
        known |= {"clientEnvironment": {}, "trackingUri": "http://127.0.0.1:1", **named}
        self._say("stack", known)

    def is_set(self, **settings: str) -> None:
        """The stack's file says this."""
        named = {f"mlflow-platform:{key}": {"value": value} for key, value in settings.items()}
        self._say("config", named)

    def refreshes(self, *steps: dict[str, Any], code: int = 0) -> None:
        """A refresh finds this."""
        self._say("refresh", document(*steps), code)

    def previews(self, *steps: dict[str, Any], code: int = 0) -> None:
        """A preview foresees this."""
        self._say("preview", document(*steps), code)

    def says(self, verb: str, told: object, code: int = 0) -> None:
        """Whatever is asked with that verb, this is printed."""
        self._say(verb, told, code)

    def _say(self, verb: str, told: object, code: int = 0) -> None:
        text = told if isinstance(told, str) else json.dumps(told)
        (self._folder / f"{verb}.json").write_text(text)
        (self._folder / f"{verb}.code").write_text(str(code))


def document(*steps: dict[str, Any]) -> dict[str, Any]:
    """What an engine prints."""
    summary: dict[str, int] = {}
    for step in steps:
        summary[step["op"]] = summary.get(step["op"], 0) + 1
    return {"steps": list(steps), "duration": 1, "changeSummary": summary}


def step(
    op: str,
    type_token: str,
    name: str,
    *,
    id: str = "",  # noqa: A002  # the engines' own word
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    changed: dict[str, str] | list[str] | None = None,
    because: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One step; `before` and `after` are inputs and outputs at once."""
    urn = f"urn:pulumi:dev::{PROJECT}::{PROJECT}:aws:AwsPlatform${type_token}::{name}"

    def state(properties: dict[str, Any]) -> dict[str, Any]:
        told = {"urn": urn, "type": type_token, "custom": True, "id": id or f"{name}-id"}
        return {**told, "inputs": properties, "outputs": properties, **more}

    told: dict[str, Any] = {"op": op, "urn": urn, "detailedDiff": None}
    if before is not None:
        told["oldState"] = state(before)
    if after is not None:
        told["newState"] = state(after)
    if changed is not None:
        told["detailedDiff"] = {path: {"kind": "update", "inputDiff": True} for path in changed}
    if because is not None:
        told["replaceReasons"] = because
    return told
