"""What of Pulumi's engine the embedded one does not do: it says so, and does nothing."""

from __future__ import annotations

import pytest

from tests.local_engine.conformance.stack import Stack

HOOK = """
after = pulumi.ResourceHook("after", lambda args: None)
Thing("a", ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[after])))
"""


class TestRefusals:
    """A refusal names what is asked for and how to get an engine that does it."""

    @pytest.mark.parametrize(
        ("program", "named"),
        [
            ('Thing("a", ResourceOptions(import_="x"))', "import_='x'"),
            ('Thing("a", value=pulumi.StringAsset("text"))', "asset"),
            ("pulumi.runtime.register_resource_transform(lambda args: None)", "transform"),
            (HOOK, "hook"),
        ],
    )
    def test_of_a_program(self, embedded_stack: Stack, program: str, named: str) -> None:
        embedded_stack.program(program)
        for outcome in (embedded_stack.preview(), embedded_stack.up()):
            assert outcome.exit_code != 0
            assert named in outcome.text
            assert "https://www.pulumi.com/docs/install/" in outcome.text
            assert "Traceback" not in outcome.text
            assert outcome.changing == []

    @pytest.mark.parametrize("package", ["aws", "gcp", "kubernetes"])
    def test_of_a_real_cloud(self, embedded_stack: Stack, package: str) -> None:
        embedded_stack.program(f'pulumi.CustomResource("{package}:index:Thing", "a", {{}})')
        outcome = embedded_stack.preview()
        assert outcome.exit_code != 0
        assert package in outcome.text
        assert "https://www.pulumi.com/docs/install/" in outcome.text

    @pytest.mark.parametrize("flags", [["--target", "x"], ["--policy-pack", "p"]])
    def test_of_a_flag(self, embedded_stack: Stack, flags: list[str]) -> None:
        embedded_stack.program('a = Thing("a")')
        up = embedded_stack.up(*flags)
        assert up.exit_code == 2
        assert flags[0] in up.text
        assert up.calls == []
