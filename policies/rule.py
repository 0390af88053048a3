"""A rule, what it finds, and how rules are run over a graph.

Owns the shape of a finding. A finding is a whole sentence about one resource: what is set, what
that leads to, and what to set instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from policies.resource_graph import UNKNOWN, Resource, ResourceGraph


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One resource that does not keep one rule."""

    rule: str
    urn: str
    type: str
    message: str  # begins with the resource


Broken = Iterator[tuple[Resource, str]]  # a resource, and the rest of the sentence about it


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One thing that holds for every platform."""

    name: str  # `aws-database-encrypted`
    subject: str  # `encryption`
    says: str  # the rule in a sentence
    broken: Callable[[ResourceGraph], Broken]
    production_only: bool = False

    def findings(self, graph: ResourceGraph) -> Iterator[Finding]:
        """What does not keep it."""
        if self.production_only and not graph.is_production:
            return
        for resource, problem in self.broken(graph):
            yield Finding(
                rule=self.name,
                urn=resource.urn,
                type=resource.type,
                message=f"{resource.label}: {problem}",
            )


def evaluate(graph: ResourceGraph, rules: Iterable[Rule]) -> list[Finding]:
    """What the rules find, rule by rule."""
    return [finding for rule in rules for finding in rule.findings(graph)]


def require(
    path: str, *allowed: object, types: tuple[str, ...], because: str
) -> Callable[[ResourceGraph], Broken]:
    """A rule's body: every resource of these types has one of these values at a path."""

    def broken(graph: ResourceGraph) -> Broken:
        for resource in graph.of(*types):
            if not resource.may_be(path, *allowed):
                wanted = " or ".join(shown(value) for value in allowed if value is not None)
                otherwise = " or leave it out" if None in allowed else ""
                yield (
                    resource,
                    (
                        f"`{path}` is {shown(resource.get(path))}: {because}; "
                        f"set {wanted}{otherwise}"
                    ),
                )

    return broken


def require_given(
    path: str, *, types: tuple[str, ...], because: str
) -> Callable[[ResourceGraph], Broken]:
    """A rule's body: every resource of these types has something at a path."""

    def broken(graph: ResourceGraph) -> Broken:
        for resource in graph.of(*types):
            if not resource.is_given(path):
                yield resource, f"`{path}` is not set: {because}"

    return broken


def require_at_least(
    path: str, least: float, *, types: tuple[str, ...], because: str
) -> Callable[[ResourceGraph], Broken]:
    """A rule's body: every resource of these types has at least this number at a path."""

    def broken(graph: ResourceGraph) -> Broken:
        for resource in graph.of(*types):
            value = resource.number(path)
            if resource.get(path) is not UNKNOWN and (value is None or value < least):
                yield (
                    resource,
                    f"`{path}` is {shown(resource.get(path))}: {because}; set {least:g} or more",
                )

    return broken


def shown(value: object) -> str:
    """A value as a message shows it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f"{value!r}" if isinstance(value, str) else str(value)
