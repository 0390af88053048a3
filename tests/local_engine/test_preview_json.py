"""`preview --json` in the schema of Pulumi's PreviewDigest."""

from __future__ import annotations

import io
import json
from typing import Any

from local_engine.events import (
    Diagnostic,
    Event,
    PropertyDiff,
    Step,
    StepFinished,
    StepStarted,
    UpdateFinished,
)
from local_engine.preview_json import PreviewDigest
from local_engine.property_values import UNKNOWN, Secret
from local_engine.resource_state import ResourceState

URN = "urn:pulumi:dev::shelf::shelf:index:Book::moby"
PROVIDER = "urn:pulumi:dev::shelf::pulumi:providers:shelf::default::1"


def book(**inputs: Any) -> ResourceState:
    return ResourceState(
        urn=URN, type="shelf:index:Book", custom=True, id="7", inputs=inputs, provider=PROVIDER
    )


def digest(
    *events: Event, config: dict[str, str] | None = None, show_sames: bool = False
) -> dict[str, Any]:
    stream = io.StringIO()
    display = PreviewDigest(stream, config or {}, show_sames=show_sames)
    for event in events:
        display(event)
    display.close()
    return json.loads(stream.getvalue())


class TestSchema:
    """Field for field what `pulumi preview --json` prints; absent where the CLI leaves out."""

    def test_update(self) -> None:
        step = Step(
            op="update",
            urn=URN,
            type="shelf:index:Book",
            provider=PROVIDER,
            old=book(a=1),
            new=book(a=UNKNOWN, key=Secret("hunter2")),
            diffs=["a"],
            detailed_diff={"a": PropertyDiff("update", True)},
        )
        common = {"urn": URN, "custom": True, "id": "7", "type": "shelf:index:Book"}
        assert digest(
            StepStarted(step),
            StepFinished(step, 0.0),
            Diagnostic("info", "", "hello"),
            Diagnostic("debug", "", "not shown"),
            Diagnostic("info", "", "not shown", ephemeral=True),
            UpdateFinished({"update": 1, "same": 0}, 1.5, {}, succeeded=True),
            config={"shelf:size": "5"},
        ) == {
            "config": {"shelf:size": "5"},
            "steps": [
                {
                    "op": "update",
                    "urn": URN,
                    "provider": PROVIDER,
                    "oldState": {**common, "inputs": {"a": 1}, "provider": PROVIDER},
                    "newState": {
                        **common,
                        "inputs": {
                            "a": "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
                            "key": "[secret]",
                        },
                        "provider": PROVIDER,
                    },
                    "diffReasons": ["a"],
                    "detailedDiff": {"a": {"kind": "update", "inputDiff": True}},
                }
            ],
            "diagnostics": [{"message": "hello\n", "severity": "info"}],
            "duration": 1_500_000_000,
            "changeSummary": {"update": 1},
        }

    def test_state_is_that_of_the_steps_beginning(self) -> None:
        step = Step(op="create", urn=URN, type="shelf:index:Book", new=book(a=1))
        stream = io.StringIO()
        display = PreviewDigest(stream, {})
        display(StepStarted(step))
        assert step.new is not None
        step.new.outputs = {"later": True}
        display.close()
        step_json = json.loads(stream.getvalue())["steps"][0]
        assert "outputs" not in step_json["newState"]
        assert step_json["detailedDiff"] is None

    def test_same_and_halves_of_a_replacement_are_left_out(self) -> None:
        same = Step(op="same", urn=URN, type="shelf:index:Book", old=book(), new=book())
        half = Step(
            op="create-replacement",
            urn=URN,
            type="shelf:index:Book",
            old=book(),
            new=book(),
            logical=False,
        )
        assert digest(StepStarted(same), StepStarted(half)) == {}
        both = digest(StepStarted(same), StepStarted(half), show_sames=True)
        assert [step["op"] for step in both["steps"]] == ["same"]

    def test_changed_protection_is_shown(self) -> None:
        kept = book().copy(protect=True)
        same = Step(op="same", urn=URN, type="shelf:index:Book", old=book(), new=kept)
        assert [step["op"] for step in digest(StepStarted(same))["steps"]] == ["same"]

    def test_why_a_step_failed(self) -> None:
        step = Step(op="refresh", urn=URN, type="shelf:index:Book", old=book())
        told = Diagnostic("error", URN, "no such book")
        last = Diagnostic("error", "", "preview failed")
        failed = StepFinished(step, 0.0, "no such book")
        for events in ((failed, last), (told, failed, last)):
            document = digest(StepStarted(step), *events)
            assert document["diagnostics"] == [
                {"urn": URN, "message": "no such book\n", "severity": "error"},
                {"message": "preview failed\n", "severity": "error"},
            ]

    def test_refresh_shows_what_it_found(self) -> None:
        step = Step(op="refresh", urn=URN, type="shelf:index:Book", old=book(a=1))
        stream = io.StringIO()
        display = PreviewDigest(stream, {}, refresh=True)
        display(StepStarted(step))
        step.new, step.result_op = book(a=1), "update"
        step.detailed_diff = {"a": PropertyDiff("update", False)}
        display(StepFinished(step, 0.1))
        display.close()
        assert json.loads(stream.getvalue())["steps"][0]["op"] == "update"
