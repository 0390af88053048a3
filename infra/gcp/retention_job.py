"""Retention: runs that users deleted are removed for good, with their artifacts, on a schedule.

Owns the Cloud Run job (`mlflow gc`), the Cloud Scheduler entry that starts it and the identity
that may start it and nothing else. Runs that nobody deleted are never touched. Without
`retentionSchedule` nothing of this is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.gcp.cloud_run import INVOKER
from infra.gcp.migration_job import JobWiring, job_template
from infra.mlflow_server import MlflowServer

LONGEST_RETENTION_SECONDS = 6 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionWiring:
    """The job, when it runs and who starts it."""

    job: JobWiring
    project: str
    schedule: str
    days: int
    scheduler_email: pulumi.Input[str]
    scheduler_member: pulumi.Input[str]


class Retention(pulumi.ComponentResource):
    """A job on a schedule that removes what was deleted long enough ago."""

    def __init__(
        self,
        name: str,
        server: MlflowServer,
        wiring: RetentionWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the job, its schedule and the right to start it."""
        super().__init__("mlflow-platform:gcp:Retention", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        job = gcp.cloudrunv2.Job(
            f"{name}-job",
            name=wiring.job.job_name,
            location=wiring.job.region,
            labels=wiring.job.labels,
            deletion_protection=False,
            template=job_template(
                server.retention_command(wiring.days),
                server,
                wiring.job,
                seconds=LONGEST_RETENTION_SECONDS,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=wiring.job.after),
        )
        starter = gcp.cloudrunv2.JobIamMember(
            f"{name}-starter",
            name=job.name,
            location=wiring.job.region,
            role=INVOKER,
            member=wiring.scheduler_member,
            opts=child,
        )
        gcp.cloudscheduler.Job(
            f"{name}-schedule",
            name=wiring.job.job_name,
            region=wiring.job.region,
            description=f"Runs deleted {wiring.days} days ago are removed for good",
            schedule=wiring.schedule,
            time_zone="Etc/UTC",
            attempt_deadline="320s",
            retry_config=gcp.cloudscheduler.JobRetryConfigArgs(retry_count=1),
            http_target=gcp.cloudscheduler.JobHttpTargetArgs(
                http_method="POST",
                uri=job.name.apply(
                    lambda job_name: (
                        f"https://run.googleapis.com/v2/projects/{wiring.project}"
                        f"/locations/{wiring.job.region}/jobs/{job_name}:run"
                    )
                ),
                oauth_token=gcp.cloudscheduler.JobHttpTargetOauthTokenArgs(
                    service_account_email=wiring.scheduler_email
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[starter]),
        )
        self.register_outputs({})
