"""In production a server is always there: no cold start, and no outage while one is replaced.

A training job's first call waits 12 to 30 seconds for a server that has to start, times out, and
the experiment runs to its end without being recorded.
"""

from __future__ import annotations

from policies.resource_graph import UNKNOWN, ResourceGraph
from policies.resource_types import GCP_SERVICE
from policies.rule import Broken, Rule, require_at_least, shown

LEAST_REPLICAS = 2


def _replicas(graph: ResourceGraph) -> Broken:
    scaled = {
        scaler.get("spec.scaleTargetRef.name")
        for scaler in graph.of("kubernetes:autoscaling/v2:HorizontalPodAutoscaler")
    }
    for scaler in graph.of("kubernetes:autoscaling/v2:HorizontalPodAutoscaler"):
        least = scaler.number("spec.minReplicas")
        if scaler.get("spec.minReplicas") is not UNKNOWN and (least or 1) < LEAST_REPLICAS:
            yield scaler, _too_few("spec.minReplicas", scaler.get("spec.minReplicas"))
    for deployment in graph.of("kubernetes:apps/v1:Deployment"):
        if deployment.get("metadata.name") in scaled:
            continue
        least = deployment.number("spec.replicas")
        if deployment.get("spec.replicas") is not UNKNOWN and (least or 1) < LEAST_REPLICAS:
            yield deployment, _too_few("spec.replicas", deployment.get("spec.replicas"))


def _too_few(path: str, value: object) -> str:
    return (
        f"`{path}` is {shown(value)}: while that one is replaced nobody answers; set "
        f"{LEAST_REPLICAS} or more (serverReplicasMinimum)"
    )


def _budgets(graph: ResourceGraph) -> Broken:
    if any(graph.of("kubernetes:policy/v1:PodDisruptionBudget")):
        return
    for deployment in graph.of("kubernetes:apps/v1:Deployment"):
        yield (
            deployment,
            "no PodDisruptionBudget: draining a node may take every server at once; declare one",
        )


RULES = (
    Rule(
        name="gcp-warm-instance",
        subject="warm servers",
        says="In production, Cloud Run keeps at least one instance warm.",
        broken=require_at_least(
            "template.scaling.minInstanceCount",
            1,
            types=GCP_SERVICE,
            because="a training job's first call waits 12 to 30 s for a cold start and times out, "
            "and its experiment is not recorded",
        ),
        production_only=True,
    ),
    Rule(
        name="kubernetes-replicas",
        subject="warm servers",
        says="In production, at least two servers run.",
        broken=_replicas,
        production_only=True,
    ),
    Rule(
        name="kubernetes-disruption-budget",
        subject="warm servers",
        says="In production, a drained node does not take every server.",
        broken=_budgets,
        production_only=True,
    ),
)
