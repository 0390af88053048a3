"""The two roles that MLflow's pods have on AWS: the server's, and the training jobs'.

Owns what each may do. They are two because the server's rights say nothing about a job's: a job
that reaches artifacts directly (`serveArtifacts: false`) needs the bucket and nothing else, and one
that goes through the server needs no role at all. Names and inline policies are those the runbooks
spell (`mlops-platform-<environment>-mlflow`, `mlflow-s3`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from infra import naming
from infra.aws.iam_policies import (
    artifact_access,
    database_login,
    document,
    key_use,
    secret_read,
)
from infra.aws.service_account_role import ClusterIdentity, ServiceAccount, ServiceAccountRole

SERVER_ACCOUNT = ServiceAccount(namespace=naming.SERVICE, name=naming.SERVICE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactStoreAccess:
    """The bucket with its key."""

    region: str
    bucket_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str] | None  # None: the bucket has no key of ours


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseLogin:
    """The database, where the server logs in with a token instead of a password."""

    account: pulumi.Input[str]
    resource_id: pulumi.Input[str]  # db-ABC…, not the identifier
    user: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerRoleWiring:
    """What the server's role is for."""

    cluster: ClusterIdentity
    artifacts: ArtifactStoreAccess
    database_login: DatabaseLogin | None = None  # None: the database has a password
    secret_arns: Sequence[pulumi.Input[str]] = ()  # that the server reads itself
    secret_key_arn: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRoleWiring:
    """What the training jobs' role is for."""

    cluster: ClusterIdentity
    artifacts: ArtifactStoreAccess


class ServerRole(ServiceAccountRole):
    """The tracking server's role: artifacts, and what else it is wired to."""

    def __init__(
        self,
        name: str,
        environment: str,
        wiring: ServerRoleWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the role of the server in an environment."""
        policies = _artifact_policies(wiring.artifacts, may_delete=True)
        if wiring.database_login:
            policies["mlflow-database"] = _login_policy(
                wiring.artifacts.region, wiring.database_login
            )
        if wiring.secret_arns:
            policies["mlflow-secrets"] = _secret_policy(
                wiring.artifacts.region, wiring.secret_arns, wiring.secret_key_arn
            )
        super().__init__(
            name,
            role_name=naming.base_name(environment),
            service_account=SERVER_ACCOUNT,
            cluster=wiring.cluster,
            inline_policies=policies,
            opts=opts,
        )


class TrainingRole(ServiceAccountRole):
    """The role of training jobs that write artifacts themselves: no deletion, no database."""

    def __init__(
        self,
        name: str,
        environment: str,
        service_account: ServiceAccount,
        wiring: TrainingRoleWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the role of the jobs that run under `service_account`."""
        super().__init__(
            name,
            role_name=f"{naming.base_name(environment)}-training",
            service_account=service_account,
            cluster=wiring.cluster,
            inline_policies=_artifact_policies(wiring.artifacts, may_delete=False),
            opts=opts,
        )


def _artifact_policies(
    store: ArtifactStoreAccess, *, may_delete: bool
) -> dict[str, pulumi.Input[str]]:
    def bucket_policy(bucket_arn: str) -> str:
        return json.dumps(artifact_access(bucket_arn, may_delete=may_delete))

    def key_policy(key_arn: str) -> str:
        return json.dumps(document([key_use(key_arn, region=store.region, service="s3")]))

    policies: dict[str, pulumi.Input[str]] = {
        "mlflow-s3": pulumi.Output.from_input(store.bucket_arn).apply(bucket_policy)
    }
    if store.key_arn is not None:
        # Beside the S3 grants: without it every call on the encrypted bucket ends in AccessDenied.
        policies["mlflow-kms"] = pulumi.Output.from_input(store.key_arn).apply(key_policy)
    return policies


def _login_policy(region: str, login: DatabaseLogin) -> pulumi.Output[str]:
    def policy(parts: Mapping[str, str]) -> str:
        return json.dumps(
            database_login(
                region=region,
                account=parts["account"],
                database_resource_id=parts["resource_id"],
                user=login.user,
            )
        )

    return pulumi.Output.all(account=login.account, resource_id=login.resource_id).apply(policy)


def _secret_policy(
    region: str, secret_arns: Sequence[pulumi.Input[str]], key_arn: pulumi.Input[str] | None
) -> pulumi.Output[str]:
    def policy(parts: Sequence[str | None]) -> str:
        key, *secrets = parts
        arns = [arn for arn in secrets if arn]
        return json.dumps(secret_read(arns, key_arn=key, region=region))

    return pulumi.Output.all(key_arn, *secret_arns).apply(policy)
