"""Which resource comes before which: depends_on, properties, parents, components."""

from __future__ import annotations

from tests.local_engine.conformance.observations import before
from tests.local_engine.conformance.stack import Stack


class TestDependencies:
    """Both kinds of dependency are recorded; a property's is recorded with the property too."""

    def test_recorded_in_the_checkpoint(self, stack: Stack) -> None:
        stack.program("""
            a = Thing("a")
            b = Thing("b")
            c = Thing("c", ResourceOptions(depends_on=[b]), value=a.endpoint, size=1,
                      both=Output.all(a.endpoint, b.id).apply(lambda parts: "-".join(parts)))
        """)
        assert stack.preview().ok
        up = stack.up()
        assert up.ok
        a, b, c = (up.resource(name) for name in "abc")
        assert sorted(c["dependencies"]) == [a["urn"], b["urn"]]
        assert {k: sorted(v) for k, v in c["propertyDependencies"].items()} == {
            "value": [a["urn"]],
            "size": [],
            "both": [a["urn"], b["urn"]],
        }
        assert before(up.changing, "create b-1", "create c-1")

    def test_depends_on_changes_alone(self, stack: Stack) -> None:
        stack.program('a = Thing("a")\nb = Thing("b")')
        assert stack.up().ok
        stack.program('a = Thing("a")\nb = Thing("b", ResourceOptions(depends_on=a))')
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary == {"same": 3}
        assert up.resource("b")["dependencies"] == [up.resource("a")["urn"]]


class TestComponents:
    """A component is a resource with children; to depend on it is to depend on what it holds."""

    PROGRAM = """
        class Pair(Group):
            def __init__(self, name, opts=None):
                super().__init__(name, opts)
                self.left = Thing(f"{name}-left", ResourceOptions(parent=self))
                self.right = Thing(f"{name}-right", ResourceOptions(parent=self),
                                   value=self.left.endpoint)
                self.register_outputs({"right": self.right.endpoint})
        outer = Pair("outer")
        inner = Pair("inner", ResourceOptions(parent=outer))
        after = Thing("after", ResourceOptions(depends_on=[inner]))
        nephew = Thing("nephew", ResourceOptions(parent=inner.left))
        pulumi.export("right", inner.right.endpoint)
    """

    def test_parents_children_and_their_urns(self, stack: Stack) -> None:
        stack.program(self.PROGRAM)
        preview = stack.preview()
        assert preview.ok
        assert preview.summary == {"create": 9}
        up = stack.up()
        assert up.ok
        inner = up.resource("inner")
        assert inner["custom"] is False
        assert inner["outputs"] == {"right": "https://inner-right-1.example"}
        assert inner["urn"].endswith("::fake:index:Group$fake:index:Group::inner")
        assert up.resource("inner-left")["parent"] == inner["urn"]
        assert up.resource("nephew")["urn"].endswith(
            "::fake:index:Group$fake:index:Group$fake:index:Thing$fake:index:Thing::nephew"
        )
        assert sorted(up.resource("after")["dependencies"]) == [
            up.resource("inner-left")["urn"],
            up.resource("inner-right")["urn"],
        ]
        assert before(up.changing, "create inner-right-1", "create after-1")
        assert stack.up().changes == {"same": 9}

    def test_a_component_goes_with_its_children(self, stack: Stack) -> None:
        stack.program(self.PROGRAM)
        assert stack.up().ok
        stack.program('a = Thing("a")')
        preview = stack.preview()
        assert preview.summary == {"create": 1, "delete": 8, "same": 1}
        up = stack.up()
        assert up.ok
        assert before(up.changing, "delete after-1", "delete inner-right-1", "delete inner-left-1")
        assert before(up.changing, "delete nephew-1", "delete inner-left-1")
        assert up.names == ["a"]


class TestInheritance:
    """Children inherit protection, retention and the explicit provider of their parent."""

    def test_protect_and_provider(self, stack: Stack) -> None:
        stack.program("""
            mine = pulumi.ProviderResource("fake", "mine", {"account": "one"})
            group = Group("group", ResourceOptions(protect=True, provider=mine))
            child = Thing("child", ResourceOptions(parent=group))
            free = Thing("free", ResourceOptions(parent=group, protect=False))
        """)
        up = stack.up()
        assert up.ok
        assert up.resource("child")["protect"] is True
        assert "protect" not in up.resource("free")
        assert up.resource("child")["provider"] == up.resource("mine")["urn"]
