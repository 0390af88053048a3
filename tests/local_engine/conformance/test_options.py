"""Resource options that change what the engine does with a difference or a removal."""

from __future__ import annotations

from tests.local_engine.conformance.stack import Stack


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

    def test_unprotected_in_the_state(self, stack: Stack) -> None:
        stack.program('a = Thing("a", ResourceOptions(protect=True))')
        up = stack.up()
        assert up.ok
        stack.program("")
        assert stack.command("state", "unprotect", up.resource("a")["urn"], "--yes").ok
        destroyed = stack.destroy()
        assert destroyed.ok
        assert destroyed.changing == ["delete a-1"]


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
