"""What an API server refuses though the shape is right: names, references within one object.

Owns the few rules that a program of ours could break, worded as the API server words them. They
stand in for it where none runs; where one does, all of its own rules hold as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from simulated_cloud.errors import InputProblem
from simulated_cloud.kubernetes.object_kinds import Kind

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_LABEL_ONLY = re.compile(_LABEL)
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LABEL_KINDS = frozenset({"Namespace", "Service"})

Fields = Mapping[str, Any]


def problems(manifest: Fields, kind: Kind) -> Iterator[InputProblem]:
    """Yield what would be refused in a manifest without unknown values."""
    yield from _names(manifest, kind)
    spec: Fields = manifest.get("spec") or {}
    if kind.name in ("Deployment", "StatefulSet", "DaemonSet"):
        yield from _selector(spec)
        yield from _pod(spec["template"].get("spec") or {}, "spec.template.spec", {"Always"})
    if kind.name == "Job":
        yield from _pod(spec["template"]["spec"], "spec.template.spec", {"Never", "OnFailure"})
    if kind.name == "CronJob":
        yield from _pod(
            spec["jobTemplate"]["spec"]["template"]["spec"],
            "spec.jobTemplate.spec.template.spec",
            {"Never", "OnFailure"},
        )
    if kind.name == "HorizontalPodAutoscaler":
        fewest, most = spec.get("minReplicas", 1), spec["maxReplicas"]
        if fewest > most:
            yield _invalid(
                "spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"
            )
    if kind.name == "PodDisruptionBudget" and {"minAvailable", "maxUnavailable"} <= spec.keys():
        yield _invalid("spec", "both", "minAvailable and maxUnavailable cannot be both set")


def _names(manifest: Fields, kind: Kind) -> Iterator[InputProblem]:
    metadata: Fields = manifest.get("metadata") or {}
    name = str(metadata.get("name", ""))
    label = kind.name in _LABEL_KINDS
    pattern, longest = (_LABEL_ONLY, 63) if label else (_SUBDOMAIN, 253)
    if not pattern.fullmatch(name):
        what = "RFC 1123 label" if label else "RFC 1123 subdomain"
        yield _invalid(
            "metadata.name",
            name,
            f"a lowercase {what} must consist of lower case "
            "alphanumeric characters or '-', and must start and end with one",
        )
    elif len(name) > longest:
        yield _invalid("metadata.name", name, f"must be no more than {longest} characters")
    for key, value in cast("Fields", metadata.get("labels") or {}).items():
        if len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            yield _invalid("metadata.labels", value, f"the value of {key} is no valid label value")


def _selector(spec: Fields) -> Iterator[InputProblem]:
    wanted: Fields = spec["selector"].get("matchLabels") or {}
    labels: Fields = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not wanted.items() <= labels.items():
        yield _invalid(
            "spec.template.metadata.labels",
            dict(labels),
            "`selector` does not match template `labels`",
        )


def _pod(pod: Fields, path: str, policies: set[str]) -> Iterator[InputProblem]:
    policy = pod.get("restartPolicy", "Always")
    if policy not in policies:
        yield InputProblem(
            f"{path}.restartPolicy",
            f'{path}.restartPolicy: Unsupported value: "{policy}": supported values: '
            + ", ".join(f'"{item}"' for item in sorted(policies)),
        )
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    seen: set[str] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(pod.get(group) or []):
            where = f"{path}.{group}[{index}]"
            if container["name"] in seen:
                yield InputProblem(
                    f"{where}.name", f'{where}.name: Duplicate value: "{container["name"]}"'
                )
            seen.add(container["name"])
            for number, mount in enumerate(container.get("volumeMounts", [])):
                if mount["name"] not in volumes:
                    at = f"{where}.volumeMounts[{number}].name"
                    yield InputProblem(at, f'{at}: Not found: "{mount["name"]}"')
            yield from _resources(container.get("resources") or {}, f"{where}.resources")


def _resources(resources: Fields, path: str) -> Iterator[InputProblem]:
    limits = cast("Fields", resources.get("limits") or {})
    for name, asked in cast("Fields", resources.get("requests") or {}).items():
        if name in limits and amount(asked) > amount(limits[name]):
            yield _invalid(
                f"{path}.requests",
                asked,
                f"must be less than or equal to {name} limit of {limits[name]}",
            )


def amount(quantity: Any) -> float:
    """The number that a quantity (`500m`, `1Gi`) stands for."""
    text = str(quantity)
    number = re.match(r"[+-]?(\d+\.?\d*|\.\d+)", text)
    if number is None:
        raise ValueError(f"{text} is no quantity")
    suffix = text[number.end() :]
    if suffix[:1] in ("e", "E") and suffix[1:]:
        return float(text)
    return float(number[0]) * _SUFFIXES[suffix]


_SUFFIXES = {
    "": 1.0,
    **{sign: 10.0**power for sign, power in zip("num", (-9, -6, -3), strict=True)},
    **{sign: 1000.0**power for power, sign in enumerate("kMGTPE", 1)},
    **{f"{sign}i": 1024.0**power for power, sign in enumerate("KMGTPE", 1)},
}


def _invalid(path: str, value: Any, reason: str) -> InputProblem:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return InputProblem(path, f"{path}: Invalid value: {shown}: {reason}")
