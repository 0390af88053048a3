"""Aliases: a resource that was known by another name, type or parent."""

from __future__ import annotations

from tests.local_engine.conformance.stack import Stack


class TestAliases:
    """A resource that was known by another name, type or parent is the same resource."""

    def test_renamed(self, stack: Stack) -> None:
        stack.program('a = Thing("old", value=1)\nb = Thing("b", value=a.endpoint)')
        assert stack.up().ok
        stack.program("""
            a = Thing("new", ResourceOptions(aliases=[pulumi.Alias(name="old")]), value=1)
            b = Thing("b", value=a.endpoint)
        """)
        preview = stack.preview("--expect-no-changes")
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.changing == []
        assert up.changes == {"same": 3}
        assert up.names == ["b", "new"]
        assert up.resource("new")["id"] == "old-1"
        assert up.resource("b")["dependencies"] == [up.resource("new")["urn"]]

        stack.program('a = Thing("new", value=1)\nb = Thing("b", value=a.endpoint)')
        up = stack.up()
        assert up.changing == []

    def test_moved_to_another_parent_and_type(self, stack: Stack) -> None:
        stack.program("""
            group = Group("group")
            a = Thing("a", ResourceOptions(parent=group))
            b = Thing("b", ResourceOptions(parent=group))
            c = Thing("c")
        """)
        assert stack.up().ok
        stack.program("""
            group = Group("group")
            other = Group("other")
            a = Thing("a", ResourceOptions(aliases=[pulumi.Alias(parent=group)]))
            b = Thing("b", ResourceOptions(parent=other, aliases=[pulumi.Alias(parent=group)]))
            c = Thing("c", ResourceOptions(aliases=[pulumi.Alias(type_="fake:index:Thing")]),
                      type_="fake:index:Widget")
        """)
        preview = stack.preview()
        assert preview.ok
        assert preview.summary == {"create": 1, "same": 5}
        up = stack.up()
        assert up.ok
        assert up.changing == []
        assert up.resource("c")["type"] == "fake:index:Widget"
        assert up.resource("c")["id"] == "c-1"

    def test_a_renamed_component_takes_its_children_along(self, stack: Stack) -> None:
        stack.program("""
            group = Group("old")
            a = Thing("old-a", ResourceOptions(parent=group))
        """)
        assert stack.up().ok
        stack.program("""
            group = Group("new", ResourceOptions(aliases=[pulumi.Alias(name="old")]),
                          type_="fake:index:Team")
            a = Thing("new-a", ResourceOptions(parent=group))
        """)
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary

        stack.program("""
            group = Group("newer", ResourceOptions(aliases=[
                pulumi.Alias(name="new", type_="fake:index:Team")]))
            a = Thing("newer-a", ResourceOptions(parent=group))
        """)
        preview = stack.preview("--expect-no-changes")
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.changing == []
        assert up.names == ["newer", "newer-a"]

    def test_by_urn(self, stack: Stack) -> None:
        stack.program('a = Thing("old", value=1)')
        assert stack.up().ok
        stack.program("""
            a = Thing("new", ResourceOptions(aliases=[
                "urn:pulumi:dev::conformance::fake:index:Thing::old"]), value=2)
        """)
        preview = stack.preview()
        assert preview.summary == {"same": 1, "update": 1}
        up = stack.up()
        assert up.ok
        assert up.changing == ["update old-1"]
