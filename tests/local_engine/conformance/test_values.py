"""What values may be: unknown before they exist, secret wherever they flow, nested, configured."""

from __future__ import annotations

import pytest

from tests.local_engine.conformance.stack import Stack

SECRETS = """
config = pulumi.Config()
password = config.require_secret("password")
db = Thing("db", ResourceOptions(additional_secret_outputs=["token"]), value=password)
url = Thing("url", value=Output.concat("postgresql://", password, "@", db.endpoint),
            nested={"list": [password, "open"]})
plain = Thing("plain", value=pulumi.Output.unsecret(password).apply(len))
pulumi.export("password", password)
pulumi.export("length", password.apply(len))
pulumi.export("token", db.token)
pulumi.export("nested", {"open": "yes", "hidden": [password]})
pulumi.export("plain", plain.value)
"""


class TestUnknowns:
    """In a preview a value that a create or update would compute is unknown, and so is all of it
    that is applied; nothing is called with it."""

    def test_apply_does_not_run_on_unknowns(self, stack: Stack) -> None:
        stack.program("""
            from pathlib import Path
            a = Thing("a", value={"known": 1})
            def note(value):
                with Path("applied").open("a") as file:
                    file.write(f"{value}\\n")
                return value
            b = Thing("b", value=a.revision.apply(note), other=a.value["known"].apply(note))
            c = Thing("c", value=[b.endpoint, "x"], deep={"in": {"side": b.id}})
            pulumi.export("revision", b.revision)
        """)
        preview = stack.preview()
        assert preview.ok
        (created,) = preview.called("create in preview", "b")
        assert created["inputs"]["value"] == "<unknown>"
        assert created["inputs"]["other"] == 1
        assert preview.called("create in preview", "c")[0]["inputs"] == {
            "region": "here",
            "value": ["<unknown>", "x"],
            "deep": {"in": {"side": "<unknown>"}},
        }
        assert stack.files("applied") == "1.0\n"

        up = stack.up()
        assert up.ok
        assert up.resource("b")["inputs"]["value"] == 1
        assert up.resource("c")["inputs"]["deep"] == {"in": {"side": "b-1"}}
        assert stack.json("stack", "output", "--json") == {"revision": 1}

    def test_an_update_makes_outputs_unknown_again(self, stack: Stack) -> None:
        stack.program("""
            a = Thing("a", value=1)
            b = Thing("b", value=a.revision)
        """)
        assert stack.up().ok
        stack.program("""
            a = Thing("a", value=2)
            b = Thing("b", value=a.revision)
        """)
        preview = stack.preview()
        assert preview.ok
        assert preview.ops == {"conformance-dev": ["same"], "a": ["update"], "b": ["update"]}
        assert preview.called("diff", "b")[0]["news"]["value"] == "<unknown>"
        up = stack.up()
        assert up.ok
        assert up.changing == ["update a-1", "update b-1"]
        assert up.resource("b")["inputs"]["value"] == 2


class TestSecrets:
    """A secret stays one through apply, concat, nesting, outputs and state; a display hides it."""

    def test_from_configuration_to_outputs(self, stack: Stack) -> None:
        assert stack.command("config", "set", "--secret", "password", "hunter2-hunter2").ok
        stack.program(SECRETS)

        preview = stack.preview()
        assert preview.ok
        up = stack.up()
        assert up.ok
        for seen in (preview, up):
            assert "hunter2" not in seen.text

        assert up.resource("db")["inputs"]["value"] == "<secret>"
        assert up.resource("db")["outputs"]["value"] == "<secret>"
        assert up.resource("db")["outputs"]["token"] == "<secret>"
        assert up.resource("db")["additionalSecretOutputs"] == ["token"]
        assert up.resource("db")["outputs"]["endpoint"] == "https://db-1.example"
        assert up.resource("url")["inputs"]["value"] == "<secret>"
        assert up.resource("url")["inputs"]["nested"] == {"list": ["<secret>", "open"]}
        assert up.resource("plain")["inputs"]["value"] == 15
        assert up.called("create", "db")[0]["inputs"]["value"] == {"secret": "hunter2-hunter2"}
        assert "hunter2" not in stack.state_text()

        assert stack.json("stack", "output", "--json") == {
            "password": "[secret]",
            "length": "[secret]",
            "token": "[secret]",
            "nested": {"open": "yes", "hidden": ["[secret]"]},
            "plain": 15,
        }
        assert stack.json("stack", "output", "--json", "--show-secrets") == {
            "password": "hunter2-hunter2",
            "length": 15,
            "token": "token of db",
            "nested": {"open": "yes", "hidden": ["hunter2-hunter2"]},
            "plain": 15,
        }
        assert stack.command("stack", "output", "password").completed.stdout == "[secret]\n"
        shown = stack.command("stack", "output", "password", "--show-secrets")
        assert shown.completed.stdout == "hunter2-hunter2\n"

        again = stack.up()
        assert again.ok
        assert again.changes == {"same": 4}

    def test_a_value_becomes_secret(self, stack: Stack) -> None:
        stack.program('a = Thing("a", value="x")\npulumi.export("v", a.value)')
        assert stack.up().ok
        stack.program('a = Thing("a", value=Output.secret("x"))\npulumi.export("v", a.value)')
        preview = stack.preview()
        up = stack.up()
        assert up.ok
        assert up.changes == preview.summary
        assert up.resource("a")["inputs"]["value"] == "<secret>"
        assert stack.json("stack", "output", "--json") == {"v": "[secret]"}


class TestConfiguration:
    """Settings come from the stack's file and the project's defaults, with their types."""

    def test_types_defaults_and_secrets(self, stack: Stack) -> None:
        stack.project("""
            name: conformance
            runtime: python
            config:
              size:
                type: integer
                default: 3
              zone:
                type: string
              other:debug: true
        """)
        assert stack.command("config", "set", "zone", "west").ok
        assert stack.command("config", "set", "--path", "tags.team", "data").ok
        assert stack.command("config", "set", "--path", "names[0]", "first").ok
        assert stack.command("config", "set", "--secret", "token", "s3cret").ok
        stack.program("""
            config = pulumi.Config()
            pulumi.export("size", config.require_int("size"))
            pulumi.export("zone", config.require("zone"))
            pulumi.export("tags", config.require_object("tags"))
            pulumi.export("names", config.require_object("names"))
            pulumi.export("debug", pulumi.Config("other").get_bool("debug"))
            pulumi.export("token", config.require_secret("token"))
            pulumi.export("missing", config.get("missing"))
            pulumi.export("where", [pulumi.get_project(), pulumi.get_stack(),
                                    pulumi.get_organization()])
            pulumi.export("dry", pulumi.runtime.is_dry_run())
        """)
        up = stack.up()
        assert up.ok
        assert stack.json("stack", "output", "--json") == {
            "size": 3,
            "zone": "west",
            "tags": {"team": "data"},
            "names": ["first"],
            "debug": True,
            "token": "[secret]",
            "where": ["conformance", "dev", "organization"],
            "dry": False,
        }
        assert "s3cret" not in stack.files("Pulumi.dev.yaml")

    def test_a_required_setting_is_missing(self, stack: Stack) -> None:
        stack.program('pulumi.export("zone", pulumi.Config().require("zone"))\na = Thing("a")')
        up = stack.up()
        assert up.exit_code != 0
        assert "Missing required configuration variable 'conformance:zone'" in up.text
        assert up.names == []

    def test_a_declared_setting_has_the_wrong_type(self, stack: Stack) -> None:
        stack.project("""
            name: conformance
            runtime: python
            config:
              size:
                type: integer
        """)
        assert stack.command("config", "set", "size", "many").ok
        stack.program('a = Thing("a")')
        up = stack.up()
        assert up.exit_code != 0
        assert "size" in up.text
        assert up.calls == []


class TestOutputs:
    """A stack's outputs are any JSON value; one is printed plainly or as JSON."""

    def test_shapes(self, stack: Stack) -> None:
        stack.program("""
            a = Thing("a", value=7)
            pulumi.export("text", "plain text")
            pulumi.export("number", 1.5)
            pulumi.export("whole", 10)
            pulumi.export("truth", True)
            pulumi.export("list", [1, "two", {"three": a.revision}])
            pulumi.export("map", {"inner": {"value": a.value}})
            pulumi.export("nothing", None)
            pulumi.export("resource", a)
        """)
        assert stack.preview().ok
        assert stack.up().ok
        printed = stack.json("stack", "output", "--json")
        assert printed["list"] == [1, "two", {"three": 1}]
        assert printed["map"] == {"inner": {"value": 7}}
        assert printed["number"] == 1.5
        assert "nothing" not in printed
        for name, expected in [
            ("text", "plain text"),
            ("number", "1.5"),
            ("whole", "10"),
            ("truth", "true"),
            ("map", '{"inner":{"value":7}}'),
        ]:
            shown = stack.command("stack", "output", name)
            assert shown.ok
            assert shown.completed.stdout == f"{expected}\n"
        assert stack.json("stack", "output", "text", "--json") == "plain text"
        assert stack.command("stack", "output", "no-such").exit_code != 0

    def test_outputs_change_without_resources(self, stack: Stack) -> None:
        stack.program('a = Thing("a")\npulumi.export("x", 1)\npulumi.export("gone", 2)')
        assert stack.up().ok
        stack.program('a = Thing("a")\npulumi.export("x", 3)')
        up = stack.up()
        assert up.ok
        assert up.changes == {"same": 2}
        assert stack.json("stack", "output", "--json") == {"x": 3}
        assert stack.preview("--expect-no-changes").ok


class TestResourceReferences:
    """A resource may be an input of another; it arrives as a reference and is a dependency."""

    def test_as_an_input(self, stack: Stack) -> None:
        stack.program('a = Thing("a")\nb = Thing("b", value={"target": a})')
        assert stack.preview().ok
        up = stack.up()
        assert up.ok
        assert up.called("create", "b")[0]["inputs"]["value"]["target"] == {
            "resource": up.resource("a")["urn"],
            "id": "a-1",
        }
        assert up.resource("b")["dependencies"] == [up.resource("a")["urn"]]


@pytest.mark.parametrize("flag", [[], ["--show-secrets"]])
class TestExport:
    """`stack export` prints the deployment; its ciphertext opens only when asked for."""

    def test_export_and_import(self, stack: Stack, flag: list[str]) -> None:
        stack.program('a = Thing("a", value=Output.secret("hidden-value"))')
        assert stack.up().ok
        exported = stack.command("stack", "export", *flag)
        assert exported.ok
        assert ("hidden-value" in exported.text) == bool(flag)
        stack.keep("state.json", "stack", "export", *flag)
        stack.program("")
        assert stack.up().ok
        imported = stack.command("stack", "import", "--file", "state.json")
        assert imported.ok
        assert imported.names == ["a"]
        assert "hidden-value" not in stack.state_text()
