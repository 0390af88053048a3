"""What fails halfway: what was done is recorded, and the next run completes it."""

from __future__ import annotations

from typing import Any

from tests.local_engine.conformance.stack import Stack

CHAIN = """
a = Thing("a", value={value})
b = Thing("b", value=a.revision)
c = Thing("c", value=b.revision)
lone = Thing("lone", value={value})
"""


class TestCreateFails:
    """A resource that cannot be made is not in the state; its dependents are not attempted."""

    def test_the_next_run_completes(self, stack: Stack) -> None:
        stack.program(CHAIN.format(value=1))
        stack.tamper(lambda cloud: cloud.fail("create", "b"))
        up = stack.up("--parallel", "1")
        assert up.exit_code != 0
        assert "quota exceeded" in up.text
        assert up.pending_operations == []
        assert "a" in up.names
        assert not {"b", "c"} & set(up.names)
        assert not stack.called_at_all("create", "c")

        stack.tamper(lambda cloud: cloud.mend())
        up = stack.up()
        assert up.ok
        assert up.names == ["a", "b", "c", "lone"]
        assert up.resource("b")["id"] == "b-1"
        assert stack.up().changes == {"same": 5}


class TestUpdateFails:
    """A resource that cannot be changed keeps its old state."""

    def test_the_next_run_completes(self, stack: Stack) -> None:
        stack.program(CHAIN.format(value=1))
        assert stack.up().ok
        stack.program(CHAIN.format(value=2))
        stack.tamper(lambda cloud: cloud.fail("update", "b"))
        up = stack.up("--parallel", "1")
        assert up.exit_code != 0
        assert up.resource("a")["inputs"]["value"] == 2
        assert up.resource("b")["inputs"]["value"] == 1
        assert up.resource("b")["outputs"]["revision"] == 1
        assert up.resource("c")["inputs"]["value"] == 1

        stack.tamper(lambda cloud: cloud.mend())
        up = stack.up()
        assert up.ok
        assert {"update b-1", "update c-1"} <= set(up.changing)
        assert "update a-1" not in up.changing
        assert stack.up().changes == {"same": 5}


class TestDeleteFails:
    """A resource that cannot be deleted stays in the state, and so does what it stands on."""

    def test_in_an_update(self, stack: Stack) -> None:
        stack.program('a = Thing("a")\nb = Thing("b", value=a.endpoint)\nk = Thing("k")')
        assert stack.up().ok
        stack.program('k = Thing("k")')
        stack.tamper(lambda cloud: cloud.fail("delete", "b"))
        up = stack.up()
        assert up.exit_code != 0
        assert up.names == ["a", "b", "k"]
        assert up.changing == ["delete b-1"]
        stack.tamper(lambda cloud: cloud.mend())
        up = stack.up()
        assert up.ok
        assert up.changing == ["delete b-1", "delete a-1"]

    def test_in_a_destroy(self, stack: Stack) -> None:
        stack.program('a = Thing("a")\nb = Thing("b", value=a.endpoint)')
        assert stack.up().ok
        stack.tamper(lambda cloud: cloud.fail("delete", "a"))
        destroyed = stack.destroy()
        assert destroyed.exit_code != 0
        assert destroyed.names == ["a"]
        stack.tamper(lambda cloud: cloud.mend())
        destroyed = stack.destroy()
        assert destroyed.ok
        assert destroyed.changing == ["delete a-1"]
        assert destroyed.names == []


class TestReplacementFails:
    """A replacement that stops halfway is finished by the next run, with nothing left behind."""

    def test_the_old_one_cannot_be_deleted(self, stack: Stack) -> None:
        stack.program('a = Thing("a", shape="round")\nb = Thing("b", value=a.endpoint)')
        assert stack.up().ok
        stack.program('a = Thing("a", shape="square")\nb = Thing("b", value=a.endpoint)')
        stack.tamper(lambda cloud: cloud.fail("delete", "a"))
        up = stack.up()
        assert up.exit_code != 0
        assert up.resource("a")["id"] == "a-2"
        assert up.resource("a", deleted=True)["id"] == "a-1"
        assert up.resource("b")["inputs"]["value"] == "https://a-2.example"

        stack.tamper(lambda cloud: cloud.mend())
        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.changing == ["delete a-1"]
        assert sorted(stack.cloud.things()) == ["a-2", "b-1"]
        assert up.names == ["a", "b"]

    def test_the_new_one_cannot_be_made_after_the_old_one_went(self, stack: Stack) -> None:
        stack.program('a = Thing("a", slot=1)\nb = Thing("b", shape=a.endpoint)')
        assert stack.up().ok
        stack.program('a = Thing("a", slot=2)\nb = Thing("b", shape=a.endpoint)')
        stack.tamper(lambda cloud: cloud.fail("create", "a"))
        up = stack.up()
        assert up.exit_code != 0
        assert up.resource("a")["pendingReplacement"] is True
        assert stack.cloud.things() == {}

        stack.tamper(lambda cloud: cloud.mend())
        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary
        # Pulumi deletes the dependent a second time; a provider must bear that.
        assert up.changing == ["delete b-1", "create a-2", "create b-2"]
        assert "pendingReplacement" not in up.resource("a")
        assert stack.up().changes == {"same": 3}


class TestInitFails:
    """A resource that was made and is not ready is recorded with its error and tried again."""

    def test_recorded_and_updated(self, stack: Stack) -> None:
        stack.program('a = Thing("a", value=1)\nb = Thing("b", value=a.endpoint)')
        stack.tamper(lambda cloud: cloud.fail("become ready", "a", "pod never started"))
        up = stack.up()
        assert up.exit_code != 0
        assert "pod never started" in up.text
        assert up.resource("a")["id"] == "a-1"
        assert up.resource("a")["initErrors"] == ["pod never started"]

        preview = stack.preview()
        assert preview.ops["a"] == ["update"]
        stack.tamper(lambda cloud: cloud.mend())
        up = stack.up()
        assert up.ok
        assert up.changing == ["update a-1", "create b-1"]
        assert "initErrors" not in up.resource("a")


class TestCheckFails:
    """Inputs the provider does not accept stop the resource before anything is done."""

    def test_in_preview_and_up(self, stack: Stack) -> None:
        stack.program('a = Thing("a", value=-1)')
        stack.tamper(lambda cloud: cloud.fail("check", "a", "must not be negative"))
        preview = stack.preview()
        assert preview.exit_code != 0
        up = stack.up()
        assert up.exit_code != 0
        assert "must not be negative" in up.text
        assert up.changing == []
        assert up.names == []


class TestProgramFails:
    """A program that raises deletes nothing; what it declared before is kept."""

    def test_before_and_after_a_resource(self, stack: Stack) -> None:
        stack.program('a = Thing("a")\nb = Thing("b")')
        assert stack.up().ok
        stack.program('raise RuntimeError("the program broke")')
        preview = stack.preview()
        assert preview.exit_code != 0
        up = stack.up()
        assert up.exit_code != 0
        assert "RuntimeError: the program broke" in up.text
        assert up.changing == []
        assert up.names == ["a", "b"]

    def test_inside_apply(self, stack: Stack) -> None:
        stack.program("""
            a = Thing("a")
            def broken(value):
                raise ValueError("apply broke")
            pulumi.export("x", a.endpoint.apply(broken))
        """)
        up = stack.up()
        assert up.exit_code != 0
        assert "ValueError: apply broke" in up.text
        assert up.names == ["a"]

    def test_syntax_error(self, stack: Stack) -> None:
        stack.program("a = = 1")
        up = stack.up()
        assert up.exit_code != 0
        assert "SyntaxError" in up.text
        assert up.names == []

    def test_run_error_is_a_sentence(self, stack: Stack) -> None:
        stack.program('raise pulumi.RunError("the settings do not fit")')
        up = stack.up()
        assert up.exit_code != 0
        assert "the settings do not fit" in up.text
        assert "Traceback" not in up.text

    def test_a_logged_error_is_shown_and_stops_nothing(self, stack: Stack) -> None:
        stack.program('pulumi.log.error("this will not do")\na = Thing("a")')
        up = stack.up()
        assert up.ok
        assert "this will not do" in up.text
        assert up.names == ["a"]

    def test_duplicate_urn(self, stack: Stack) -> None:
        stack.program('a = Thing("a", value=1)\nb = Thing("a", value=a.endpoint)')
        preview = stack.preview()
        assert preview.exit_code != 0
        up = stack.up("--parallel", "1")
        assert up.exit_code != 0
        assert "Duplicate resource URN" in up.text


class TestInterruptedRun:
    """An operation that was begun and not seen to end is told of, and does not stop the next."""

    def leave_a_creation_pending(self, stack: Stack) -> None:
        def interrupt(deployment: dict[str, Any]) -> None:
            state = dict(deployment["resources"][-1])
            state["urn"] = state["urn"].replace("::a", "::b")
            del state["id"], state["outputs"]
            deployment["pending_operations"] = [{"type": "creating", "resource": state}]

        stack.program('a = Thing("a")')
        assert stack.up().ok
        stack.edit_state(interrupt)

    def test_taken_up_again(self, stack: Stack) -> None:
        self.leave_a_creation_pending(stack)
        stack.program('a = Thing("a")\nb = Thing("b")')
        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert "interrupted" in up.text
        assert "::b" in up.text
        assert up.changing == ["create b-1"]
        assert up.changes == preview.summary
        # Pulumi keeps the operation on record until somebody clears it away.
        assert up.engine == "pulumi" or up.pending_operations == []

    def test_forgotten_with_an_import(self, stack: Stack) -> None:
        self.leave_a_creation_pending(stack)
        stack.keep("state.json", "stack", "export")
        imported = stack.command("stack", "import", "--file", "state.json")
        assert imported.ok
        assert imported.pending_operations == []
        assert "removing pending operation 'creating'" in imported.text
        up = stack.up()
        assert up.ok
        assert "interrupted" not in up.text
