"""What of Pulumi's engine the embedded one does not do: it says so, and does nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_engine.conformance.engines import EmbeddedEngine
from tests.local_engine.conformance.stack import Stack, open_stack

HOOK = """
after = pulumi.ResourceHook("after", lambda args: None)
Thing("a", ResourceOptions(hooks=pulumi.ResourceHookBinding(after_create=[after])))
"""


@pytest.fixture
def stack(embedded: EmbeddedEngine, tmp_path: Path) -> Iterator[Stack]:
    with open_stack([embedded], tmp_path) as opened:
        yield opened


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
    def test_of_a_program(self, stack: Stack, program: str, named: str) -> None:
        stack.program(program)
        for outcome in (stack.preview(), stack.up()):
            assert outcome.exit_code != 0
            assert named in outcome.text
            assert "https://www.pulumi.com/docs/install/" in outcome.text
            assert "Traceback" not in outcome.text
            assert outcome.changing == []

    @pytest.mark.parametrize("package", ["aws", "gcp", "kubernetes"])
    def test_of_a_real_cloud(self, stack: Stack, package: str) -> None:
        stack.program(f'pulumi.CustomResource("{package}:index:Thing", "a", {{}})')
        outcome = stack.preview()
        assert outcome.exit_code != 0
        assert package in outcome.text
        assert "https://www.pulumi.com/docs/install/" in outcome.text

    @pytest.mark.parametrize("flags", [["--target", "x"], ["--policy-pack", "p"]])
    def test_of_a_flag(self, stack: Stack, flags: list[str]) -> None:
        stack.program('a = Thing("a")')
        up = stack.up(*flags)
        assert up.exit_code == 2
        assert flags[0] in up.text
        assert up.calls == []
