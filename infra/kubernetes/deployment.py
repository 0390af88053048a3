"""The servers: a Deployment whose pods come, serve and go without losing a request.

Owns the pod of a server and how one replaces another. How many there are is the autoscaler's
business, so no number of replicas stands here: an update would undo what it decided.

How a pod goes: Kubernetes takes it out of the Service and sends SIGTERM at the same moment. The
server itself goes on taking requests for `serverDrainSeconds`, since not everybody has heard of it
yet (which is why there is no pre-stop pause here), then ends those in flight; what is left after
`termination_grace_period_seconds` is cut off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.core.v1 import (
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    TopologySpreadConstraintArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.kubernetes.labels import (
    AUTH_CONFIG,
    DATABASE_SECRET,
    NAMESPACE,
    PORT_NAME,
    SERVER,
    labels,
    selector,
)
from infra.kubernetes.pod_environment import command, server_environment
from infra.kubernetes.pod_probes import http_probe, readiness_probe
from infra.kubernetes.pod_security import container_security, pod_security, scratch
from infra.kubernetes.resources import server_resources
from infra.kubernetes.wiring import KubernetesWiring
from infra.settings_derived_numbers import ROLLING_SURGE

if TYPE_CHECKING:
    from infra.mlflow_server import MlflowServer
    from infra.settings import PlatformSettings

AUTH_CONFIG_DIR = "/etc/mlflow"
AUTH_CONFIG_FILE = f"{AUTH_CONFIG_DIR}/basic_auth.ini"
PROMETHEUS_DIR = "/run/mlflow-prometheus"

KUBELET_SECONDS = 5
"""Between the end of the process and the moment at which it would be killed."""

MIN_READY_SECONDS = 10
"""A pod that answers once and dies is not counted as a success."""

PROGRESS_DEADLINE_SECONDS = 240
"""The startup probe's patience (120 s) and an image's pull; then a rollout has failed."""

SECONDS_PER_SERVER = 60
"""What a healthy server takes to replace its predecessor, with room."""


def deployment(
    name: str,
    settings: PlatformSettings,
    server: MlflowServer,
    wiring: KubernetesWiring,
    *,
    checksums: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> Deployment:
    """Declare the Deployment; `checksums` are annotations that change with what pods read."""
    own = labels(settings.environment)
    wait = f"{PROGRESS_DEADLINE_SECONDS + SECONDS_PER_SERVER * settings.server.replicas}s"
    return Deployment(
        f"{name}-deployment",
        metadata=ObjectMetaArgs(
            name=SERVER,
            namespace=NAMESPACE,
            labels=own,
            annotations=_rolled_by(settings),
        ),
        spec=DeploymentSpecArgs(
            selector=LabelSelectorArgs(match_labels=selector()),
            strategy=DeploymentStrategyArgs(
                type="RollingUpdate",
                rolling_update=RollingUpdateDeploymentArgs(
                    max_surge=ROLLING_SURGE, max_unavailable=0
                ),
            ),
            min_ready_seconds=MIN_READY_SECONDS,
            progress_deadline_seconds=PROGRESS_DEADLINE_SECONDS,
            revision_history_limit=5,
            template=PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=own, annotations=dict(checksums)),
                spec=_pod(settings, server, wiring),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                custom_timeouts=pulumi.CustomTimeouts(create=wait, update=wait, delete="5m"),
            ),
        ),
    )


def _pod(settings: PlatformSettings, server: MlflowServer, wiring: KubernetesWiring) -> PodSpecArgs:
    volumes, mounts = _volumes(settings, server)
    return PodSpecArgs(
        service_account_name=SERVER,
        automount_service_account_token=False,
        # A Service `mlflow` would set MLFLOW_PORT, which `mlflow server` reads as its own.
        enable_service_links=False,
        termination_grace_period_seconds=server.graceful_shutdown_seconds + KUBELET_SECONDS,
        security_context=pod_security(),
        topology_spread_constraints=_spread(settings),
        containers=[
            ContainerArgs(
                name=SERVER,
                image=wiring.image,
                image_pull_policy="IfNotPresent",
                command=command(server.command),
                env=server_environment(settings, server, wiring),
                ports=[ContainerPortArgs(name=PORT_NAME, container_port=settings.server.port)],
                startup_probe=http_probe(server.startup),
                readiness_probe=readiness_probe(settings, server),
                liveness_probe=http_probe(server.liveness),
                resources=server_resources(settings),
                security_context=container_security(),
                volume_mounts=mounts,
            )
        ],
        volumes=volumes,
    )


def _volumes(
    settings: PlatformSettings, server: MlflowServer
) -> tuple[list[VolumeArgs], list[VolumeMountArgs]]:
    volume, mount = scratch(settings.kubernetes.scratch_gib)
    volumes, mounts = [volume], [mount]
    if settings.telemetry.prometheus:
        # In memory: counters are written on every request.
        memory = EmptyDirVolumeSourceArgs(medium="Memory", size_limit="64Mi")
        volumes.append(VolumeArgs(name="prometheus", empty_dir=memory))
        mounts.append(VolumeMountArgs(name="prometheus", mount_path=PROMETHEUS_DIR))
    if server.auth_config is not None:
        source = ConfigMapVolumeSourceArgs(name=AUTH_CONFIG)
        volumes.append(VolumeArgs(name="auth-config", config_map=source))
        mounts.append(
            VolumeMountArgs(name="auth-config", mount_path=AUTH_CONFIG_DIR, read_only=True)
        )
    return volumes, mounts


def _spread(settings: PlatformSettings) -> Sequence[TopologySpreadConstraintArgs]:
    """Over zones where that is possible; over nodes always, where more than one server must live.

    Counted among pods of one version, or a rollout would be judged by the pods it replaces; and
    over nodes that take pods, or a drained one would stop the others from being used.
    """

    def over(key: str, when_unsatisfiable: str) -> TopologySpreadConstraintArgs:
        return TopologySpreadConstraintArgs(
            topology_key=key,
            max_skew=1,
            when_unsatisfiable=when_unsatisfiable,
            node_taints_policy="Honor",
            label_selector=LabelSelectorArgs(match_labels=selector()),
            match_label_keys=["pod-template-hash"],
        )

    apart = "DoNotSchedule" if settings.kubernetes.replicas_minimum > 1 else "ScheduleAnyway"
    return [
        over("topology.kubernetes.io/zone", "ScheduleAnyway"),
        over("kubernetes.io/hostname", apart),
    ]


def _rolled_by(settings: PlatformSettings) -> dict[str, str]:
    """Where the cloud rotates the password, the Reloader restarts the pods with the old one."""
    if not settings.kubernetes.external_secrets:
        return {}
    return {"secret.reloader.stakater.com/reload": DATABASE_SECRET}
