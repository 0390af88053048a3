"""Dynamic providers: the process that the engine starts for them, and how it is spoken to."""

from __future__ import annotations

from tests.local_engine.conformance.observations import before
from tests.local_engine.conformance.stack import Stack

PROGRAM = """
a = DynamicThing("a", shape="{shape}")
b = DynamicThing("b", value=a.endpoint, secret=Output.secret("hidden-value"))
pulumi.export("b", b.endpoint)
"""


class TestDynamicLife:
    """A dynamic provider takes no secrets, answers no previews and tells no details."""

    def test_create_replace_drift_destroy(self, stack: Stack) -> None:
        stack.program(PROGRAM.format(shape="round"))
        preview = stack.preview()
        assert preview.ok
        assert preview.summary == {"create": 3}
        up = stack.up()
        assert up.ok
        assert up.changing == ["create a-1", "create b-1"]
        # Taken in the clear, as such a provider must have it, and secret again in the state.
        assert up.called("create", "b")[0]["inputs"]["secret"] == "hidden-value"
        assert up.resource("b")["inputs"]["secret"] == "<secret>"
        assert up.resource("b")["outputs"]["secret"] == "<secret>"
        assert up.resource("b")["inputs"]["__provider"] == "<secret>"
        assert "hidden-value" not in stack.state_text()
        assert stack.up().changes == {"same": 3}

        stack.program(PROGRAM.format(shape="square"))
        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        assert up.changing == ["create a-2", "update b-1", "delete a-1"]
        assert up.changes == preview.summary

        stack.tamper(lambda cloud: cloud.drift("a-2", value="drifted"))
        refreshed = stack.refresh()
        assert refreshed.ok
        assert refreshed.changes == {"same": 2, "update": 1}
        up = stack.up()
        assert up.ok
        assert up.changing == ["update a-2"]

        destroyed = stack.destroy()
        assert destroyed.ok
        assert before(destroyed.changing, "delete b-1", "delete a-2")

    def test_failures(self, stack: Stack) -> None:
        stack.program(PROGRAM.format(shape="round"))
        stack.tamper(lambda cloud: cloud.fail("create", "b"))
        up = stack.up()
        assert up.exit_code != 0
        assert "quota exceeded" in up.text
        assert up.names == ["a"]
        stack.tamper(lambda cloud: cloud.mend())
        stack.tamper(lambda cloud: cloud.fail("check", "b", "must not be so"))
        up = stack.up()
        assert up.exit_code != 0
        assert "must not be so" in up.text
        stack.tamper(lambda cloud: cloud.mend())
        assert stack.up().ok

    def test_a_provider_from_the_program_itself(self, stack: Stack) -> None:
        stack.program("""
            from pulumi import dynamic

            class Inline(dynamic.ResourceProvider):
                def __init__(self, greeting):
                    self.greeting = greeting

                def create(self, props):
                    return dynamic.CreateResult("one", {"said": self.greeting + props["to"]})

                def diff(self, id_, olds, news):
                    return dynamic.DiffResult(changes=olds["said"] != self.greeting + news["to"])

                def update(self, id_, olds, news):
                    return dynamic.UpdateResult({"said": self.greeting + news["to"]})

            class Greeting(dynamic.Resource):
                said: Output[str]

                def __init__(self, name, to):
                    super().__init__(Inline("hello "), name, {"to": to, "said": None})

            pulumi.export("said", Greeting("greeting", "world").said)
        """)
        assert stack.preview().ok
        up = stack.up()
        assert up.ok
        assert stack.json("stack", "output", "--json") == {"said": "hello world"}
        assert stack.up().changes == {"same": 2}
