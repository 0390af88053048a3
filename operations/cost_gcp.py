"""What each Google Cloud resource of a stack costs by existing.

Owns the quantities, among them what a warm instance of Cloud Run costs: idle ones at the idle
rate, or at the full rate where the CPU is always allocated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from operations.cost_items import Amount, Count, Counting
from policies.resource_graph import Resource, ResourceGraph, mappings

SERVICE = "gcp:cloudrunv2/service:Service"
DATABASE = "gcp:sql/databaseInstance:DatabaseInstance"
CUSTOM_TIER = re.compile(r"db-custom-(?P<cpus>\d+)-(?P<mib>\d+)")
GIB_OF = {
    "Ki": 2**-20,
    "Mi": 2**-10,
    "Gi": 1.0,
    "k": 1e3 / 2**30,
    "M": 1e6 / 2**30,
    "G": 1e9 / 2**30,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Warm:
    """The instances that a Cloud Run service keeps."""

    instances: int
    cpus: float
    gib: float
    always_allocated: bool

    @property
    def rate(self) -> str:
        """Whose prices they take: `idle` or `always`."""
        return "always" if self.always_allocated else "idle"


def warm_instances(service: Resource) -> Warm:
    """What a service keeps warm, as its template says."""
    cpus = gib = 0.0
    idle = True
    for container in mappings(service.each("template.containers")):
        one = Resource(type="", urn="", properties=container)
        cpus += quantity(one.get("resources.limits.cpu")) or 1.0
        gib += gib_of(one.get("resources.limits.memory")) or 0.5
        idle = idle and one.get("resources.cpuIdle") is not False
    return Warm(
        instances=int(service.number("template.scaling.minInstanceCount") or 0),
        cpus=cpus,
        gib=gib,
        always_allocated=not idle,
    )


def quantity(written: object) -> float | None:
    """CPUs in Kubernetes' notation: `2`, `1000m`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", str(written))
    return float(match[1]) / (1000 if match[2] else 1) if match else None


def gib_of(written: object) -> float | None:
    """Memory in Kubernetes' notation, in GiB: `896Mi`, `2Gi`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi|k|M|G)", str(written))
    return float(match[1]) * GIB_OF[match[2]] if match else None


def _region(graph: ResourceGraph) -> str:
    for kind, path in ((DATABASE, "region"), (SERVICE, "location")):
        for one in graph.of(kind):
            if one.is_given(path):
                return str(one.get(path))
    return ""


def _service(_graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
    warm = warm_instances(one)
    if warm.instances == 0:
        return
    how = "always allocated" if warm.always_allocated else "idle"
    for price, each, unit in (("vcpu", warm.cpus, "vCPU"), ("gib", warm.gib, "GiB")):
        yield Amount(
            price=f"gcp.run.{warm.rate}_{price}",
            quantity=warm.instances * each,
            item="Cloud Run, warm instances",
            resource=one,
            detail=f"{warm.instances} x {each:g} {unit}, {how}",
        )


def _database(_graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
    names = ["Cloud SQL read replica" if one.is_given("masterInstanceName") else "Cloud SQL"]
    if one.get("settings.availabilityType") == "REGIONAL":
        names.append("Cloud SQL standby (regional)")
    disk = {"PD_SSD": "ssd", "PD_HDD": "hdd"}.get(str(one.get("settings.diskType")), "ssd")
    size = one.number("settings.diskSize") or 10
    for name in names:
        yield from _machine(name, one)
        yield Amount(
            price=f"gcp.sql.storage.{disk}",
            quantity=size,
            item=f"{name}, storage",
            resource=one,
            detail=f"{size:g} GiB {disk.upper()}",
        )


def _machine(name: str, one: Resource) -> Iterator[Amount]:
    tier = str(one.get("settings.tier"))
    found = CUSTOM_TIER.fullmatch(tier)
    if not found:
        yield Amount(price=f"gcp.sql.{tier}", quantity=1, item=name, resource=one, detail=tier)
        return
    cpus, gib = int(found["cpus"]), int(found["mib"]) / 1024
    edition = str(one.get("settings.edition") or "ENTERPRISE").lower()
    for price, each, unit in (("vcpu", cpus, "vCPU"), ("gib", gib, "GiB")):
        yield Amount(
            price=f"gcp.sql.{edition}.{price}",
            quantity=each,
            item=name,
            resource=one,
            detail=f"{each:g} {unit}",
        )


def _one(price: str, item: str) -> Count:
    def count(_graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
        yield Amount(price=price, quantity=1, item=item, resource=one)

    return count


GCP = Counting(
    prefix="gcp:",
    region=_region,
    counted={
        SERVICE: _service,
        DATABASE: _database,
        "gcp:compute/globalForwardingRule:GlobalForwardingRule": _one(
            "gcp.lb.forwarding_rule", "Load balancer, forwarding rule"
        ),
        "gcp:kms/cryptoKey:CryptoKey": _one("gcp.kms.key_version", "Cloud KMS, active version"),
        "gcp:secretmanager/secretVersion:SecretVersion": _one(
            "gcp.secretmanager.version", "Secret Manager, active versions"
        ),
        "gcp:cloudscheduler/job:Job": _one("gcp.scheduler.job", "Cloud Scheduler, jobs"),
    },
    by_use={
        SERVICE: "Cloud Run: time spent on requests, at the busy rate; instances that load adds",
        DATABASE: "Cloud SQL: backups and transaction logs",
        "gcp:cloudrunv2/job:Job": "Cloud Run jobs: seconds of migration and retention",
        "gcp:storage/bucket:Bucket": "GCS: GiB stored, versions and soft-deleted ones included, "
        "and operations",
        "gcp:artifactregistry/repository:Repository": "Artifact Registry: GiB of images",
        "gcp:compute/network:Network": "Traffic between zones and to the internet",
        "gcp:compute/globalForwardingRule:GlobalForwardingRule": "Load balancer: GiB processed",
        "gcp:kms/cryptoKey:CryptoKey": "Cloud KMS: operations; versions that rotation leaves",
        "gcp:monitoring/alertPolicy:AlertPolicy": "Cloud Monitoring: alert conditions, logs, "
        "uptime checks beyond what is free",
    },
    free=(
        "gcp:compute/",
        "gcp:cloudrunv2/jobIamMember:",
        "gcp:cloudrunv2/serviceIamMember:",
        "gcp:iap/",
        "gcp:kms/",
        "gcp:monitoring/",
        "gcp:projects/",
        "gcp:secretmanager/",
        "gcp:serviceaccount/",
        "gcp:servicenetworking/",
        "gcp:sql/database:",
        "gcp:sql/user:",
        "gcp:storage/bucketIAMMember:",
    ),
)
