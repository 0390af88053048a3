"""A stack deployed by one engine is the other's to preview, change and destroy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_engine.conformance.conftest import NEEDS_PULUMI
from tests.local_engine.conformance.engines import ColdEmbeddedEngine, EmbeddedEngine, PulumiCli
from tests.local_engine.conformance.stack import Stack, open_stack

PROGRAM = """
config = pulumi.Config()
group = Group("group")
a = Thing("a", ResourceOptions(parent=group, protect={protect},
                               additional_secret_outputs=["token"],
                               custom_timeouts=pulumi.CustomTimeouts(create="90s")), value={value})
b = Thing("b", ResourceOptions(depends_on=[group], ignore_changes=["size"]),
          value=config.require_secret("password"), size=1, nested={{"list": [1, None, 2.5, "x"]}})
d = DynamicThing("d", ResourceOptions(retain_on_delete=False), value=a.endpoint)
mine = pulumi.ProviderResource("fake", "mine", {{"account": "one"}})
e = Thing("e", ResourceOptions(provider=mine, deleted_with=b), shape="{shape}")
there = Thing("there", ResourceOptions(id="box-7"))
pulumi.export("password", b.value)
pulumi.export("all", {{"a": a.endpoint, "there": there.value, "none": None}})
"""


@pytest.fixture
def started(
    request: pytest.FixtureRequest, embedded: EmbeddedEngine, tmp_path: Path
) -> Iterator[Stack]:
    """A stack on the engine that the test's parameter names first."""
    engine = embedded if request.param == "embedded" else PulumiCli()
    with open_stack([engine], tmp_path) as stack:
        stack.tamper(lambda cloud: cloud.make("box", "box-7", value="theirs"))
        assert stack.command("config", "set", "--secret", "password", "hunter2-hunter2").ok
        stack.program(PROGRAM.format(value=1, protect=True, shape="round"))
        yield stack


@NEEDS_PULUMI
@pytest.mark.pulumi
@pytest.mark.parametrize(
    ("started", "other"),
    [("embedded", "pulumi"), ("pulumi", "embedded")],
    indirect=["started"],
    ids=["from embedded to pulumi", "from pulumi to embedded"],
)
class TestInterchange:
    """Whichever engine deployed, the other finds nothing to do, and then does what is asked."""

    def test_preview_change_destroy(
        self, started: Stack, other: str, embedded: EmbeddedEngine
    ) -> None:
        assert started.up().ok
        started.use(embedded if other == "embedded" else PulumiCli())

        preview = started.preview("--expect-no-changes")
        assert preview.ok
        assert set(preview.summary or {}) == {"same"}
        unchanged = started.up("--expect-no-changes")
        assert unchanged.ok
        assert unchanged.changing == []
        assert started.refresh("--expect-no-changes").ok
        assert started.json("stack", "output", "--json", "--show-secrets") == {
            "password": "hunter2-hunter2",
            "all": {"a": "https://a-1.example", "there": "theirs", "none": None},
        }

        started.program(PROGRAM.format(value=2, protect=False, shape="square"))
        up = started.up()
        assert up.ok
        assert "update a-1" in up.changing
        assert up.changing.index("create e-2") < up.changing.index("delete e-1")
        destroyed = started.destroy()
        assert destroyed.ok
        assert destroyed.names == []
        # What was read is not ours to delete, and `e` goes with `b`.
        assert sorted(started.cloud.things()) == ["box-7", "e-2"]

    def test_finish_what_the_other_left_half_done(
        self, started: Stack, other: str, embedded: EmbeddedEngine
    ) -> None:
        assert started.up().ok
        started.program(PROGRAM.format(value=2, protect=False, shape="square"))
        started.tamper(lambda cloud: cloud.fail("delete", "e"))
        assert started.up().exit_code != 0

        started.use(embedded if other == "embedded" else PulumiCli())
        started.tamper(lambda cloud: cloud.mend())
        up = started.up()
        assert up.ok
        assert up.changing == ["delete e-1"]
        assert started.preview("--expect-no-changes").ok


class TestColdStart:
    """The command a person types does what the suite's warm forks of it do."""

    def test_fresh_processes(self, tmp_path: Path) -> None:
        with open_stack([ColdEmbeddedEngine()], tmp_path) as stack:
            stack.program('d = DynamicThing("d", value=1)\npulumi.export("d", d.endpoint)')
            up = stack.up()
            assert up.ok
            assert up.changing == ["create d-1"]
            assert stack.json("stack", "output", "--json") == {"d": "https://d-1.example"}
