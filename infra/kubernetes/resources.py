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

JOB_CPU_MILLIS = 250
JOB_MEMORY_MIB = 1024
JOB_SCRATCH_GIB = 1


def server_resources(settings: PlatformSettings) -> ResourceRequirementsArgs:
    """Of the container that serves."""
    return _resources(
        cpu_millis=1000 * settings.server.cpus,
        memory_mib=settings.server.memory_mib,
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
