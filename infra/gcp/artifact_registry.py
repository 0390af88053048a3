"""The registry that the server's image is pulled from.

Owns the repository and its clean-up rules. Who pushes to it is for the deploy workflow's own
identity; Cloud Run pulls with its service agent, which may read every repository of its project.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

VERSIONS_KEPT = 20
"""Newest images that stay whatever their age: what a roll-back may need."""

UNTAGGED_DAYS = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerRegistryWiring:
    """Name and place of the repository."""

    repository_id: str
    project: str
    region: str
    labels: dict[str, str]


class ContainerRegistry(pulumi.ComponentResource):
    """A private repository of container images."""

    repository_url: str  # what an image's name begins with

    def __init__(
        self, name: str, wiring: ContainerRegistryWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make the repository."""
        super().__init__("mlflow-platform:gcp:ContainerRegistry", name, None, opts)
        gcp.artifactregistry.Repository(
            f"{name}-repository",
            repository_id=wiring.repository_id,
            location=wiring.region,
            format="DOCKER",
            description="Images of the MLflow server",
            labels=wiring.labels,
            # A tag that means one image today and another tomorrow cannot be rolled back to.
            docker_config=gcp.artifactregistry.RepositoryDockerConfigArgs(immutable_tags=True),
            cleanup_policies=[
                gcp.artifactregistry.RepositoryCleanupPolicyArgs(
                    id="untagged",
                    action="DELETE",
                    condition=gcp.artifactregistry.RepositoryCleanupPolicyConditionArgs(
                        tag_state="UNTAGGED", older_than=f"{UNTAGGED_DAYS * 86_400}s"
                    ),
                ),
                gcp.artifactregistry.RepositoryCleanupPolicyArgs(
                    id="newest",
                    action="KEEP",
                    most_recent_versions=gcp.artifactregistry.RepositoryCleanupPolicyMostRecentVersionsArgs(
                        keep_count=VERSIONS_KEPT
                    ),
                ),
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.repository_url = (
            f"{wiring.region}-docker.pkg.dev/{wiring.project}/{wiring.repository_id}"
        )
        self.register_outputs({"repository_url": self.repository_url})
