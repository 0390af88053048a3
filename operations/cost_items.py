"""What a line of an estimate is, and what the counting of one cloud offers.

Owns the words that the clouds' countings share. A resource type is one of three: counted (it costs
by existing), by use (it costs by what is done with it, so no preview knows how much), or free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from policies.resource_graph import Resource, ResourceGraph


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """How much of a price a resource takes, all month."""

    price: str  # its id in the price file
    quantity: float
    item: str  # in words: `Cloud SQL, standby`
    resource: Resource
    detail: str = ""  # how the quantity comes about: `4 vCPU × 2 zones`


Count = Callable[[ResourceGraph, Resource], Iterator[Amount]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Counting:
    """How one cloud's resources are counted."""

    prefix: str  # of its type tokens
    region: Callable[[ResourceGraph], str]
    counted: Mapping[str, Count]
    by_use: Mapping[str, str]  # by type: what is paid for
    free: tuple[str, ...]  # types, or beginnings of them
