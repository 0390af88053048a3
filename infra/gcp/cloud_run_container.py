"""The server's container on Cloud Run: command, environment, secrets, probes and resources.

Owns the translation of the one server definition (`infra.mlflow_server`) into Cloud Run's terms.
The same container, with another command, runs the migration and the retention. What is known only
after deployment (the database's address, versions of secrets) comes in the environment; nothing
secret stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.mlflow_server import MlflowServer
from infra.server_probes import Probe

AUTH_CONFIG_DIRECTORY = "/etc/mlflow-auth"
AUTH_CONFIG_FILE = "basic_auth.ini"
SCRATCH = "/tmp"  # noqa: S108 - the container's own, in memory
PROMETHEUS_DIRECTORY = f"{SCRATCH}/prometheus"

LONGEST_STARTUP_SECONDS = 240
"""Cloud Run's limit for a start-up probe: failure threshold times period."""

PROBE_HOST = "localhost"
"""The probe's Host header: a name that is on MLflow's allow-list wherever the server runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretVersionReference:
    """A secret by its name and the version that is meant."""

    secret_id: pulumi.Input[str]
    version: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerWiring:
    """What stands around the container."""

    image: str
    environment: Mapping[str, pulumi.Input[str]]  # known after deployment: PGHOST
    secrets: Mapping[str, SecretVersionReference]  # by the name of the variable
    cpus: str
    memory_mib: int
    auth_config: SecretVersionReference | None = None  # mounted as a file


def service_container(
    server: MlflowServer, wiring: ContainerWiring, *, port: int, cpu_idle: bool, boost: bool
) -> gcp.cloudrunv2.ServiceTemplateContainerArgs:
    """The container that serves."""
    mounts = [
        gcp.cloudrunv2.ServiceTemplateContainerVolumeMountArgs(name="scratch", mount_path=SCRATCH)
    ]
    if wiring.auth_config is not None:
        mounts.append(
            gcp.cloudrunv2.ServiceTemplateContainerVolumeMountArgs(
                name="auth-config", mount_path=AUTH_CONFIG_DIRECTORY
            )
        )
    return gcp.cloudrunv2.ServiceTemplateContainerArgs(
        name="mlflow",
        image=wiring.image,
        commands=list(server.command),
        envs=[*_plain(server, wiring), *_secret(wiring)],
        ports=gcp.cloudrunv2.ServiceTemplateContainerPortsArgs(name="http1", container_port=port),
        resources=gcp.cloudrunv2.ServiceTemplateContainerResourcesArgs(
            limits={"cpu": wiring.cpus, "memory": f"{wiring.memory_mib}Mi"},
            cpu_idle=cpu_idle,
            startup_cpu_boost=boost,
        ),
        startup_probe=startup_probe(server.startup, port),
        liveness_probe=liveness_probe(server.liveness, port),
        volume_mounts=mounts,
    )


def service_volumes(wiring: ContainerWiring) -> list[gcp.cloudrunv2.ServiceTemplateVolumeArgs]:
    """Scratch space in memory, and the file that says where MLflow keeps its users."""
    volumes = [
        gcp.cloudrunv2.ServiceTemplateVolumeArgs(
            name="scratch",
            empty_dir=gcp.cloudrunv2.ServiceTemplateVolumeEmptyDirArgs(
                medium="MEMORY", size_limit=f"{wiring.memory_mib // 4}Mi"
            ),
        )
    ]
    if wiring.auth_config is not None:
        volumes.append(
            gcp.cloudrunv2.ServiceTemplateVolumeArgs(
                name="auth-config",
                secret=gcp.cloudrunv2.ServiceTemplateVolumeSecretArgs(
                    secret=wiring.auth_config.secret_id,
                    items=[
                        gcp.cloudrunv2.ServiceTemplateVolumeSecretItemArgs(
                            path=AUTH_CONFIG_FILE, version=wiring.auth_config.version
                        )
                    ],
                ),
            )
        )
    return volumes


def job_container(
    command: tuple[str, ...], server: MlflowServer, wiring: ContainerWiring
) -> gcp.cloudrunv2.JobTemplateTemplateContainerArgs:
    """The same container with another command, run to its end."""
    plain = [
        gcp.cloudrunv2.JobTemplateTemplateContainerEnvArgs(name=name, value=value)
        for name, value in _values(server, wiring).items()
    ]
    secret = [
        gcp.cloudrunv2.JobTemplateTemplateContainerEnvArgs(
            name=name,
            value_source=gcp.cloudrunv2.JobTemplateTemplateContainerEnvValueSourceArgs(
                secret_key_ref=gcp.cloudrunv2.JobTemplateTemplateContainerEnvValueSourceSecretKeyRefArgs(
                    secret=reference.secret_id, version=reference.version
                )
            ),
        )
        for name, reference in sorted(wiring.secrets.items())
    ]
    return gcp.cloudrunv2.JobTemplateTemplateContainerArgs(
        name="mlflow",
        image=wiring.image,
        commands=list(command),
        envs=[*plain, *secret],
        resources=gcp.cloudrunv2.JobTemplateTemplateContainerResourcesArgs(
            limits={"cpu": "1", "memory": "2048Mi"}
        ),
    )


def startup_probe(
    probe: Probe, port: int
) -> gcp.cloudrunv2.ServiceTemplateContainerStartupProbeArgs:
    """Asked until it answers; a server that never does is replaced."""
    longest = LONGEST_STARTUP_SECONDS // probe.period_seconds
    return gcp.cloudrunv2.ServiceTemplateContainerStartupProbeArgs(
        period_seconds=probe.period_seconds,
        timeout_seconds=min(probe.timeout_seconds, probe.period_seconds),
        failure_threshold=min(probe.failure_threshold, longest),
        http_get=gcp.cloudrunv2.ServiceTemplateContainerStartupProbeHttpGetArgs(
            path=probe.path,
            port=port,
            http_headers=[
                gcp.cloudrunv2.ServiceTemplateContainerStartupProbeHttpGetHttpHeaderArgs(
                    name="Host", value=PROBE_HOST
                )
            ],
        ),
    )


def liveness_probe(
    probe: Probe, port: int
) -> gcp.cloudrunv2.ServiceTemplateContainerLivenessProbeArgs:
    """An instance that no longer answers is replaced."""
    return gcp.cloudrunv2.ServiceTemplateContainerLivenessProbeArgs(
        period_seconds=probe.period_seconds,
        timeout_seconds=min(probe.timeout_seconds, probe.period_seconds),
        failure_threshold=probe.failure_threshold,
        http_get=gcp.cloudrunv2.ServiceTemplateContainerLivenessProbeHttpGetArgs(
            path=probe.path,
            port=port,
            http_headers=[
                gcp.cloudrunv2.ServiceTemplateContainerLivenessProbeHttpGetHttpHeaderArgs(
                    name="Host", value=PROBE_HOST
                )
            ],
        ),
    )


def _values(server: MlflowServer, wiring: ContainerWiring) -> dict[str, pulumi.Input[str]]:
    return {**dict(sorted(server.environment.items())), **wiring.environment}


def _plain(
    server: MlflowServer, wiring: ContainerWiring
) -> list[gcp.cloudrunv2.ServiceTemplateContainerEnvArgs]:
    return [
        gcp.cloudrunv2.ServiceTemplateContainerEnvArgs(name=name, value=value)
        for name, value in _values(server, wiring).items()
    ]


def _secret(wiring: ContainerWiring) -> list[gcp.cloudrunv2.ServiceTemplateContainerEnvArgs]:
    return [
        gcp.cloudrunv2.ServiceTemplateContainerEnvArgs(
            name=name,
            value_source=gcp.cloudrunv2.ServiceTemplateContainerEnvValueSourceArgs(
                secret_key_ref=gcp.cloudrunv2.ServiceTemplateContainerEnvValueSourceSecretKeyRefArgs(
                    secret=reference.secret_id, version=reference.version
                )
            ),
        )
        for name, reference in sorted(wiring.secrets.items())
    ]
