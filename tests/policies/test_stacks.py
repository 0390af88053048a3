"""The stacks of this repository keep every rule, under either engine."""

from __future__ import annotations

import json
import shutil
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
from tests.end_to_end.stack_on_cloud import StackOnCloud
from tests.policies.healthy_graph import changed
from tests.policies.test_rules import CASES, Case

STACKS = ("dev", "prod", "gcp-dev", "gcp-prod")

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

    @pytest.mark.pulumi
    @pytest.mark.skipif(shutil.which("pulumi") is None, reason="no Pulumi CLI on PATH")
    @pytest.mark.parametrize("name", STACKS)
    def test_pulumis_engine(
        self, cloud: SimulatedCloud, preview: Preview, tmp_path: Path, name: str
    ) -> None:
        file = tmp_path / f"Pulumi.{name}.yaml"
        shutil.copy(f"Pulumi.{name}.yaml", file)
        made = StackOnCloud(name, cloud, tmp_path / "state", ("pulumi", "--non-interactive"))
        made.run("stack", "init")
        printed = made.run("preview", "--json", "--config-file", str(file))
        graph = graph_of_preview(json.loads(printed), name)
        assert evaluate(graph, RULES) == []
        assert sorted(one.urn for one in graph.resources if "pulumi:pulumi" not in one.urn) == (
            sorted(one.urn for one in preview(name).resources if "pulumi:pulumi" not in one.urn)
        )


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
