"""A stack's ordinary life: create, nothing to do, update, remove a resource, destroy."""

from __future__ import annotations

from tests.local_engine.conformance.observations import before
from tests.local_engine.conformance.stack import Stack

TWO = """
a = Thing("a", value={value})
b = Thing("b", value=a.endpoint)
pulumi.export("endpoint", b.endpoint)
"""


class TestLife:
    """A stack is made in the order of its dependencies, left alone, changed, and taken down."""

    def test_from_nothing_to_nothing(self, stack: Stack) -> None:
        stack.program(TWO.format(value=1))

        preview = stack.preview()
        assert preview.ok
        assert preview.ops == {"conformance-dev": ["create"], "a": ["create"], "b": ["create"]}
        assert preview.summary == {"create": 3}
        assert preview.changing == []
        assert preview.names == []

        up = stack.up()
        assert up.ok
        assert up.changing == ["create a-1", "create b-1"]
        assert up.changes == {"create": 3}
        assert up.names == ["a", "b"]
        assert up.resource("b")["inputs"]["value"] == "https://a-1.example"
        assert up.resource("b")["dependencies"] == [up.resource("a")["urn"]]

        again = stack.up()
        assert again.ok
        assert again.changing == []
        assert again.changes == {"same": 3}

        stack.program(TWO.format(value=2))
        preview = stack.preview()
        assert preview.ops == {"conformance-dev": ["same"], "a": ["update"]}
        assert preview.summary == {"same": 2, "update": 1}
        changed = stack.up()
        assert changed.ok
        assert changed.changing == ["update a-1"]
        assert changed.changes == {"same": 2, "update": 1}

        destroyed = stack.destroy()
        assert destroyed.ok
        assert destroyed.changing == ["delete b-1", "delete a-1"]
        assert destroyed.changes == {"delete": 3}
        assert destroyed.names == []
        assert stack.cloud.things() == {}

    def test_an_empty_program_and_an_empty_stack(self, stack: Stack) -> None:
        stack.program("")
        assert stack.destroy().ok
        up = stack.up()
        assert up.ok
        assert up.changes == {"create": 1}
        assert up.names == []
        assert up.calls == []


class TestRemoval:
    """What the program no longer declares is deleted, dependents first, after everything else."""

    def test_removed_and_added(self, stack: Stack) -> None:
        stack.program("""
            a = Thing("a")
            b = Thing("b", value=a.endpoint)
            keep = Thing("keep")
        """)
        assert stack.up().ok

        stack.program("""
            keep = Thing("keep")
            c = Thing("c", value=keep.endpoint)
        """)
        preview = stack.preview()
        assert preview.ops == {
            "conformance-dev": ["same"],
            "c": ["create"],
            "b": ["delete"],
            "a": ["delete"],
        }
        up = stack.up()
        assert up.ok
        assert up.changing == ["create c-1", "delete b-1", "delete a-1"]
        assert up.changes == {"create": 1, "delete": 2, "same": 2}
        assert up.names == ["c", "keep"]


class TestExpectation:
    """`--expect-no-changes` succeeds when there is nothing to do and fails when there is."""

    def test_nothing_and_something(self, stack: Stack) -> None:
        stack.program(TWO.format(value=1))
        assert stack.up().ok
        assert stack.preview("--expect-no-changes").ok

        stack.program(TWO.format(value=2))
        assert stack.preview("--expect-no-changes").exit_code != 0


class TestDestroyOrder:
    """Destroy goes against every kind of tie: property, depends_on and parent."""

    def test_diamond(self, stack: Stack) -> None:
        stack.program("""
            group = Group("group")
            root = Thing("root", ResourceOptions(parent=group))
            left = Thing("left", value=root.endpoint)
            right = Thing("right", ResourceOptions(depends_on=[root]))
            tip = Thing("tip", ResourceOptions(depends_on=[left]), value=right.endpoint)
            child = Thing("child", ResourceOptions(parent=tip))
        """)
        up = stack.up()
        assert up.ok
        assert before(up.changing, "create root-1", "create left-1", "create tip-1")
        assert before(up.changing, "create root-1", "create right-1", "create tip-1")
        assert up.changing[-1] == "create child-1"

        destroyed = stack.destroy()
        assert destroyed.ok
        assert destroyed.changing[:2] == ["delete child-1", "delete tip-1"]
        assert sorted(destroyed.changing[2:4]) == ["delete left-1", "delete right-1"]
        assert destroyed.changing[4:] == ["delete root-1"]
        assert destroyed.changes == {"delete": 7}
