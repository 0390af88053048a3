"""Refresh: what changed or vanished behind the engine's back; and what was there before it."""

from __future__ import annotations

from tests.local_engine.conformance.stack import Stack

PROGRAM = """
a = Thing("a", value=1)
b = Thing("b", value=a.endpoint)
c = Thing("c", value=3)
pulumi.export("a", a.value)
"""


class TestDrift:
    """Refresh takes over what a thing has become; the next up puts it back."""

    def test_changed(self, stack: Stack) -> None:
        stack.program(PROGRAM)
        assert stack.up().ok
        stack.tamper(lambda cloud: cloud.drift("a-1", value=99))

        looked = stack.preview_refresh()
        assert looked.ok
        assert looked.ops["a"] == ["update"]
        assert looked.resource("a")["inputs"]["value"] == 1
        assert stack.command("refresh", "--preview-only", "--expect-no-changes").exit_code != 0

        refreshed = stack.refresh()
        assert refreshed.ok
        assert refreshed.changes == {"same": 3, "update": 1}
        assert refreshed.resource("a")["inputs"]["value"] == 99
        assert refreshed.resource("a")["outputs"]["value"] == 99

        preview = stack.preview()
        assert preview.ops == {"conformance-dev": ["same"], "a": ["update"]}
        up = stack.up()
        assert up.ok
        assert up.changing == ["update a-1"]
        assert stack.cloud.things()["a-1"]["value"] == 1
        assert stack.refresh("--expect-no-changes").ok

    def test_vanished(self, stack: Stack) -> None:
        stack.program(PROGRAM)
        assert stack.up().ok
        stack.tamper(lambda cloud: cloud.lose("a-1"))
        assert stack.preview_refresh().ops["a"] == ["delete"]
        refreshed = stack.refresh()
        assert refreshed.ok
        assert refreshed.changes == {"delete": 1, "same": 3}
        assert refreshed.names == ["b", "c"]
        assert "dependencies" not in refreshed.resource("b")

        up = stack.up()
        assert up.ok
        assert up.changing == ["create a-2", "update b-1"]

    def test_up_and_preview_with_refresh(self, stack: Stack) -> None:
        stack.program(PROGRAM)
        assert stack.up().ok
        stack.tamper(lambda cloud: cloud.drift("c-1", value=30))
        assert stack.preview().summary == {"same": 4}
        preview = stack.preview("--refresh")
        assert preview.ok
        up = stack.up("--refresh")
        assert up.ok
        assert up.changing == ["update c-1"]
        assert up.resource("c")["inputs"]["value"] == 3

        stack.tamper(lambda cloud: cloud.lose("b-1"))
        destroyed = stack.destroy("--refresh")
        assert destroyed.ok
        assert sorted(destroyed.changing) == ["delete a-1", "delete c-1"]

    def test_a_read_that_fails(self, stack: Stack) -> None:
        stack.program(PROGRAM)
        assert stack.up().ok
        stack.tamper(lambda cloud: cloud.fail("read", "b", "forbidden"))
        stack.tamper(lambda cloud: cloud.lose("a-1"))
        stack.tamper(lambda cloud: cloud.drift("c-1", value=30))
        refreshed = stack.refresh()
        assert refreshed.exit_code != 0
        assert "forbidden" in refreshed.text
        # What could be read is remembered all the same.
        assert refreshed.names == ["b", "c"]
        assert refreshed.resource("c")["inputs"]["value"] == 30
        assert refreshed.resource("b")["outputs"]["endpoint"] == "https://b-1.example"


class TestGet:
    """A resource that is there already is read, recorded as external, and never deleted."""

    PROGRAM = """
        there = Thing("there", ResourceOptions(id="box-7"))
        a = Thing("a", value=there.value)
        pulumi.export("value", there.value)
    """

    def test_read_and_forgotten(self, stack: Stack) -> None:
        stack.tamper(lambda cloud: cloud.make("box", "box-7", value="theirs"))
        stack.program(self.PROGRAM)
        preview = stack.preview()
        assert preview.ok
        assert preview.ops["there"] == ["read"]
        up = stack.up()
        assert up.ok
        assert up.resource("there")["external"] is True
        assert up.resource("there")["id"] == "box-7"
        assert up.resource("a")["inputs"]["value"] == "theirs"
        assert stack.json("stack", "output", "--json") == {"value": "theirs"}

        stack.tamper(lambda cloud: cloud.drift("box-7", value="changed"))
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary
        assert up.resource("a")["inputs"]["value"] == "changed"

        destroyed = stack.destroy()
        assert destroyed.ok
        assert destroyed.changing == ["delete a-1"]
        assert sorted(stack.cloud.things()) == ["box-7"]

    def test_it_is_not_there(self, stack: Stack) -> None:
        stack.program(self.PROGRAM)
        up = stack.up()
        assert up.exit_code != 0
        assert "box-7" in up.text
        assert up.names == []

    def test_a_managed_resource_becomes_a_read_one(self, stack: Stack) -> None:
        stack.program('a = Thing("a", value=1)')
        assert stack.up().ok
        stack.program('a = Thing("a", ResourceOptions(id="a-1"))')
        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.resource("a")["external"] is True
        assert up.changes == preview.summary
