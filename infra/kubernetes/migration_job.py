"""The schema, brought to head before any server of a new version starts.

Owns the Job `mlflow-migration-<hash>`: one pod upgrades the tracking schema, then (with basic
authentication) the users' tables, and looks whether both are where the new server wants them. A
database of ours that is to know the server by its identity is told so first.
Its name carries a hash of what it runs, so that a new image is a new Job; the Deployment depends on
it and is left alone when it fails. Two servers that meet an old schema would both try to change it.

While it runs, servers of the previous version go on serving: MLflow's migrations add columns and
tables, and whoever wants them to rest scales the Deployment to none before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pulumi
from pulumi_kubernetes.batch.v1 import Job, JobSpecArgs
from pulumi_kubernetes.core.v1 import ContainerArgs, EnvVarArgs, PodTemplateSpecArgs
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.kubernetes.labels import MIGRATION, NAMESPACE, labels
from infra.kubernetes.pod_environment import command, job_environment
from infra.kubernetes.pod_security import container_security, job_pod, scratch
from infra.kubernetes.resources import JOB_SCRATCH_GIB, job_resources
from infra.kubernetes.wiring import KubernetesWiring

if TYPE_CHECKING:
    from infra.mlflow_server import MlflowServer
    from infra.settings import PlatformSettings

LONGEST_SECONDS = 3600
"""Enough for a large history; a migration that is killed half-way is worse than a slow one."""

RETRIES = 3
"""The first connection to a database that was just made may come too early."""

GRANT_STEP = "grant-login"

CHECK = Path(__file__).with_name("schema_check.py")
GRANT = Path(__file__).with_name("identity_grant.py")


def migration_job(
    name: str,
    settings: PlatformSettings,
    server: MlflowServer,
    wiring: KubernetesWiring,
    *,
    opts: pulumi.ResourceOptions,
) -> Job:
    """Declare the Job."""
    volume, mount = scratch(JOB_SCRATCH_GIB)
    steps = migration_steps(settings, server)
    containers = [
        ContainerArgs(
            name=step,
            image=wiring.image,
            image_pull_policy="IfNotPresent",
            command=command(words),
            env=[*job_environment(settings, wiring), *_kept_password(step, wiring)],
            resources=job_resources(),
            security_context=container_security(),
            volume_mounts=[mount],
        )
        for step, words in steps
    ]
    own = labels(settings.environment, MIGRATION)
    return Job(
        f"{name}-migration",
        metadata=ObjectMetaArgs(name=_name(wiring.image, steps), namespace=NAMESPACE, labels=own),
        spec=JobSpecArgs(
            backoff_limit=RETRIES,
            active_deadline_seconds=LONGEST_SECONDS,
            template=PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=own),
                spec=job_pod(containers[-1:], first=containers[:-1], volumes=[volume]),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                custom_timeouts=pulumi.CustomTimeouts(create=_wait(), update=_wait(), delete="2m"),
            ),
        ),
    )


def migration_steps(
    settings: PlatformSettings, server: MlflowServer
) -> list[tuple[str, Sequence[str]]]:
    """What runs, one after the other: container name and command."""
    parts = ["tracking"]
    if settings.authentication.kind == "basic":
        parts.append("authentication")
    store, login = server.migration_command[-1], database_login(settings)
    check = ("python", "-c", CHECK.read_text(encoding="utf-8"), store, login, *parts)
    steps: list[tuple[str, Sequence[str]]] = [
        ("upgrade", server.migration_command),
        ("verify-head", check),
    ]
    if login == "aws":
        grant = ("python", "-c", GRANT.read_text(encoding="utf-8"), store)
        return [(GRANT_STEP, grant), *steps]
    return steps


def _kept_password(step: str, wiring: KubernetesWiring) -> list[EnvVarArgs]:
    """Where the grant finds the password it needs once; no other step is told."""
    if step != GRANT_STEP or wiring.database_secret_arn is None:
        return []
    return [EnvVarArgs(name="DATABASE_SECRET_ARN", value=wiring.database_secret_arn)]


def database_login(settings: PlatformSettings) -> Literal["password", "aws"]:
    """How server and Job prove themselves to the database: with a password or an identity."""
    ours = not settings.database.backend_store_uri
    return "aws" if ours and settings.cloud.database.authentication == "iam" else "password"


def _name(
    image: pulumi.Input[str], steps: Sequence[tuple[str, Sequence[str]]]
) -> pulumi.Output[str]:
    def digest(image: str) -> str:
        text = json.dumps([image, *(list(words) for _, words in steps)])
        return f"{MIGRATION}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    return pulumi.Output.from_input(image).apply(digest)


def _wait() -> str:
    return f"{LONGEST_SECONDS + 120}s"
