"""Cloud Run: services and jobs.

Owns what Cloud Run refuses: limits of processor and memory that do not go together, probes outside
its bounds, more concurrency or time than it has, secrets and networks that are not there, fewer
instances at most than at least. Containers are not run here; a test starts the deployed command.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from simulated_cloud.errors import InputProblem
from simulated_cloud.gcp.cloud import PROJECT_NUMBER, GcpCloud
from simulated_cloud.gcp.compute import NETWORK, SERVICE, SUBNETWORK
from simulated_cloud.gcp.gcp_type import GcpType, at, every, keeps
from simulated_cloud.gcp.iam import ACCOUNT, JOB, SECRET
from simulated_cloud.gcp.secretmanager import VERSION
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?")
"""Up to 49 characters (Cloud Run's documentation, "Service name")."""

INGRESS = (
    "INGRESS_TRAFFIC_ALL",
    "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
)
LONGEST_PROBE_SECONDS = 240
LONGEST_REQUEST_SECONDS = 3600
MOST_CONCURRENCY = 1000
MIB_BY_CPUS = {"1": (128, 4096), "2": (128, 8192), "4": (2048, 16384), "6": (4096, 24576)}
MIB_BY_CPUS["8"] = (4096, 32768)
"""Memory that goes with processors (Cloud Run's documentation, "Memory limits")."""


def _reference_paths(template: str) -> dict[str, str]:
    container = f"{template}.containers.envs.valueSource.secretKeyRef.secret"
    interfaces = f"{template}.vpcAccess.networkInterfaces"
    return {
        container: SECRET,
        f"{template}.serviceAccount": ACCOUNT,
        f"{template}.volumes.secret.secret": SECRET,
        f"{interfaces}.network": NETWORK,
        f"{interfaces}.subnetwork": SUBNETWORK,
    }


@keeps
class Service(GcpType):
    """cloudrunv2.Service."""

    token = SERVICE
    title = "Service"
    identity = "projects/{project}/locations/{location}/services/{name}"
    name_property = "name"
    replace_on = frozenset({"name", "location", "project"})
    refers_to = _reference_paths("template")
    protected_by = ("deletionProtection",)
    defaults = {  # noqa: RUF012
        "deletionProtection": True,
        "ingress": "INGRESS_TRAFFIC_ALL",
        "launchStage": "GA",
    }

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what no service can be."""
        yield from _name_problems(inputs)
        ingress = inputs.get("ingress")
        if ingress is not None and ingress not in INGRESS:
            yield InputProblem("ingress", f"expected one of {', '.join(INGRESS)}, got {ingress}")
        template = inputs.get("template") or {}
        yield from _scaling_problems(template)
        for container in template.get("containers") or []:
            yield from _resource_problems(container)
            for probe in ("startupProbe", "livenessProbe"):
                yield from _probe_problems(probe, container.get(probe) or {})

    def refuse(self, cloud: GcpCloud, values: Properties) -> Iterator[str]:
        """Yield versions of secrets that are not there."""
        yield from _missing_versions(cloud, values.get("template") or {})

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add address and revision."""
        host = f"{values['name']}-{PROJECT_NUMBER}.{values['location']}.run.app"
        return {
            "uri": f"https://{host}",
            "urls": [f"https://{host}"],
            "generation": "1",
            "latestReadyRevision": f"{identity}/revisions/{values['name']}-00001",
        }


@keeps
class Job(GcpType):
    """cloudrunv2.Job: run when it is made or changed with an execution token."""

    token = JOB
    title = "Job"
    identity = "projects/{project}/locations/{location}/jobs/{name}"
    name_property = "name"
    replace_on = frozenset({"name", "location", "project"})
    refers_to = _reference_paths("template.template")
    protected_by = ("deletionProtection",)
    defaults = {"deletionProtection": True, "launchStage": "GA"}  # noqa: RUF012

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what no job can be."""
        yield from _name_problems(inputs)
        name, token = str(inputs.get("name") or ""), str(inputs.get("runExecutionToken") or "")
        if token and len(name) + len(token) >= 63:
            yield InputProblem(
                "runExecutionToken",
                "The sum of job name and token length must be fewer than 63 characters",
            )
        if token and inputs.get("launchStage") not in ("BETA", "ALPHA"):
            yield InputProblem("launchStage", "runExecutionToken needs launch stage BETA, got GA")
        for container in (
            at(inputs, "template.template") and every(inputs, "template.template.containers")
        ) or []:
            yield from _resource_problems(container)

    def refuse(self, cloud: GcpCloud, values: Properties) -> Iterator[str]:
        """Yield versions of secrets that are not there."""
        yield from _missing_versions(cloud, at(values, "template.template") or {})

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add how often it ran."""
        token = values.get("runExecutionToken")
        return {
            "executionCount": 1 if token else 0,
            "latestCreatedExecutions": [
                {"name": f"{values['name']}-{token}", "completionTime": "2026-01-01T00:00:00Z"}
            ]
            if token
            else [],
        }


def _name_problems(inputs: Properties) -> Iterator[InputProblem]:
    name = inputs.get("name")
    if name is not None and not _NAME.fullmatch(str(name)):
        yield InputProblem(
            "name",
            f"Invalid resource name {name}: only lowercase, digits, and hyphens; must begin with "
            "letter, and may not end with hyphen; must be less than 50 characters",
        )


def _scaling_problems(template: Properties) -> Iterator[InputProblem]:
    least = at(template, "scaling.minInstanceCount")
    most = at(template, "scaling.maxInstanceCount")
    if least and most and least > most:
        yield InputProblem(
            "template.scaling",
            f"min_instance_count ({least}) must be less than or equal to max_instance_count "
            f"({most})",
        )
    concurrency = template.get("maxInstanceRequestConcurrency")
    if concurrency is not None and not 1 <= concurrency <= MOST_CONCURRENCY:
        yield InputProblem(
            "template.maxInstanceRequestConcurrency",
            f"must be between 1 and {MOST_CONCURRENCY}, got {concurrency}",
        )
    timeout = str(template.get("timeout") or "0s").removesuffix("s")
    if int(float(timeout)) > LONGEST_REQUEST_SECONDS:
        yield InputProblem(
            "template.timeout", f"must be at most {LONGEST_REQUEST_SECONDS}s, got {timeout}s"
        )


def _resource_problems(container: Properties) -> Iterator[InputProblem]:
    limits: dict[str, Any] = at(container, "resources.limits") or {}
    cpus, memory = str(limits.get("cpu") or "1"), str(limits.get("memory") or "512Mi")
    if cpus not in MIB_BY_CPUS:
        yield InputProblem(
            "template.containers.resources.limits",
            f"Invalid value specified for cpu. For the specified value, {cpus}, the allowed values "
            f"are {', '.join(MIB_BY_CPUS)}",
        )
        return
    mib = int(memory.removesuffix("Mi")) if memory.endswith("Mi") else None
    least, most = MIB_BY_CPUS[cpus]
    if mib is not None and not least <= mib <= most:
        yield InputProblem(
            "template.containers.resources.limits",
            f"Invalid value specified for container memory. For {cpus} CPU, memory must be between "
            f"{least}Mi and {most}Mi inclusive, got {memory}",
        )


def _probe_problems(name: str, probe: Properties) -> Iterator[InputProblem]:
    period, timeout = probe.get("periodSeconds") or 10, probe.get("timeoutSeconds") or 1
    if timeout > period:
        yield InputProblem(
            f"template.containers.{name}",
            f"{name}.timeout_seconds ({timeout}) must be less than or equal to period_seconds "
            f"({period})",
        )
    longest = period * (probe.get("failureThreshold") or 3)
    if name == "startupProbe" and longest > LONGEST_PROBE_SECONDS:
        yield InputProblem(
            f"template.containers.{name}",
            f"failure_threshold * period_seconds must be at most {LONGEST_PROBE_SECONDS}, got "
            f"{longest}",
        )


def _missing_versions(cloud: GcpCloud, template: Properties) -> Iterator[str]:
    for reference in every(template, "containers.envs.valueSource.secretKeyRef"):
        secret = cloud.find(SECRET, str(reference["secret"]))
        name = str(reference["secret"])
        full = name if "/" in name else f"projects/{cloud.project}/secrets/{name}"
        version = str(reference.get("version") or "latest")
        known = cloud.store.get(VERSION, f"{full}/versions/{version}")
        if secret is None or (version != "latest" and known is None):
            yield f"Secret {full}/versions/{version} was not found"


TYPES = (Service, Job)
