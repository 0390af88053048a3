"""The same rules inside Pulumi: the pack, and the file that Pulumi runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from policies.pack import graph_of_stack, make_pack, plain
from policies.resource_graph import UNKNOWN, Resource
from policies.rules import RULES
from tests.policies.healthy_graph import changed, healthy

ROOT = Path(__file__).resolve().parents[2]


class UnknownValueError(Exception):
    """What `pulumi_policy` raises when somebody looks at a value that is not known yet."""


class Looked(Mapping[str, Any]):
    """`pulumi_policy`'s dictionary: looking at an unknown member raises."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def __getitem__(self, key: str) -> Any:
        """Look at one."""
        if self._members[key] is UNKNOWN:
            raise UnknownValueError(key)
        value = self._members[key]
        return Looked(value) if isinstance(value, dict) else value

    def __iter__(self) -> Iterator[str]:
        """The names alone are known."""
        return iter(self._members)

    def __len__(self) -> int:
        """How many."""
        return len(self._members)


def as_pulumi_shows(one: Resource, others: Mapping[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(
        resource_type=one.type,
        urn=one.urn,
        props=Looked(dict(one.properties)),
        opts=SimpleNamespace(protect=one.protect),
        property_dependencies={
            name: [others[urn] for urn in urns] for name, urns in one.comes_from.items()
        },
    )


def shown(resources: tuple[Resource, ...]) -> list[SimpleNamespace]:
    addresses = {one.urn: SimpleNamespace(urn=one.urn) for one in resources}
    return [as_pulumi_shows(one, addresses) for one in resources]


class Pulumi(ModuleType):
    """The part of `pulumi_policy` that the pack uses."""

    EnforcementLevel = SimpleNamespace(MANDATORY="mandatory")

    def __init__(self) -> None:
        super().__init__("pulumi_policy")
        self.StackValidationPolicy = SimpleNamespace
        self.ResourceValidationPolicy = SimpleNamespace
        self.PolicyPack = SimpleNamespace


class TestPack:
    """Pulumi is handed each rule once, mandatory, and is told what it finds where."""

    @pytest.fixture
    def pack(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setitem(sys.modules, "pulumi_policy", Pulumi())
        return make_pack()

    def test_every_rule(self, pack: Any) -> None:
        names = [policy.name for policy in pack.policies]
        assert names == ["inputs", *(rule.name for rule in RULES)]
        assert pack.enforcement_level == "mandatory"

    def test_a_kept_stack(self, pack: Any) -> None:
        assert self.reported(pack, healthy().resources) == []

    def test_a_broken_stack(self, pack: Any) -> None:
        kind = "aws:rds/instance:Instance"
        broken = changed(healthy(), kind, "publiclyAccessible", True)
        assert self.reported(pack, broken.resources) == [
            (
                (
                    f"{kind} 'database': `publiclyAccessible` is true: the database would have an "
                    "address on the internet; set false"
                ),
                f"urn:pulumi:prod::mlflow-platform::{kind}::database",
            )
        ]

    def test_a_cluster_that_does_not_stand_yet(self, pack: Any) -> None:
        resources = healthy().resources
        assert self.reported(pack, resources, without_outputs=("kubernetes:",)) == []

    @staticmethod
    def reported(
        pack: Any, resources: tuple[Resource, ...], *, without_outputs: tuple[str, ...] = ()
    ) -> list[tuple[str, str]]:
        """What is reported, the resources being shown one by one first, and then all by outputs."""
        said: list[tuple[str, str]] = []

        def report(message: str, urn: str) -> None:
            said.append((message, urn))

        inputs, *rules = pack.policies
        for one in shown(resources):
            inputs.validate(one, report)
        for policy in rules:
            outputs = shown(resources)
            for one in outputs:
                if without_outputs and one.resource_type.startswith(without_outputs):
                    one.props = Looked({})
            policy.validate(SimpleNamespace(resources=outputs), report)
        return said


class TestGraph:
    """Pulumi's resources are the graph that a preview gives."""

    def test_same_as_the_previews(self) -> None:
        graph = graph_of_stack(shown(healthy().resources), {})
        assert graph.resources == healthy().resources
        assert (graph.stack, graph.environment, graph.is_production) == ("prod", "prod", True)

    def test_values_not_known_yet(self) -> None:
        assert plain(Looked({"a": {"b": UNKNOWN, "c": [1, "x"]}, "d": UNKNOWN})) == {
            "a": {"b": UNKNOWN, "c": [1, "x"]},
            "d": UNKNOWN,
        }

    def test_other_errors_are_not_hidden(self) -> None:
        class Broken(dict[str, Any]):
            def __getitem__(self, key: str) -> Any:
                raise RuntimeError("disk full")

        with pytest.raises(RuntimeError, match=r"^disk full$"):
            plain(Broken(a=1))


class TestFile:
    """Pulumi runs the file from its own folder, with the pack's own libraries."""

    def test_the_library_is_asked_for_only_by_the_pack(self) -> None:
        script = "import policies.rules, policies.pack, sys; print('pulumi_policy' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout == "False\n"

    def test_run_as_pulumi_runs_it(self, tmp_path: Path) -> None:
        (tmp_path / "pulumi_policy.py").write_text(
            "from types import SimpleNamespace\n"
            "EnforcementLevel = SimpleNamespace(MANDATORY='mandatory')\n"
            "StackValidationPolicy = ResourceValidationPolicy = SimpleNamespace\n"
            "def PolicyPack(**words):\n"
            "    print(words['name'], len(words['policies']))\n"
        )
        done = subprocess.run(
            [sys.executable, "__main__.py"],
            cwd=ROOT / "policies",
            env={"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == (f"mlflow-platform {1 + len(RULES)}\n", "")

    def test_description(self) -> None:
        described = yaml.safe_load((ROOT / "policies/PulumiPolicy.yaml").read_text())
        assert described["runtime"] == {"name": "python", "options": {"virtualenv": "venv"}}
