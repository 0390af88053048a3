"""Where the containers of a Kubernetes workload are: each kind has its pod at another depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.resource_graph import Resource, mappings


def pod_path(workload: Resource) -> str:
    """The dotted path to the pod's specification."""
    if workload.type.endswith(":CronJob"):
        return "spec.jobTemplate.spec.template.spec"
    return "spec.template.spec"


def containers(workload: Resource) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each container of a workload, start-up ones included, with its path."""
    pod = pod_path(workload)
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(mappings(workload.each(f"{pod}.{kind}"))):
            yield f"{pod}.{kind}.{number}", container
