"""The part of Kubernetes' OpenAPI document that the provider needs, cut out of the whole.

Owns which kinds those are. `python -m simulated_cloud.kubernetes schemas FILE` writes
`schemas/kubernetes.json` anew from `api/openapi-spec/swagger.json` of the module k8s.io/kubernetes
(`go mod download -json k8s.io/kubernetes` says where that lies), four megabytes of which the kinds
below need fifty kilobytes: descriptions and what only a server writes are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from simulated_cloud.kubernetes import RELEASE

SCHEMAS = Path(__file__).with_name("schemas") / "kubernetes.json"

KINDS = (
    *("v1/Namespace", "v1/ServiceAccount", "v1/Secret", "v1/ConfigMap", "v1/Service"),
    *("apps/v1/Deployment", "apps/v1/StatefulSet", "apps/v1/DaemonSet"),
    *("batch/v1/Job", "batch/v1/CronJob", "autoscaling/v2/HorizontalPodAutoscaler"),
    *("policy/v1/PodDisruptionBudget", "storage.k8s.io/v1/StorageClass"),
    *("networking.k8s.io/v1/NetworkPolicy", "networking.k8s.io/v1/Ingress"),
    *("rbac.authorization.k8s.io/v1/Role", "rbac.authorization.k8s.io/v1/RoleBinding"),
    *("rbac.authorization.k8s.io/v1/ClusterRole",),
    *("rbac.authorization.k8s.io/v1/ClusterRoleBinding",),
)
"""By the apiVersion and kind that a manifest has."""

_KEPT = ("type", "format", "properties", "items", "required", "additionalProperties", "$ref")
_PREFIXES = ("io.k8s.api.", "io.k8s.apimachinery.pkg.")

Schema = Mapping[str, Any]


def extract(document: Schema) -> dict[str, Any]:
    """The kinds with their paths, and the definitions they are made of."""
    whole: Mapping[str, Schema] = document["definitions"]
    found: dict[str, Any] = {}
    kinds: dict[str, Any] = {}
    for kind, (path, name) in sorted(_paths(document["paths"]).items()):
        definition = {**whole[name]}
        definition["properties"] = {
            key: value for key, value in definition["properties"].items() if key != "status"
        }
        found[_short(name)] = _slim(definition)
        kinds[kind] = {
            "plural": path.rpartition("/")[2],
            "namespaced": "{namespace}" in path,
            "schema": _short(name),
        }
    todo = [name for schema in list(found.values()) for name in _references(schema)]
    full = {_short(name): schema for name, schema in whole.items()}
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = _slim(full[name])
            todo += _references(found[name])
    return {
        "source": f"k8s.io/kubernetes v{RELEASE}, api/openapi-spec/swagger.json",
        "license": "Apache-2.0, Copyright The Kubernetes Authors",
        "kinds": kinds,
        "definitions": dict(sorted(found.items())),
    }


def write(source: Path) -> None:
    """Write `schemas/kubernetes.json`, one definition a line."""
    parts = extract(json.loads(source.read_text(encoding="utf-8")))

    def lines(items: Mapping[str, Any]) -> str:
        rows = [f"{json.dumps(key)}:{_compact(value)}" for key, value in items.items()]
        return "{\n" + ",\n".join(rows) + "\n}"

    heads = [f"{json.dumps(key)}:{json.dumps(parts[key])}" for key in ("source", "license")]
    bodies = [f"{json.dumps(key)}:{lines(parts[key])}" for key in ("kinds", "definitions")]
    SCHEMAS.write_text("{\n" + ",\n".join([*heads, *bodies]) + "\n}\n", encoding="utf-8")


def _paths(paths: Schema) -> dict[str, tuple[str, str]]:
    """Collection path and definition of each kind, from the operations that create it."""
    found: dict[str, tuple[str, str]] = {}
    for path, operations in paths.items():
        post = operations.get("post")
        if not post or post.get("x-kubernetes-action") != "post":
            continue
        what = post["x-kubernetes-group-version-kind"]
        kind = "/".join(part for part in (what["group"], what["version"], what["kind"]) if part)
        body = operations.get("parameters", []) + post.get("parameters", [])
        names = [item["schema"]["$ref"] for item in body if item.get("name") == "body"]
        if kind in KINDS and names and not path.endswith("}"):
            found[kind] = (path, names[0].rpartition("/")[2])
    return found


def _slim(schema: Schema) -> dict[str, Any]:
    slim: dict[str, Any] = {}
    for key, value in schema.items():
        if key not in _KEPT:
            continue
        if key == "properties":
            value = {name: _slim(item) for name, item in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, Mapping):
            value = _slim(cast("Schema", value))
        elif key == "$ref":
            value = _short(value.rpartition("/")[2])
        slim[key] = value
    return slim


def _references(schema: Any) -> list[str]:
    if isinstance(schema, Mapping):
        items = cast("Mapping[str, Any]", schema)
        own = [items["$ref"]] if isinstance(items.get("$ref"), str) else []
        return own + [name for value in items.values() for name in _references(value)]
    return []


def _short(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
