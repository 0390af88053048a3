"""Kinds of objects: where the API server keeps them and what their fields are.

Owns the lookup by apiVersion and kind, in Kubernetes' own schemas (`schemas/kubernetes.json`) and
in those of the custom resources that the platform uses (`schemas/custom_resources.yaml`). A kind
that stands in neither is refused by name.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from simulated_cloud.errors import NotSupported

_SCHEMAS = Path(__file__).with_name("schemas")

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object."""

    api_version: str  # as in a manifest: `v1`, `apps/v1`
    name: str
    plural: str
    namespaced: bool
    schema: Schema = field(repr=False)
    definitions: Mapping[str, Schema] = field(repr=False)
    """What `$ref` in the schema refers to."""

    @property
    def group(self) -> str:
        """`apps` of `apps/v1`; empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def title(self) -> str:
        """As the API server names it in messages: `Deployment.apps`."""
        return f"{self.name}.{self.group}" if self.group else self.name

    def path(self, namespace: str, name: str) -> str:
        """Where the API server keeps the object."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        place = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{root}{place}/{self.plural}/{name}"


def kind_of(api_version: str, name: str) -> Kind:
    """The kind with this apiVersion and name.

    Raises:
        NotSupported: there is none here.
    """
    found = _kinds().get(f"{api_version}/{name}")
    if found is None:
        near = difflib.get_close_matches(f"{api_version}/{name}", list(_kinds()), n=1)
        hint = f" (it knows {near[0]})" if near else ""
        raise NotSupported(
            f"the simulated Kubernetes has no kind {name} of {api_version}{hint}: add it in "
            "simulated_cloud/kubernetes/schemas/"
        )
    return found


@cache
def custom_resource_definitions() -> tuple[dict[str, Any], ...]:
    """The definitions of custom resources, as a cluster takes them."""
    text = (_SCHEMAS / "custom_resources.yaml").read_text(encoding="utf-8")
    return tuple(yaml.safe_load_all(text))


@cache
def _kinds() -> dict[str, Kind]:
    document = json.loads((_SCHEMAS / "kubernetes.json").read_text(encoding="utf-8"))
    definitions: dict[str, Schema] = document["definitions"]
    found: dict[str, Kind] = {}
    for key, entry in document["kinds"].items():
        version, _, name = key.rpartition("/")
        schema = definitions[entry["schema"]]
        found[key] = Kind(version, name, entry["plural"], entry["namespaced"], schema, definitions)
    for definition in custom_resource_definitions():
        spec = definition["spec"]
        names = spec["names"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            whole = {**schema, "properties": {**_HEAD, **schema["properties"]}}
            api_version = f"{spec['group']}/{version['name']}"
            found[f"{api_version}/{names['kind']}"] = Kind(
                api_version,
                names["kind"],
                names["plural"],
                spec["scope"] == "Namespaced",
                whole,
                definitions,
            )
    return found


_HEAD: Mapping[str, Schema] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"$ref": "apis.meta.v1.ObjectMeta"},
}
"""What every object has and a custom resource's definition leaves out."""
