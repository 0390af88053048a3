"""Providers as the program meets them: of its own, asked for data, at a loss for differences."""

from __future__ import annotations

from tests.local_engine.conformance.observations import before
from tests.local_engine.conformance.stack import Stack


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
