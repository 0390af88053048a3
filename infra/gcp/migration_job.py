"""The migration: a Cloud Run job that has run through before a new revision takes traffic.

Owns the job and when it runs. Its execution token changes with image and command alone, so that
`pulumi up` runs it once for a new version and not again; Google calls the job ready when that
execution has succeeded, and the service waits for the job. A migration that fails stops the
deployment with the old revision still serving.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.gcp.cloud_run_container import ContainerWiring, job_container
from infra.mlflow_server import MlflowServer

LONGEST_MIGRATION_SECONDS = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class JobWiring:
    """What a job of the server's image stands on."""

    job_name: str
    region: str
    labels: dict[str, str]
    container: ContainerWiring
    service_account: pulumi.Input[str]
    network_id: pulumi.Input[str]
    subnetwork_id: pulumi.Input[str]
    key_id: pulumi.Input[str] | None
    after: list[pulumi.Resource]


def migration_job(
    name: str, server: MlflowServer, wiring: JobWiring, opts: pulumi.ResourceOptions
) -> gcp.cloudrunv2.Job:
    """The job that brings the database's schema to the server's version, and has done so."""
    command = server.migration_command
    return gcp.cloudrunv2.Job(
        name,
        name=wiring.job_name,
        location=wiring.region,
        labels=wiring.labels,
        deletion_protection=False,
        # `run_execution_token` is in beta: ready means that the execution has succeeded.
        launch_stage="BETA",
        run_execution_token=execution_token(wiring.container.image, command),
        template=job_template(command, server, wiring, seconds=LONGEST_MIGRATION_SECONDS),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=wiring.after,
                custom_timeouts=pulumi.CustomTimeouts(create="65m", update="65m"),
            ),
        ),
    )


def job_template(
    command: tuple[str, ...], server: MlflowServer, wiring: JobWiring, *, seconds: int
) -> gcp.cloudrunv2.JobTemplateArgs:
    """One task in the server's image, identity and network."""
    return gcp.cloudrunv2.JobTemplateArgs(
        task_count=1,
        labels=wiring.labels,
        template=gcp.cloudrunv2.JobTemplateTemplateArgs(
            service_account=wiring.service_account,
            execution_environment="EXECUTION_ENVIRONMENT_GEN2",
            timeout=f"{seconds}s",
            # A command that failed halfway is for a person to look at.
            max_retries=0,
            encryption_key=wiring.key_id,
            containers=[job_container(command, server, wiring.container)],
            vpc_access=gcp.cloudrunv2.JobTemplateTemplateVpcAccessArgs(
                egress="PRIVATE_RANGES_ONLY",
                network_interfaces=[
                    gcp.cloudrunv2.JobTemplateTemplateVpcAccessNetworkInterfaceArgs(
                        network=wiring.network_id, subnetwork=wiring.subnetwork_id
                    )
                ],
            ),
        ),
    )


def execution_token(image: str, command: tuple[str, ...]) -> str:
    """Changes with what is run, and with nothing else."""
    return hashlib.sha256("\0".join((image, *command)).encode()).hexdigest()[:12]
