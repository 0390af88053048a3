"""How an estimate is told: as text, as Markdown for a page or a pull request, as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from operations.cost_estimate import CostDifference, CostLine, Estimate, signed, usd
from operations.cost_prices import PriceList
from operations.cost_warm_instances import COLD_START, WarmCosts
from operations.report import ExitCode, Line


@dataclass(frozen=True, kw_only=True, slots=True)
class CostReport:
    """What a stack costs, and against another one where that was asked."""

    estimate: Estimate
    against: Estimate | None
    warm: WarmCosts | None
    prices: PriceList
    markdown: bool

    @property
    def exit_code(self) -> ExitCode:
        """1 where something has no price, so that the sum is too low."""
        estimates = [one for one in (self.estimate, self.against) if one is not None]
        return 1 if any(one.without_price for one in estimates) else 0

    def document(self) -> Mapping[str, object]:
        """Every line with its prices and their sources."""
        content: dict[str, Any] = {
            "prices_as_of": self.prices.as_of.isoformat(),
            "currency": "USD",
            **_document(self.estimate),
        }
        if self.against is not None:
            difference = self._difference(self.against)
            content["against"] = {"stack": self.against.stack, **_document(self.against)}
            content["difference_usd"] = round(difference.monthly_usd, 2)
        if self.warm is not None:
            content["min_instances"] = [
                {
                    "instances": row.instances,
                    "idle_usd": round(row.idle_usd, 2),
                    "always_allocated_usd": round(row.always_usd, 2),
                    "is_this_stack": row.is_ours,
                }
                for row in self.warm.rows
            ]
        return content

    def lines(self) -> Iterator[Line]:
        """The table, and what is not in it."""
        if self.markdown:
            yield from (Line(text) for text in self._markdown())
            return
        for one in (self.estimate, self.against):
            if one is not None:
                yield from _table(one)
                yield Line()
        if self.against is not None:
            yield from _comparison(self._difference(self.against))
            yield Line()
        if self.warm is not None:
            yield from _warm(self.warm)
            yield Line()
        yield from self._notes()

    def _difference(self, against: Estimate) -> CostDifference:
        return CostDifference(before=against, after=self.estimate)

    def _notes(self) -> Iterator[Line]:
        yield Line(
            f"List prices of {self.prices.as_of}, without tax, discounts and free tiers "
            "(operations/cost_prices.yaml says where each is from)."
        )
        estimates = [one for one in (self.estimate, self.against) if one is not None]
        derived = sorted(
            {
                price.id
                for one in estimates
                for line in one.lines
                for price in line.prices
                if price.basis == "derived"
            }
        )
        if derived:
            yield Line(f"Derived from another region's price: {', '.join(derived)}.")
        by_use = dict.fromkeys(text for one in estimates for text in one.by_use)
        if by_use:
            yield Line("Not included, since it depends on use:", "dim")
            yield from (Line(f"  {text}", "dim") for text in by_use)
        without = dict.fromkeys(text for one in estimates for text in one.without_price)
        if without:
            yield Line("Not included, since no price is known; the sum is too low:", "red")
            yield from (Line(f"  {text}", "red") for text in without)

    def _markdown(self) -> Iterator[str]:
        for one in (self.estimate, self.against):
            if one is not None:
                where = one.region or "no cloud"
                yield f"**{one.stack}** ({where}): {usd(one.monthly_usd)} a month"
                yield ""
                yield "| Item | What | USD a month |"
                yield "|---|---|---:|"
                for line in one.lines:
                    yield f"| {line.item} | {'; '.join(line.details)} | {line.monthly_usd:,.2f} |"
                yield ""
        if self.against is not None:
            yield from self._difference(self.against).markdown().splitlines()
            yield ""
        if self.warm is not None:
            yield "| Minimum of instances | CPU during requests | CPU always allocated |"
            yield "|---:|---:|---:|"
            for row in self.warm.rows:
                yield f"| {row.instances} | {usd(row.idle_usd)} | {usd(row.always_usd)} |"
            yield ""
        yield from (line.text for line in self._notes())


def _document(one: Estimate) -> dict[str, Any]:
    return {
        "region": one.region,
        "monthly_usd": round(one.monthly_usd, 2),
        "lines": [
            {
                "item": line.item,
                "details": list(line.details),
                "monthly_usd": round(line.monthly_usd, 2),
                "prices": [
                    {
                        "id": price.id,
                        "usd": price.usd,
                        "per": price.per,
                        "region": price.region,
                        "source": price.source,
                        "basis": price.basis,
                    }
                    for price in line.prices
                ],
            }
            for line in one.lines
        ],
        "by_use": list(one.by_use),
        "without_price": list(one.without_price),
    }


def _table(one: Estimate) -> Iterator[Line]:
    yield Line(f"{one.stack}, {one.region or 'no cloud'}: USD a month")
    for line in one.lines:
        yield Line(f"{line.item:<40}{line.monthly_usd:>10,.2f}  {_short(line)}".rstrip())
    yield Line(f"{'together':<40}{one.monthly_usd:>10,.2f}", "green")


def _short(line: CostLine) -> str:
    if not line.details:
        return f"{line.count} of them" if line.count > 1 else ""
    if len(line.details) <= 2:
        return "; ".join(line.details)
    return f"{line.details[0]}, and {len(line.details) - 1} more"


def _comparison(difference: CostDifference) -> Iterator[Line]:
    before, after = difference.before, difference.after
    yield Line(f"{after.stack} against {before.stack}: {signed(difference.monthly_usd)} a month")
    for item, old, new in difference.items():
        yield Line(f"{item:<40}{old:>10,.2f} to {new:>10,.2f}  {signed(new - old)}")


def _warm(costs: WarmCosts) -> Iterator[Line]:
    warm = costs.warm
    yield Line(
        f"What warm instances cost, each {warm.cpus:g} vCPU and {warm.gib:g} GiB, USD a month:"
    )
    yield Line(f"{'minimum':<10}{'CPU during requests':>22}{'CPU always allocated':>22}")
    for row in costs.rows:
        ours = ""
        if row.is_ours:
            way = "always allocated" if warm.always_allocated else "during requests"
            ours = f"  this stack, CPU {way}"
        yield Line(f"{row.instances:<10}{row.idle_usd:>22,.2f}{row.always_usd:>22,.2f}{ours}")
    yield Line(
        f"Beside it, with CPU during requests: {usd(costs.busy_hour_usd)} for an hour of one "
        "instance busy with requests."
    )
    yield Line(f"With 0, the first call after a pause waits {COLD_START} for a cold start.")
