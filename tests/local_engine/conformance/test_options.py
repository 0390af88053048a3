"""Resource options that change what the engine does with a difference or a removal."""

from __future__ import annotations

from tests.local_engine.conformance.observations import before
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


class TestIgnoreChanges:
    """`ignore_changes` keeps the old input of these paths, whatever the program says."""

    def test_top_level_nested_and_added(self, stack: Stack) -> None:
        program = """
            a = Thing("a", ResourceOptions(ignore_changes={ignored}),
                      value={value}, size={value},
                      deep={{"in": {value}, "list": [{value}, 0]}})
        """
        ignored = '["value", "deep.in", "deep.list[0]"]'
        stack.program(program.format(ignored=ignored, value=1))
        assert stack.up().ok
        stack.program(program.format(ignored=ignored, value=2))
        preview = stack.preview()
        assert preview.ok
        (step,) = [step for step in preview.steps or [] if step["op"] == "update"]
        assert step["diffReasons"] == ["size"]
        up = stack.up()
        assert up.ok
        assert up.resource("a")["inputs"] == {
            "value": 1,
            "size": 2,
            "deep": {"in": 1, "list": [1, 0]},
            "region": "here",
        }

    def test_everything(self, stack: Stack) -> None:
        stack.program('a = Thing("a", value=1)')
        assert stack.up().ok
        stack.program('a = Thing("a", ResourceOptions(ignore_changes=["*"]), value=2, shape="x")')
        assert stack.preview("--expect-no-changes").ok
        up = stack.up()
        assert up.ok
        assert up.resource("a")["inputs"] == {"value": 1, "region": "here"}


class TestProtect:
    """A protected resource is not deleted or replaced; the rest of the program may go on."""

    def test_a_removal_is_refused_until_unprotected(self, stack: Stack) -> None:
        stack.program('a = Thing("a", ResourceOptions(protect=True))')
        up = stack.up()
        assert up.ok
        assert up.resource("a")["protect"] is True

        stack.program("")
        preview = stack.preview()
        assert preview.exit_code != 0
        up = stack.up()
        assert up.exit_code != 0
        assert up.changing == []
        assert up.names == ["a"]
        assert "protect" in up.text

        destroyed = stack.destroy()
        assert destroyed.exit_code != 0
        assert destroyed.changing == []
        assert destroyed.names == ["a"]

        stack.program('a = Thing("a", ResourceOptions(protect=False))')
        up = stack.up()
        assert up.ok
        assert "protect" not in up.resource("a")
        stack.program("")
        up = stack.up()
        assert up.ok
        assert up.changing == ["delete a-1"]

    def test_a_replacement_is_refused(self, stack: Stack) -> None:
        stack.program('a = Thing("a", ResourceOptions(protect=True), shape="round")')
        assert stack.up().ok
        stack.program('a = Thing("a", ResourceOptions(protect=True), shape="square")')
        assert stack.preview().exit_code != 0
        up = stack.up()
        assert up.exit_code != 0
        assert up.changing == []
        assert up.resource("a")["inputs"]["shape"] == "round"


class TestRetention:
    """`retain_on_delete` forgets a resource and leaves it standing."""

    def test_removed_replaced_and_destroyed(self, stack: Stack) -> None:
        stack.program("""
            a = Thing("a", ResourceOptions(retain_on_delete=True), shape="round")
            b = Thing("b", ResourceOptions(retain_on_delete=True))
        """)
        up = stack.up()
        assert up.ok
        assert up.resource("a")["retainOnDelete"] is True
        stack.program('a = Thing("a", ResourceOptions(retain_on_delete=True), shape="square")')
        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.changing == ["create a-2"]
        assert up.changes == preview.summary
        assert up.names == ["a"]
        assert stack.destroy().ok
        assert sorted(stack.cloud.things()) == ["a-1", "a-2", "b-1"]


class TestDeletedWith:
    """`deleted_with` spares the call where the container takes its content along."""

    def test_with_and_without_the_container(self, stack: Stack) -> None:
        stack.program("""
            box = Thing("box")
            inside = Thing("inside", ResourceOptions(deleted_with=box))
            also = Thing("also", ResourceOptions(deleted_with=box))
        """)
        up = stack.up()
        assert up.ok
        assert up.resource("inside")["deletedWith"] == up.resource("box")["urn"]
        stack.program("""
            box = Thing("box")
            inside = Thing("inside", ResourceOptions(deleted_with=box))
        """)
        up = stack.up()
        assert up.changing == ["delete also-1"]
        destroyed = stack.destroy()
        assert destroyed.ok
        assert destroyed.changing == ["delete box-1"]
        assert destroyed.names == []


class TestTimeouts:
    """Custom timeouts are told to the provider and recorded."""

    def test_create_update_delete(self, stack: Stack) -> None:
        program = """
            a = Thing("a", ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(
                create="90s", update="2m", delete="1h")), value={value})
        """
        stack.program(program.format(value=1))
        up = stack.up()
        assert up.ok
        assert up.called("create", "a")[0]["timeout"] == 90
        assert up.resource("a")["customTimeouts"] == {"create": 90, "update": 120, "delete": 3600}
        stack.program(program.format(value=2))
        up = stack.up()
        assert up.called("update", "a")[0]["timeout"] == 120
        destroyed = stack.destroy()
        assert destroyed.called("delete", "a")[0]["timeout"] == 3600


class TestAdditionalSecrets:
    """`additional_secret_outputs` hides outputs the provider does not know to be secret."""

    def test_added_and_used(self, stack: Stack) -> None:
        stack.program('a = Thing("a", value=1)\nb = Thing("b", value=a.token)')
        up = stack.up()
        assert up.resource("b")["inputs"]["value"] == "token of a"
        stack.program("""
            a = Thing("a", ResourceOptions(additional_secret_outputs=["token"]), value=1)
            b = Thing("b", value=a.token)
        """)
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary
        assert up.resource("a")["additionalSecretOutputs"] == ["token"]
        assert up.resource("a")["outputs"]["token"] == "<secret>"
        assert up.resource("b")["inputs"]["value"] == "<secret>"


class TestExplicitProviders:
    """A provider may be a resource of the program, with its own configuration."""

    def test_changed_configuration_and_changed_account(self, stack: Stack) -> None:
        program = """
            mine = pulumi.ProviderResource("fake", "mine",
                                           {{"account": "{account}", "level": "{level}"}})
            a = Thing("a", ResourceOptions(provider=mine))
            b = Thing("b")
        """
        stack.program(program.format(account="one", level="info"))
        up = stack.up()
        assert up.ok
        assert up.resource("a")["provider"] == up.resource("mine")["urn"]
        assert up.resource("b")["provider"] != up.resource("mine")["urn"]

        stack.program(program.format(account="one", level="debug"))
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary
        assert up.changing == []

        stack.program(program.format(account="two", level="debug"))
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary
        assert before(up.changing, "create a-2", "delete a-1")
        assert "delete b-1" not in up.changing
        assert stack.destroy().ok


class TestInvokes:
    """A program may ask a provider something; the answer is an output."""

    def test_plain_and_output(self, stack: Stack) -> None:
        stack.program("""
            answer = pulumi.runtime.invoke("fake:index:ask", {"question": 6}).value
            a = Thing("a", value=answer["answer"]["question"])
            later = pulumi.runtime.invoke_output("fake:index:ask", {"question": a.revision})
            b = Thing("b", value=later.apply(lambda l: l["answer"]["question"]))
        """)
        preview = stack.preview()
        assert preview.ok
        assert [c["arguments"] for c in preview.calls if c["call"] == "invoke"] == [{"question": 6}]
        up = stack.up()
        assert up.ok
        assert up.resource("a")["inputs"]["value"] == 6
        assert up.resource("b")["inputs"]["value"] == 1


class TestOpaqueDifferences:
    """A provider that cannot tell what changed leaves the comparison to the engine."""

    def test_the_engine_compares_inputs(self, stack: Stack) -> None:
        program = """
            a = Thing("a", type_="fake:index:Opaque", value={{"x": {value}, "y": [1, {value}]}})
        """
        stack.program(program.format(value=1))
        assert stack.up().ok
        assert stack.preview("--expect-no-changes").ok
        stack.program(program.format(value=2))
        preview = stack.preview()
        assert preview.ok
        assert preview.ops["a"] == ["update"]
        up = stack.up()
        assert up.ok
        assert up.changing == ["update a-1"]
