"""Replacement: what cannot change in place is made anew, and who depends on it follows."""

from __future__ import annotations

from tests.local_engine.conformance.observations import before
from tests.local_engine.conformance.stack import Stack

CHAIN = """
a = Thing("a", ResourceOptions({options}), shape="{shape}")
b = Thing("b", value=a.endpoint)
c = Thing("c", ResourceOptions(depends_on=[b]))
pulumi.export("a", a.endpoint)
"""


class TestCreateFirst:
    """By default the new one is made, dependents move over, and then the old one goes."""

    def test_dependents_are_updated_in_between(self, stack: Stack) -> None:
        stack.program(CHAIN.format(shape="round", options=""))
        assert stack.up().ok
        stack.program(CHAIN.format(shape="square", options=""))

        preview = stack.preview()
        assert preview.ok
        assert preview.ops == {
            "conformance-dev": ["same"],
            "a": ["replace"],
            "b": ["update"],
        }
        assert preview.summary == {"replace": 1, "same": 2, "update": 1}
        (replace,) = [step for step in preview.steps or [] if step["op"] == "replace"]
        assert replace["replaceReasons"] == ["shape"]
        assert replace["detailedDiff"] == {"shape": {"kind": "update-replace", "inputDiff": True}}

        up = stack.up()
        assert up.ok
        assert up.changing == ["create a-2", "update b-1", "delete a-1"]
        assert up.changes == {"replace": 1, "same": 2, "update": 1}
        assert up.resource("a")["id"] == "a-2"
        assert up.resource("b")["inputs"]["value"] == "https://a-2.example"
        assert stack.json("stack", "output", "--json") == {"a": "https://a-2.example"}
        assert stack.preview("--expect-no-changes").ok


class TestDeleteFirst:
    """Delete-before-replace deletes first; a dependent goes too if it would have to be replaced."""

    def test_asked_for_by_the_program(self, stack: Stack) -> None:
        options = "delete_before_replace=True"
        stack.program(CHAIN.format(shape="round", options=options))
        assert stack.up().ok
        stack.program(CHAIN.format(shape="square", options=options))
        preview = stack.preview()
        assert preview.ok
        assert preview.ops["a"] == ["replace"]
        up = stack.up()
        assert up.ok
        assert up.changing == ["delete a-1", "create a-2", "update b-1"]
        assert up.changes == preview.summary
        assert up.resource("a")["id"] == "a-2"

    def test_asked_for_by_the_provider(self, stack: Stack) -> None:
        stack.program('a = Thing("a", slot=1)\nb = Thing("b", value=a.endpoint)')
        assert stack.up().ok
        stack.program('a = Thing("a", slot=2)\nb = Thing("b", value=a.endpoint)')
        up = stack.up()
        assert up.ok
        assert up.changing == ["delete a-1", "create a-2", "update b-1"]

    def test_dependents_that_would_be_replaced_go_first(self, stack: Stack) -> None:
        program = """
            a = Thing("a", slot={slot})
            b = Thing("b", shape=a.endpoint)
            c = Thing("c", shape=b.endpoint)
            d = Thing("d", value=b.endpoint)
            e = Thing("e", ResourceOptions(depends_on=[c]))
        """
        stack.program(program.format(slot=1))
        assert stack.up().ok
        stack.program(program.format(slot=2))
        preview = stack.preview()
        assert preview.ok
        assert preview.summary == {"replace": 3, "same": 2, "update": 1}
        up = stack.up()
        assert up.ok
        assert before(
            up.changing,
            "delete c-1",
            "delete b-1",
            "delete a-1",
            "create a-2",
            "create b-2",
            "create c-2",
        )
        assert before(up.changing, "create b-2", "update d-1")
        assert up.changes == preview.summary
        assert stack.up().changes == {"same": 6}


class TestCrossDependence:
    """Two replaced resources that depend on each other's neighbours are deleted in reverse."""

    def test_replaced_together(self, stack: Stack) -> None:
        program = """
            a = Thing("a", shape="{shape}")
            b = Thing("b", shape=a.endpoint)
            c = Thing("c", value=a.endpoint, shape=b.endpoint)
            d = Thing("d", value=[a.endpoint, b.endpoint, c.endpoint])
        """
        stack.program(program.format(shape="round"))
        assert stack.up().ok
        stack.program(program.format(shape="square"))
        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.changing == [
            "create a-2",
            "create b-2",
            "create c-2",
            "update d-1",
            "delete c-1",
            "delete b-1",
            "delete a-1",
        ]
        assert up.changes == preview.summary == {"replace": 3, "same": 1, "update": 1}

    def test_the_removed_goes_before_the_replaced(self, stack: Stack) -> None:
        stack.program("""
            a = Thing("a", shape="round")
            old = Thing("old", value=a.endpoint)
        """)
        assert stack.up().ok
        stack.program("""
            a = Thing("a", shape="square")
            new = Thing("new", value=a.endpoint)
        """)
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changing == ["create a-2", "create new-1", "delete old-1", "delete a-1"]
        assert up.changes == preview.summary


class TestReplaceOnChanges:
    """`replace_on_changes` turns an update of these properties into a replacement."""

    def test_named_wildcard_and_other(self, stack: Stack) -> None:
        program = """
            inputs = {{"value": {value}, "size": {size}}}
            a = Thing("a", ResourceOptions(replace_on_changes=["value"]), **inputs)
            b = Thing("b", ResourceOptions(replace_on_changes=["*"]), **inputs)
            c = Thing("c", ResourceOptions(replace_on_changes=["deep.inner"]),
                      deep={{"inner": {value}, "outer": {size}}})
        """
        stack.program(program.format(value=1, size=1))
        assert stack.up().ok
        stack.program(program.format(value=1, size=2))
        preview = stack.preview()
        assert preview.summary == {"replace": 1, "same": 1, "update": 2}
        assert stack.up().changes == preview.summary
        stack.program(program.format(value=2, size=2))
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary
        assert before(up.changing, "create a-2", "delete a-1")
        assert before(up.changing, "create b-3", "delete b-2")


class TestReplacementOfParents:
    """When a parent is replaced its children are asked again, and follow only if they change."""

    def test_children_of_a_replaced_parent(self, stack: Stack) -> None:
        program = """
            a = Thing("a", shape="{shape}")
            child = Thing("child", ResourceOptions(parent=a))
            told = Thing("told", ResourceOptions(parent=a), value=a.endpoint)
        """
        stack.program(program.format(shape="round"))
        assert stack.up().ok
        stack.program(program.format(shape="square"))
        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary
        assert before(up.changing, "create a-2", "update told-1", "delete a-1")


class TestUnknownReplacement:
    """A replacing property that is unknown in the preview is shown as a replacement."""

    def test_it_may_turn_out_otherwise(self, stack: Stack) -> None:
        program = """
            a = Thing("a", value={value})
            b = Thing("b", shape=a.revision.apply(lambda r: "odd" if r % 2 else "even"))
            c = Thing("c", shape=a.revision.apply(lambda _: "always"))
        """
        stack.program(program.format(value=1))
        assert stack.up().ok
        stack.program(program.format(value=2))
        preview = stack.preview()
        assert preview.ok
        assert preview.summary == {"replace": 2, "same": 1, "update": 1}
        up = stack.up()
        assert up.ok
        assert up.changes == {"replace": 1, "same": 2, "update": 1}
        assert up.changing == ["update a-1", "create b-2", "delete b-1"]
