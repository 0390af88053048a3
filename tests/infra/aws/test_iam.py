"""The server's role and the training jobs' role carry what their pods need."""

from __future__ import annotations

from typing import Any

from infra.aws.iam import (
    ArtifactStoreAccess,
    DatabaseLogin,
    ServerRole,
    ServerRoleWiring,
    TrainingRole,
    TrainingRoleWiring,
)
from infra.aws.service_account_role import ClusterIdentity, ServiceAccount
from tests.infra.aws.declared import ACCOUNT, ISSUER, KEY_ARN, REGION, Deployment, deploy

CLUSTER = ClusterIdentity(oidc_provider_arn="arn:provider", oidc_issuer_url=ISSUER)
STORE = ArtifactStoreAccess(region=REGION, bucket_arn="arn:aws:s3:::artifacts", key_arn=KEY_ARN)
PLAIN = ArtifactStoreAccess(region=REGION, bucket_arn="arn:aws:s3:::artifacts", key_arn=None)


def server_role(**wiring: Any) -> Deployment:
    def program() -> None:
        parts = {"cluster": CLUSTER, "artifacts": STORE, **wiring}
        ServerRole("mlflow", "dev", ServerRoleWiring(**parts))

    return deploy(program).deployment


def policies(deployment: Deployment) -> set[str]:
    return {item.inputs["name"] for item in deployment.of("iam/rolePolicy:RolePolicy")}


class TestServerRole:
    """Names are those the runbooks spell; the policies follow what is wired."""

    def test_name_and_trust(self) -> None:
        role = server_role().one("iam/role:Role")
        assert role.inputs["name"] == "mlops-platform-dev-mlflow"
        (statement,) = role.policy("assumeRolePolicy")["Statement"]
        assert statement["Principal"] == {"Federated": "arn:provider"}
        assert set(statement["Condition"]["StringEquals"].values()) == {
            "system:serviceaccount:mlflow:mlflow",
            "sts.amazonaws.com",
        }

    def test_artifacts_and_their_key(self) -> None:
        deployment = server_role()
        assert policies(deployment) == {"mlflow-s3", "mlflow-kms"}
        policy = deployment.one("iam/rolePolicy:RolePolicy", "mlflow-s3")
        assert policy.inputs["role"] == "mlflow-role-id"
        assert policy.policy()["Statement"][1]["Resource"] == ["arn:aws:s3:::artifacts/*"]

    def test_a_bucket_without_a_key_of_ours(self) -> None:
        assert policies(server_role(artifacts=PLAIN)) == {"mlflow-s3"}

    def test_login_with_a_token(self) -> None:
        deployment = server_role(
            database_login=DatabaseLogin(account=ACCOUNT, resource_id="db-ABC", user="mlflow")
        )
        policy = deployment.one("iam/rolePolicy:RolePolicy", "mlflow-database").policy()
        assert policy["Statement"][0]["Resource"] == [
            "arn:aws:rds-db:eu-central-1:123456789012:dbuser:db-ABC/mlflow"
        ]

    def test_secrets_that_the_server_reads(self) -> None:
        deployment = server_role(secret_arns=("arn:secret",), secret_key_arn=KEY_ARN)
        policy = deployment.one("iam/rolePolicy:RolePolicy", "mlflow-secrets").policy()
        assert policy["Statement"][0]["Resource"] == ["arn:secret"]
        assert policy["Statement"][1]["Resource"] == [KEY_ARN]


class TestTrainingRole:
    """Training jobs have a role of their own: artifacts without deletion, and nothing else."""

    def test_rights(self) -> None:
        def program() -> None:
            TrainingRole(
                "jobs",
                "dev",
                ServiceAccount(namespace="argo", name="training"),
                TrainingRoleWiring(cluster=CLUSTER, artifacts=STORE),
            )

        deployment = deploy(program).deployment
        role = deployment.one("iam/role:Role")
        assert role.inputs["name"] == "mlops-platform-dev-mlflow-training"
        assert "system:serviceaccount:argo:training" in role.inputs["assumeRolePolicy"]
        assert policies(deployment) == {"mlflow-s3", "mlflow-kms"}
        assert "Delete" not in str([item.inputs for item in deployment.resources])
