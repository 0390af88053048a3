"""What a pod of ours may do on its node: serve, compute, write to its own scratch folders.

Owns the security contexts that the Pod Security Standard `restricted` asks for and more: a user id
that is no node's user, a root filesystem that nobody can write to, no token for Kubernetes' API.
"""

from __future__ import annotations

from collections.abc import Sequence

from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ContainerArgs,
    EmptyDirVolumeSourceArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
    VolumeArgs,
    VolumeMountArgs,
)

from infra.kubernetes.labels import SERVER

USER_ID = 10001
"""Above 10000: ids below are handed out to users of the node itself."""

SCRATCH = "/tmp"  # noqa: S108 - a pod's own folder, nobody else's
HOME = SCRATCH


def pod_security() -> PodSecurityContextArgs:
    """Of every container in the pod."""
    return PodSecurityContextArgs(
        run_as_non_root=True,
        run_as_user=USER_ID,
        run_as_group=USER_ID,
        fs_group=USER_ID,
        seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
    )


def container_security() -> SecurityContextArgs:
    """Of one container."""
    return SecurityContextArgs(
        allow_privilege_escalation=False,
        privileged=False,
        read_only_root_filesystem=True,
        run_as_non_root=True,
        capabilities=CapabilitiesArgs(drop=["ALL"]),
    )


def scratch(gib: int) -> tuple[VolumeArgs, VolumeMountArgs]:
    """A writable /tmp that dies with the pod, and where it is mounted."""
    return (
        VolumeArgs(name="scratch", empty_dir=EmptyDirVolumeSourceArgs(size_limit=f"{gib}Gi")),
        VolumeMountArgs(name="scratch", mount_path=SCRATCH),
    )


def job_pod(
    containers: Sequence[ContainerArgs],
    *,
    volumes: Sequence[VolumeArgs],
    first: Sequence[ContainerArgs] = (),
) -> PodSpecArgs:
    """A pod that runs to its end: `first` one after the other, then `containers`."""
    return PodSpecArgs(
        service_account_name=SERVER,
        automount_service_account_token=False,
        enable_service_links=False,
        restart_policy="Never",
        security_context=pod_security(),
        init_containers=list(first),
        containers=list(containers),
        volumes=list(volumes),
    )
