"""Which metrics AWS publishes under its own namespaces.

Owns the names in the JSON file beside this one, from AWS's own lists (metrics of RDS, Application
Load Balancer, Backup, S3, NAT gateway, EKS, SNS; Container Insights), with the dimensions of each
namespace. A namespace that does not begin with `AWS/` is somebody's own: anything may be in it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import Properties

_FILE = Path(__file__).with_suffix(".json")


@cache
def published() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """Return `metrics` and `dimensions` by namespace."""
    told: dict[str, dict[str, list[str]]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return {
        namespace: {kind: frozenset(names) for kind, names in entry.items()}
        for namespace, entry in told.items()
    }


def check_metric(metric: Properties, path: str) -> Iterator[InputProblem]:
    """Yield a namespace, a metric or a dimension that does not exist."""
    namespace, name = metric.get("namespace"), metric.get("metricName", "")
    if namespace is None:
        yield InputProblem(path, "ValidationError: a metric needs a namespace")
        return
    entry = published().get(namespace)
    if entry is None:
        if namespace.startswith("AWS/"):
            yield InputProblem(
                path, f"no metrics are published under {namespace}: {_near(namespace, published())}"
            )
        return
    if name not in entry["metrics"]:
        near = _near(name, entry["metrics"])
        yield InputProblem(path, f"{namespace} has no metric {name}: {near}")
    for dimension in sorted(metric.get("dimensions") or {}):
        if dimension not in entry["dimensions"]:
            near = _near(dimension, entry["dimensions"])
            yield InputProblem(path, f"{namespace} has no dimension {dimension}: {near}")


def _near(name: str, known: Mapping[str, object] | frozenset[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.0)
    return f"the nearest is {found[0]}"
