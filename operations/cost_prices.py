"""The prices that `cost` counts with: a dated file of the repository, and a careful reading of it.

Owns the file's shape. A price has a unit, a region, a source and a basis; asked for one that is not
there, it says so, and the caller reports it: nothing is ever counted as free because nobody knew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, cast

from smoke_tests.errors import CouldNotLook

FILE = Path(__file__).with_name("cost_prices.yaml")
EVERYWHERE = "global"

Unit = Literal["hour", "second", "month", "GiB-month"]
Basis = Literal["listed", "quoted", "billed", "derived"]
UNITS = ("hour", "second", "month", "GiB-month")
BASES = ("listed", "quoted", "billed", "derived")


@dataclass(frozen=True, kw_only=True, slots=True)
class Price:
    """One price."""

    id: str
    usd: float
    per: Unit
    region: str
    source: str
    basis: Basis
    how: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceList:
    """The prices of one date."""

    as_of: date
    hours_per_month: float
    prices: Mapping[tuple[str, str], Price]  # by id and region

    def find(self, identity: str, region: str) -> Price | None:
        """The price in a region, or the one that holds everywhere."""
        return self.prices.get((identity, region)) or self.prices.get((identity, EVERYWHERE))

    def monthly_usd(self, price: Price) -> float:
        """What one unit of it costs for a month."""
        match price.per:
            case "hour":
                return price.usd * self.hours_per_month
            case "second":
                return price.usd * self.hours_per_month * 3600
            case "month" | "GiB-month":
                return price.usd


def read_prices(path: Path = FILE) -> PriceList:
    """The prices in a file.

    Raises:
        CouldNotLook: the file says something that no price can be made of, and where.
    """
    import yaml

    document: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    content = cast("Mapping[str, object]", document)
    found = [_price(entry, path) for entry in cast("list[Mapping[str, object]]", content["prices"])]
    return PriceList(
        as_of=cast("date", content["as_of"]),
        hours_per_month=float(cast("float", content["hours_per_month"])),
        prices={(price.id, price.region): price for price in found},
    )


def _price(entry: Mapping[str, object], path: Path) -> Price:
    try:
        price = Price(**cast("dict[str, object]", entry))  # pyright: ignore[reportArgumentType]
    except TypeError as error:
        raise CouldNotLook(f"{path.name} holds a price that is none ({error}): mend it") from None
    wrong = (
        price.per not in UNITS
        or price.basis not in BASES
        or not price.source.startswith("https://")
        or price.usd <= 0
        or (price.basis in ("billed", "derived") and not price.how)
    )
    if wrong:
        raise CouldNotLook(
            f"{path.name}: the price {price.id} must be above 0, per one of {', '.join(UNITS)}, "
            f"with an https source, a basis of {', '.join(BASES)} and, where it was "
            "computed (billed, derived), how"
        )
    return price
