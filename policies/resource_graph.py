"""The resources of a stack as the rules see them, whichever engine described them.

Owns a resource's type token, URN, properties and what each property came from; knows no rule and
no engine's format. During a preview some values do not exist yet: they are `UNKNOWN`, which counts
as given (somebody will set it) and equals nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, cast


class Unknown:
    """A value that only a deployment will know."""

    def __repr__(self) -> str:
        """As a test shows it."""
        return "UNKNOWN"

    def __deepcopy__(self, _memory: object) -> Unknown:
        """There is one, in copies of a graph too."""
        return self


UNKNOWN: Final = Unknown()

Check = Callable[[object], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One resource, as the program asked for it."""

    type: str  # Pulumi's type token: `aws:rds/instance:Instance`
    urn: str
    properties: Mapping[str, object]
    comes_from: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By property, the URNs of the resources whose outputs it is made of."""
    protect: bool = False

    @property
    def name(self) -> str:
        """Its name in the program."""
        return self.urn.rpartition("::")[2]

    @property
    def label(self) -> str:
        """How a message calls it."""
        return f"{self.type} {self.name!r}"

    def get(self, path: str) -> object:
        """The value at a dotted path; None where there is none, UNKNOWN where nobody knows."""
        value: object = self.properties
        for step in path.split("."):
            if isinstance(value, Mapping):
                value = cast("Mapping[object, object]", value).get(step)
            elif isinstance(value, list | tuple) and step.isdigit():
                items = cast("Sequence[object]", value)
                value = items[int(step)] if int(step) < len(items) else None
            else:
                return UNKNOWN if value is UNKNOWN else None
        return value

    def is_given(self, path: str) -> bool:
        """Whether there is anything at a path, known or not."""
        return self.get(path) not in (None, "", [], {})

    def may_be(self, path: str, *allowed: object) -> bool:
        """Whether the value is one of these, or is not known yet."""
        value = self.get(path)
        return value is UNKNOWN or any(_same(value, one) for one in allowed)

    def each(self, path: str) -> list[object]:
        """The members of a list; empty where there is none."""
        value = self.get(path)
        return list(cast("list[object]", value)) if isinstance(value, list | tuple) else []

    def number(self, path: str) -> float | None:
        """A number, also one that is written as text; None where there is none or nobody knows."""
        value = self.get(path)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            return float(value)
        except ValueError:
            return None


@dataclass(frozen=True, kw_only=True)
class ResourceGraph:
    """What a stack would consist of."""

    stack: str
    environment: str  # `dev`, `prod`
    is_production: bool
    resources: tuple[Resource, ...]

    @cached_property
    def by_urn(self) -> Mapping[str, Resource]:
        """The resources by URN."""
        return {resource.urn: resource for resource in self.resources}

    def of(self, *types: str) -> Iterator[Resource]:
        """The resources of some types, in the program's order."""
        return (resource for resource in self.resources if resource.type in types)

    def belonging_to(self, owner: Resource, by: str, *types: str) -> list[Resource]:
        """The resources of some types whose property `by` comes from `owner` or names it."""
        return [
            one
            for one in self.of(*types)
            if owner.urn in one.comes_from.get(by, ()) or _names(one.get(by), owner, by)
        ]

    def owner(self, of: Resource, by: str, *types: str) -> Resource | None:
        """The resource of some types that `of` belongs to by its property `by`."""
        found = (one for one in self.of(*types) if of in self.belonging_to(one, by, of.type))
        return next(found, None)


def _names(value: object, owner: Resource, by: str) -> bool:
    """A companion may spell its owner's name instead of taking it from it."""
    own = owner.properties.get(by, owner.properties.get("name"))
    return isinstance(value, str) and bool(value) and value == own


def _same(value: object, other: object) -> bool:
    """Equality that does not take 1 for True, and takes "true" for True, as providers do."""
    if isinstance(other, bool):
        return value is other or value == str(other).lower()
    return not isinstance(value, bool) and value == other


def mappings(values: Iterable[object]) -> list[Mapping[str, object]]:
    """Those of the values that are objects."""
    return [cast("Mapping[str, object]", value) for value in values if isinstance(value, Mapping)]
