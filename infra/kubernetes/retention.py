"""Deleted runs, removed for good: a CronJob that runs `mlflow gc`.

Owns the only thing on the platform that removes anything by age, and it removes only what a user
deleted and did not restore for `retentionDays`: `mlflow gc` considers runs and experiments in the
lifecycle stage `deleted` and no others. Live runs and their artifacts have no age limit anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.batch.v1 import CronJob, CronJobSpecArgs, JobSpecArgs, JobTemplateSpecArgs
from pulumi_kubernetes.core.v1 import ContainerArgs, EnvVarArgs, PodTemplateSpecArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.kubernetes.credentials import from_secret
from infra.kubernetes.labels import AUTH_SECRET, NAMESPACE, RETENTION, labels
from infra.kubernetes.pod_environment import command, job_environment
from infra.kubernetes.pod_security import container_security, job_pod, scratch
from infra.kubernetes.resources import JOB_SCRATCH_GIB, job_resources
from infra.kubernetes.wiring import KubernetesWiring
from infra.server_address import SERVICE_HOST

if TYPE_CHECKING:
    from infra.mlflow_server import MlflowServer
    from infra.settings import PlatformSettings

LONGEST_SECONDS = 6 * 3600
MISSED_BY_SECONDS = 3600
"""A cluster that was away when the hour struck runs it late, but not half a day late."""


def retention(
    name: str,
    settings: PlatformSettings,
    server: MlflowServer,
    wiring: KubernetesWiring,
    *,
    opts: pulumi.ResourceOptions,
) -> CronJob:
    """Declare the CronJob."""
    volume, mount = scratch(JOB_SCRATCH_GIB)
    own = labels(settings.environment, RETENTION)
    container = ContainerArgs(
        name="gc",
        image=wiring.image,
        image_pull_policy="IfNotPresent",
        command=command(retention_command(settings, server)),
        env=[*job_environment(settings, wiring), *_client_credentials(settings)],
        resources=job_resources(),
        security_context=container_security(),
        volume_mounts=[mount],
    )
    return CronJob(
        f"{name}-retention",
        metadata=ObjectMetaArgs(name=RETENTION, namespace=NAMESPACE, labels=own),
        spec=CronJobSpecArgs(
            schedule=settings.kubernetes.retention.schedule,
            time_zone="Etc/UTC",
            concurrency_policy="Forbid",
            starting_deadline_seconds=MISSED_BY_SECONDS,
            successful_jobs_history_limit=1,
            failed_jobs_history_limit=3,
            job_template=JobTemplateSpecArgs(
                spec=JobSpecArgs(
                    # What one attempt could not remove, the next night's removes.
                    backoff_limit=0,
                    active_deadline_seconds=LONGEST_SECONDS,
                    template=PodTemplateSpecArgs(
                        metadata=ObjectMetaArgs(labels=own),
                        spec=job_pod([container], volumes=[volume]),
                    ),
                )
            ),
        ),
        opts=opts,
    )


def retention_command(settings: PlatformSettings, server: MlflowServer) -> tuple[str, ...]:
    """The server's own removal of deleted runs, by the login the server has."""
    address = f"http://{SERVICE_HOST}:{settings.server.port}{settings.server.static_prefix}"
    return server.retention_command(
        settings.kubernetes.retention.days, address if settings.server.serve_artifacts else None
    )


def _client_credentials(settings: PlatformSettings) -> list[EnvVarArgs]:
    if settings.authentication.kind != "basic":
        return []
    return [
        from_secret("MLFLOW_TRACKING_USERNAME", AUTH_SECRET, "username"),
        from_secret("MLFLOW_TRACKING_PASSWORD", AUTH_SECRET, "password"),
    ]
