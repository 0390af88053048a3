"""What a stack costs by existing, line by line, and what a change of it costs.

Owns the sums. `estimate` counts one resource graph; `cost_of_change` compares the graphs before and
after a previewed update, for whoever reviews it. What depends on use is named, what no price is
known for is named too, and neither is in a sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from operations.cost_aws import AWS
from operations.cost_gcp import GCP
from operations.cost_items import Amount, Counting
from operations.cost_prices import Price, PriceList, read_prices
from policies.engine_documents import Document, graph_before_preview, graph_of_preview
from policies.resource_graph import ResourceGraph

CLOUDS = (AWS, GCP)
LEAST_CENT = 0.005
"""Less than this is no difference."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CostLine:
    """One kind of thing that a stack pays for."""

    item: str
    details: tuple[str, ...]
    count: int  # of resources
    monthly_usd: float
    prices: tuple[Price, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a stack costs by existing."""

    stack: str
    region: str
    lines: tuple[CostLine, ...]  # the dearest first
    by_use: tuple[str, ...]  # not in the sum: nobody knows how much
    without_price: tuple[str, ...]  # not in the sum: no price in the file

    @property
    def monthly_usd(self) -> float:
        """The sum."""
        return sum(line.monthly_usd for line in self.lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class CostDifference:
    """What one estimate costs more than another."""

    before: Estimate
    after: Estimate

    @property
    def monthly_usd(self) -> float:
        """The difference of the sums; below 0 where it gets cheaper."""
        return self.after.monthly_usd - self.before.monthly_usd

    def items(self) -> Iterator[tuple[str, float, float]]:
        """Each item that differs, with what it costs before and after."""
        before = {line.item: line.monthly_usd for line in self.before.lines}
        after = {line.item: line.monthly_usd for line in self.after.lines}
        for item in sorted({*before, *after}, key=lambda one: -after.get(one, before.get(one, 0))):
            pair = before.get(item, 0.0), after.get(item, 0.0)
            if abs(pair[1] - pair[0]) >= LEAST_CENT:
                yield item, *pair

    def markdown(self) -> str:
        """A paragraph and, where something differs, a table: for a pull request."""
        before, after = self.before.monthly_usd, self.after.monthly_usd
        if not any(self.items()):
            return f"Monthly cost: {usd(after)}, unchanged.\n"
        rows = [
            f"| {item} | {usd(old)} | {usd(new)} | {signed(new - old)} |"
            for item, old, new in self.items()
        ]
        return "\n".join(
            [
                (
                    f"Monthly cost: {usd(before)} → {usd(after)} (**{signed(self.monthly_usd)}**), "
                    "list prices, without what depends on use."
                ),
                "",
                "| Item | Before | After | Difference |",
                "|---|---:|---:|---:|",
                *rows,
                "",
            ]
        )


def estimate(graph: ResourceGraph, prices: PriceList) -> Estimate:
    """Count a graph."""
    lines: dict[str, CostLine] = {}
    by_use: list[str] = []
    without: list[str] = []
    region = ""
    for cloud in CLOUDS:
        ours = [one for one in graph.resources if one.type.startswith(cloud.prefix)]
        if not ours:
            continue
        region = cloud.region(graph)
        kinds = dict.fromkeys(one.type for one in ours)
        by_use += [text for kind, text in cloud.by_use.items() if kind in kinds]
        without += [f"{kind} (what it costs is not known here)" for kind in _unjudged(cloud, kinds)]
        for amount in _amounts(cloud, graph):
            price = prices.find(amount.price, region)
            if price is None:
                without.append(
                    f"{amount.item} ({amount.price} in {region or 'no region'}: no price in "
                    "operations/cost_prices.yaml)"
                )
            else:
                _add(lines, amount, price, prices)
    return Estimate(
        stack=graph.stack,
        region=region,
        lines=tuple(sorted(lines.values(), key=lambda line: (-line.monthly_usd, line.item))),
        by_use=tuple(by_use),
        without_price=tuple(dict.fromkeys(without)),
    )


def cost_of_change(
    preview: Document, stack: str, prices: PriceList | None = None
) -> CostDifference:
    """What the update that a preview shows would cost, month by month."""
    prices = prices or read_prices()
    return CostDifference(
        before=estimate(graph_before_preview(preview, stack), prices),
        after=estimate(graph_of_preview(preview, stack), prices),
    )


def usd(amount: float) -> str:
    """`$1,234.56`."""
    return f"-${-amount:,.2f}" if amount < 0 else f"${amount:,.2f}"


def signed(amount: float) -> str:
    """`+$25.00`, `-$3.10`."""
    return f"+{usd(amount)}" if amount >= 0 else usd(amount)


def _amounts(cloud: Counting, graph: ResourceGraph) -> Iterator[Amount]:
    for one in graph.resources:
        if one.type in cloud.counted:
            yield from cloud.counted[one.type](graph, one)


def _unjudged(cloud: Counting, kinds: Mapping[str, object]) -> list[str]:
    return [
        kind
        for kind in kinds
        if kind not in cloud.counted
        and kind not in cloud.by_use
        and not kind.startswith(cloud.free)
    ]


def _add(lines: dict[str, CostLine], amount: Amount, price: Price, prices: PriceList) -> None:
    cost = amount.quantity * prices.monthly_usd(price)
    line = lines.get(amount.item)
    details = (amount.detail,) if amount.detail else ()
    lines[amount.item] = CostLine(
        item=amount.item,
        details=tuple(dict.fromkeys((*(line.details if line else ()), *details))),
        count=(line.count if line else 0) + 1,
        monthly_usd=cost + (line.monthly_usd if line else 0),
        prices=tuple(dict.fromkeys((*(line.prices if line else ()), price))),
    )
