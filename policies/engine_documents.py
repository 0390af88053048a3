"""From what an engine writes down to a graph: `preview --json` and `stack export`.

Owns Pulumi's formats, which both engines speak: one step for each resource, its inputs as the
program gave them, and a fixed text where a value is not known yet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from policies.resource_graph import UNKNOWN, Resource, ResourceGraph

UNKNOWN_TEXTS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""What Pulumi writes for an unknown text, boolean, number, list, asset, archive and object."""

GONE = frozenset({"delete", "delete-replaced", "discard", "discard-replaced", "remove-pending"})

Document = Mapping[str, object]


def graph_of_preview(document: Document, stack: str) -> ResourceGraph:
    """What the stack would consist of after the previewed update."""
    steps = [step for step in _deployments(document) if step.get("op") not in GONE]
    states = [state for step in steps if (state := as_object(step.get("newState")))]
    return graph_of_states(states, stack, as_object(document.get("config")) or {})


def graph_before_preview(document: Document, stack: str) -> ResourceGraph:
    """What the stack consists of before the previewed update."""
    steps = _deployments(document)
    states = [state for step in steps if (state := as_object(step.get("oldState")))]
    return graph_of_states(states, stack, as_object(document.get("config")) or {})


def _deployments(document: Document) -> list[Document]:
    """The steps of the update itself.

    With `--refresh` an engine tells first how it found each resource: the same resource once more.
    """
    return [step for step in objects(document.get("steps")) if step.get("op") != "refresh"]


def graph_of_states(states: Iterable[Document], stack: str, config: Document) -> ResourceGraph:
    """A graph of resources as an engine keeps them, among them its own (providers, the stack)."""
    resources = tuple(resource_of(state) for state in states)
    environment = environment_of(config.get("mlflow-platform:environment"), stack, resources)
    protection = config.get("mlflow-platform:protection")
    return ResourceGraph(
        stack=stack,
        environment=environment,
        is_production=is_production(environment, protection),
        resources=resources,
    )


def resource_of(state: Document) -> Resource:
    """One resource as an engine keeps it."""
    origins = as_object(state.get("propertyDependencies")) or {}
    kind = str(state.get("type", ""))
    return Resource(
        type=kind,
        urn=str(state.get("urn", "")),
        properties=opened(kind, as_object(without_marks(state.get("inputs"))) or {}),
        comes_from={
            name: tuple(str(urn) for urn in cast("list[object]", urns))
            for name, urns in origins.items()
            if isinstance(urns, list)
        },
        protect=state.get("protect") is True,
    )


def opened(kind: str, properties: Mapping[str, object]) -> Mapping[str, object]:
    """A provider's properties as they are meant: its lists and objects are JSON in texts."""
    if not kind.startswith("pulumi:providers:"):
        return properties
    return {name: _read(value) for name, value in properties.items()}


def _read(value: object) -> object:
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return without_marks(json.loads(value))
    except json.JSONDecodeError:
        return value


def environment_of(written: object, stack: str, resources: Iterable[Resource]) -> str:
    """What the settings say; else what the resources are tagged with; else the stack's name."""
    if isinstance(written, str) and written not in ("", "auto"):
        return written
    for resource in resources:
        for tags in ("tagsAll", "defaultTags.tags", "labels"):
            found = resource.get(f"{tags}.environment")
            if isinstance(found, str) and found:
                return found
    return stack


def is_production(environment: str, protection: object = None) -> bool:
    """Whether production's rules hold: as `protection` says, else by the environment's name."""
    if protection in ("production", "standard"):
        return protection == "production"
    return environment in ("prod", "production") or environment.startswith("prod-")


def without_marks(value: object) -> object:
    """The same value with UNKNOWN where the engine wrote a mark."""
    if isinstance(value, str):
        return UNKNOWN if value in UNKNOWN_TEXTS else value
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {key: without_marks(item) for key, item in items}
    if isinstance(value, list):
        return [without_marks(item) for item in cast("list[object]", value)]
    return value


def objects(value: object) -> list[Document]:
    """The objects in a list; none where there is no list."""
    if not isinstance(value, list):
        return []
    found = (as_object(item) for item in cast("list[object]", value))
    return [item for item in found if item is not None]


def as_object(value: object) -> Document | None:
    """A JSON object, or None."""
    return cast("Document", value) if isinstance(value, Mapping) else None
