"""What keeping Cloud Run instances warm costs: the table for whoever is about to save it.

Owns the comparison of minimum 0, 1 and what the stack has, for both ways in which Cloud Run
allocates CPU, at the size that the stack's containers have.
"""

from __future__ import annotations

from dataclasses import dataclass

from operations.cost_gcp import SERVICE, Warm, warm_instances
from operations.cost_prices import PriceList
from policies.resource_graph import ResourceGraph

COLD_START = "12 to 30 s"
"""What a training job's first call waits where no instance is warm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmCost:
    """A minimum of instances, and what it costs each month beside the requests."""

    instances: int
    idle_usd: float  # CPU during requests only
    always_usd: float  # CPU always allocated
    is_ours: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class WarmCosts:
    """The comparison for one service."""

    warm: Warm
    busy_hour_usd: float  # one instance at work for an hour, where CPU is there during requests
    rows: tuple[WarmCost, ...]


def warm_costs(graph: ResourceGraph, prices: PriceList, region: str) -> WarmCosts | None:
    """The comparison; None where there is no Cloud Run service or no price for its region."""
    service = next(graph.of(SERVICE), None)
    if service is None:
        return None
    warm = warm_instances(service)
    each: dict[str, float] = {}
    for rate in ("idle", "always", "busy"):
        cpu = prices.find(f"gcp.run.{rate}_vcpu", region)
        memory = prices.find(f"gcp.run.{rate}_gib", region)
        if cpu is None or memory is None:
            return None
        each[rate] = warm.cpus * prices.monthly_usd(cpu) + warm.gib * prices.monthly_usd(memory)
    return WarmCosts(
        warm=warm,
        busy_hour_usd=each["busy"] / prices.hours_per_month,
        rows=tuple(
            WarmCost(
                instances=instances,
                idle_usd=instances * each["idle"],
                always_usd=instances * each["always"],
                is_ours=instances == warm.instances,
            )
            for instances in sorted({0, 1, warm.instances})
        ),
    )
