"""Programs nobody thought of: random graphs, changed at random, failing at random.

The seeds are fixed, so that a failure is met again. What must hold of every program: it can be
deployed, then there is nothing to do, what the state holds is what stands in the cloud, and destroy
leaves nothing; after a failure too, once its cause is gone. On both engines in lockstep it must
moreover be the same at every step, failures apart: how far independent steps get differs from run
to run.
"""

from __future__ import annotations

import random

import pytest

from tests.local_engine.conformance.observations import Outcome
from tests.local_engine.conformance.stack import Stack

NAMES = "abcdefg"


class RandomProgram:
    """A graph of things; every change leaves a valid program."""

    def __init__(self, seed: int) -> None:
        """Begin with a graph of this seed."""
        self._random = random.Random(seed)
        self._things = {name: self._thing(name) for name in NAMES if self._maybe(0.8)}

    def change(self) -> None:
        """Add, remove and alter some things."""
        for name in NAMES:
            if name in self._things and self._maybe(0.2):
                del self._things[name]
            elif self._maybe(0.4):
                self._things[name] = self._thing(name)

    def pick(self) -> str:
        """Return the name of some thing."""
        return self._random.choice(NAMES)

    def source(self) -> str:
        """Return the program, in which only what is declared is referred to."""
        lines: list[str] = []
        for name in NAMES:
            if name in self._things:
                inputs, options = self._things[name]
                known = {
                    key: text
                    for key, (text, needs) in inputs.items()
                    if not needs or needs in self._things
                }
                kept = [text for text, needs in options if not needs or needs in self._things]
                arguments = [f'"{name}"', f"ResourceOptions({', '.join(kept)})"]
                arguments += [f"{key}={text}" for key, text in known.items()]
                lines.append(f"{name} = Thing({', '.join(arguments)})")
        return "\n".join(lines)

    def _thing(self, name: str) -> tuple[dict[str, tuple[str, str]], list[tuple[str, str]]]:
        inputs: dict[str, tuple[str, str]] = {}
        for key, chance in (("value", 0.8), ("shape", 0.4), ("slot", 0.2), ("size", 0.3)):
            if self._maybe(chance):
                inputs[key] = self._input(name)
        options: list[tuple[str, str]] = []
        earlier = NAMES[: NAMES.index(name)]
        if earlier and self._maybe(0.3):
            other = self._random.choice(earlier)
            options.append((f"depends_on=[{other}]", other))
        if self._maybe(0.2):
            options.append(("delete_before_replace=True", ""))
        if self._maybe(0.1):
            options.append(('ignore_changes=["value"]', ""))
        if self._maybe(0.1):
            options.append(('replace_on_changes=["size"]', ""))
        return inputs, options

    def _input(self, name: str) -> tuple[str, str]:
        earlier = NAMES[: NAMES.index(name)]
        if earlier and self._maybe(0.6):
            other = self._random.choice(earlier)
            return f"{other}.{self._random.choice(['endpoint', 'revision', 'id'])}", other
        value = self._random.randint(1, 3)
        return (f"Output.secret({value})" if self._maybe(0.2) else str(value)), ""

    def _maybe(self, chance: float) -> bool:
        return self._random.random() < chance


def agrees_with_the_cloud(stack: Stack, outcome: Outcome) -> bool:
    """Tell whether state and cloud hold the same things."""
    recorded = {state["id"] for state in outcome.resources if state["type"] == "fake:index:Thing"}
    assert recorded == set(stack.cloud.things())
    return True


@pytest.mark.parametrize("seed", range(4))
class TestRandomPrograms:
    """Whatever is declared is reached, kept and taken down."""

    def test_deploy_change_destroy(self, stack: Stack, seed: int) -> None:
        program = RandomProgram(seed)
        for _ in range(3):
            stack.program(program.source())
            preview = stack.preview()
            assert preview.ok, program.source()
            up = stack.up()
            assert up.ok, program.source()
            assert agrees_with_the_cloud(stack, up)
            assert stack.preview("--expect-no-changes").ok
            program.change()
        assert stack.destroy().ok
        assert stack.cloud.things() == {}


@pytest.mark.parametrize("seed", [100, 102, 103, 104, 227])
class TestRandomFailures:
    """Whatever fails, and wherever, the next run needs only the cause to be gone."""

    def test_recover(self, embedded_stack: Stack, seed: int) -> None:
        stack, program = embedded_stack, RandomProgram(seed)
        for call in ("create", "update", "delete"):
            stack.program(program.source())
            names = [program.pick(), program.pick()]
            for name in names:
                stack.tamper(lambda cloud, call=call, name=name: cloud.fail(call, name))
            stack.up()
            stack.tamper(lambda cloud: cloud.mend())
            up = stack.up()
            assert up.ok, program.source()
            assert agrees_with_the_cloud(stack, up)
            assert stack.preview("--expect-no-changes").ok
            program.change()
        assert stack.destroy().ok
        assert stack.cloud.things() == {}
