"""Who the server and training jobs are on Google Cloud.

Owns one service account for the server and one for training jobs, each with the roles it needs on
the project; what they may do in the bucket, with a secret or with the service is granted where
that thing is made. No key is ever made for either: they are used by workload identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

ACCOUNT_ID_LIMIT = 30
"""Longest id that Google takes for a service account."""

CLOUD_SQL_ROLES = ("roles/cloudsql.client", "roles/cloudsql.instanceUser")
"""Connect, and log in with one's identity (IAM database authentication)."""

SERVER_ROLES = ("roles/logging.logWriter", "roles/monitoring.metricWriter")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAccountWiring:
    """What a service account is for, and its roles on the project."""

    project: str
    account_id: str
    display_name: str
    roles: tuple[str, ...]


class ServiceAccount(pulumi.ComponentResource):
    """An identity without keys."""

    email: pulumi.Output[str]
    member: pulumi.Output[str]  # as IAM policies write it
    grants: list[pulumi.Resource]

    def __init__(
        self, name: str, wiring: ServiceAccountWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make the account and grant its roles."""
        super().__init__("mlflow-platform:gcp:ServiceAccount", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        account = gcp.serviceaccount.Account(
            f"{name}-account",
            account_id=wiring.account_id,
            display_name=wiring.display_name,
            opts=child,
        )
        self.grants = [
            gcp.projects.IAMMember(
                f"{name}-{role.rpartition('/')[2]}",
                project=wiring.project,
                role=role,
                member=account.member,
                opts=child,
            )
            for role in wiring.roles
        ]
        self.email = account.email
        self.member = account.member
        self.register_outputs({"email": self.email})


def account_id(environment: str, purpose: str) -> str:
    """An id within Google's 30 characters: `mlflow-server-dev`."""
    return f"mlflow-{purpose}-{environment}"[:ACCOUNT_ID_LIMIT].rstrip("-")
