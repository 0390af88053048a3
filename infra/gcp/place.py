"""Where on Google Cloud a stack is deployed.

Owns reading project and region from the stack's configuration, and asking Google for the
project's number, which bucket names and Cloud Run's addresses are made of.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra import naming


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Project and region the stack is deployed to."""

    project: str
    project_number: str
    region: str

    @classmethod
    def of_stack(cls) -> Place:
        """As the stack's `gcp:project` and `gcp:region` say.

        Raises:
            pulumi.RunError: one of them is missing.
        """
        config = pulumi.Config("gcp")
        project, region = config.get("project"), config.get("region")
        for key, value in (("project", project), ("region", region)):
            if not value:
                raise pulumi.RunError(
                    f"gcp:{key} is not set: write it into Pulumi.{pulumi.get_stack()}.yaml, such "
                    f"as gcp:{key}: {'my-project' if key == 'project' else 'europe-west3'}"
                )
        number = gcp.organizations.get_project(project_id=project).number
        return cls(project=project or "", project_number=number, region=region or "")

    def service_host(self, service: str) -> str:
        """Host of a Cloud Run service's address, known before the service is there.

        Google derives it from name, project number and region; see "Deterministic URLs" in Cloud
        Run's documentation.
        """
        return f"{service}-{self.project_number}.{self.region}.run.app"

    def bucket_name(self, environment: str) -> str:
        """Name of the artifact bucket."""
        return naming.artifact_bucket_name(environment, self.project_number)

    def service_agent(self, service: str) -> str:
        """IAM member of one of Google's service agents in this project."""
        return f"serviceAccount:service-{self.project_number}@{service}.iam.gserviceaccount.com"
