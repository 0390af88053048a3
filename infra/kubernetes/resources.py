"""Processor, memory and disk of the pods.

Owns how they follow from the settings. Memory is requested as it is limited: a pod that is promised
less than it uses is the first to be killed when its node runs short. Processors have no limit: a
throttled server answers its probes late and is restarted for it, while its neighbours' requests are
guarded by the scheduler anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_kubernetes.core.v1 import ResourceRequirementsArgs

if TYPE_CHECKING:
    from infra.settings import PlatformSettings

CPU_MILLIS_PER_WORKER = 500
MEMORY_MIB_PER_WORKER = 512
"""A worker takes 250 to 350 MiB after some thousand requests; the rest is for large answers."""

MEMORY_MIB_OF_THE_PARENT = 256

JOB_CPU_MILLIS = 250
JOB_MEMORY_MIB = 1024
JOB_SCRATCH_GIB = 1


def server_resources(settings: PlatformSettings) -> ResourceRequirementsArgs:
    """Of the container that serves."""
    workers = settings.server.workers
    return _resources(
        cpu_millis=CPU_MILLIS_PER_WORKER * workers,
        memory_mib=MEMORY_MIB_PER_WORKER * workers + MEMORY_MIB_OF_THE_PARENT,
        disk_gib=settings.kubernetes.scratch_gib,
    )


def job_resources() -> ResourceRequirementsArgs:
    """Of a migration or a clean-up."""
    return _resources(
        cpu_millis=JOB_CPU_MILLIS, memory_mib=JOB_MEMORY_MIB, disk_gib=JOB_SCRATCH_GIB
    )


def _resources(*, cpu_millis: int, memory_mib: int, disk_gib: int) -> ResourceRequirementsArgs:
    memory, disk = f"{memory_mib}Mi", f"{disk_gib}Gi"
    # One GiB beside the scratch folder: logs and what else the kubelet counts.
    whole = f"{disk_gib + 1}Gi"
    return ResourceRequirementsArgs(
        requests={"cpu": f"{cpu_millis}m", "memory": memory, "ephemeral-storage": disk},
        limits={"memory": memory, "ephemeral-storage": whole},
    )
