"""The stacks of this repository keep every rule, under either engine."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

import simulated_cloud
from operations.cost_estimate import estimate
from operations.cost_prices import read_prices
from policies.engine_documents import graph_of_preview
from policies.resource_graph import ResourceGraph
from policies.rule import evaluate
from policies.rules import RULES
from simulated_cloud import SimulatedCloud
from tests.end_to_end.stack_on_cloud import NEEDS_PULUMI, ROOT, StackOnCloud
from tests.policies.healthy_graph import changed
from tests.policies.test_rules import CASES, Case

STACKS = ("dev", "prod", "gcp-dev", "gcp-prod")

PACK = ROOT / "policies" / "venv"
PREVIEW_FAILED = 1

NOT_IN_OURS = frozenset(
    {
        "gcp:compute/firewall:Firewall",
        "kubernetes:networking.k8s.io/v1:Ingress",
    }
)
"""Types that rules speak of and only other settings' stacks have."""

pytestmark = pytest.mark.slow

Preview = Callable[[str], ResourceGraph]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCloud]:
    with simulated_cloud.running(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def preview(cloud: SimulatedCloud, tmp_path_factory: pytest.TempPathFactory) -> Preview:
    """What a stack would consist of, as the embedded engine says it; each is asked once."""

    @cache
    def ask(name: str) -> ResourceGraph:
        made = StackOnCloud(name, cloud, tmp_path_factory.mktemp(name))
        return graph_of_preview(json.loads(made.run("preview", "--json")), name)

    return ask


class TestKept:
    """No rule finds anything."""

    @pytest.mark.parametrize("name", STACKS)
    def test_embedded_engine(self, preview: Preview, name: str) -> None:
        graph = preview(name)
        assert len(graph.resources) > 40
        assert graph.is_production == name.endswith("prod")
        assert evaluate(graph, RULES) == []

    @pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS_PULUMI) for name in STACKS])
    def test_pulumis_engine(
        self, cloud: SimulatedCloud, preview: Preview, tmp_path: Path, name: str
    ) -> None:
        made = StackOnCloud(name, cloud, tmp_path / "state").on_pulumi()
        graph = graph_of_preview(json.loads(made.run("preview", "--json")), name)
        assert evaluate(graph, RULES) == []
        assert kinds(graph) == kinds(preview(name))


def kinds(graph: ResourceGraph) -> Counter[str]:
    """How many of each type; a Kubernetes Secret's name is made anew by each engine."""
    return Counter(one.type for one in graph.resources if one.type != "pulumi:pulumi:Stack")


@pytest.mark.skipif(not PACK.is_dir(), reason="the pack has no environment: docs/policies.md")
class TestPack:
    """Inside Pulumi's CLI the same rules find nothing in ours, and what is opened in a stack."""

    @pytest.mark.parametrize("name", [pytest.param(name, marks=NEEDS_PULUMI) for name in STACKS])
    def test_kept(self, cloud: SimulatedCloud, tmp_path: Path, name: str) -> None:
        made = StackOnCloud(name, cloud, tmp_path / "state").on_pulumi()
        told = made.run("preview", "--policy-pack", "policies")
        assert "✅ mlflow-platform" in told

    @pytest.mark.parametrize("name", [pytest.param("gcp-dev", marks=NEEDS_PULUMI)])
    def test_broken(self, cloud: SimulatedCloud, tmp_path: Path, name: str) -> None:
        made = StackOnCloud(name, cloud, tmp_path / "state").on_pulumi()
        file = Path(made.options[1])
        opened = (
            "cloudRunInvokers: []\n  mlflow-platform:cloudRunAllowUnauthenticated: true\n"
            "  mlflow-platform:authentication: basic"
        )
        written = file.read_text("utf-8")
        file.write_text(re.sub(r"cloudRunInvokers: .*", opened, written), encoding="utf-8")
        told = made.run("preview", "--policy-pack", "policies", expect=PREVIEW_FAILED)
        assert "[mandatory]  gcp-no-everybody" in told
        assert "it grants roles/run.invoker to allUsers" in " ".join(told.split())


class TestBroken:
    """Breaking a rule in a real stack's graph is found: the rules look where the program writes."""

    @pytest.mark.parametrize(
        "one",
        [one for one in CASES if one.kind not in NOT_IN_OURS],
        ids=lambda one: f"{one.rule} {one.path}",
    )
    def test_found(self, preview: Preview, one: Case) -> None:
        graph = preview("gcp-prod" if one.kind.startswith("gcp:") else "prod")
        assert any(resource.type == one.kind for resource in graph.resources)
        found = evaluate(changed(graph, one.kind, one.path, one.value), RULES)
        assert one.rule in {finding.rule for finding in found}


class TestCost:
    """Every resource of ours is priced, paid by use, or known to be free."""

    @pytest.mark.parametrize("name", STACKS)
    def test_nothing_without_a_price(self, preview: Preview, name: str) -> None:
        counted = estimate(preview(name), read_prices())
        assert counted.without_price == ()
        assert counted.monthly_usd > 50
