"""The controllers that a stack needs are installed with the right to do one thing, or expected."""

from __future__ import annotations

from typing import Any

from infra.aws.cluster_controllers import ClusterControllers, ClusterControllersWiring
from infra.aws.service_account_role import ClusterIdentity
from infra.naming import LONGEST_ENVIRONMENT
from infra.settings import PlatformSettings
from tests.infra.aws.declared import ISSUER, KEY_ARN, REGION, Deployment, deploy
from tests.infra.aws.stacks import INTERNAL, aws_stack

EXTERNAL = {"databaseAuthentication": "managed", "secretSource": "external-secrets"}
RELEASE = "kubernetes:helm.sh/v3:Release"


def controllers(settings: PlatformSettings, **wiring: Any) -> Deployment:
    parts = {
        "region": REGION,
        "cluster_name": "mlops-platform-test",
        "identity": ClusterIdentity(oidc_provider_arn="arn:provider", oidc_issuer_url=ISSUER),
        "vpc_id": "vpc-1",
        "target_group_arn": "arn:targets" if settings.cloud.ingress != "none" else None,
        "secret_arns": ["arn:secret"],
        "key_arn": KEY_ARN,
        **wiring,
    }

    def program() -> None:
        ClusterControllers("controllers", settings, ClusterControllersWiring(**parts))

    return deploy(program).deployment


def releases(deployment: Deployment) -> dict[str, Any]:
    return {
        item.inputs["chart"]: item.inputs for item in deployment.resources if item.kind == RELEASE
    }


class TestNothing:
    """What is not needed, or brought by the cluster's owner, is not made."""

    def test_neither_load_balancer_nor_external_secrets(self) -> None:
        kinds = [item.kind for item in controllers(aws_stack()).resources]
        assert kinds == ["mlflow-platform:aws:ClusterControllers"]

    def test_expected(self) -> None:
        settings = aws_stack({**INTERNAL, **EXTERNAL}, clusterControllers="expect")
        kinds = [item.kind for item in controllers(settings).resources]
        assert kinds == ["mlflow-platform:aws:ClusterControllers"]


class TestLoadBalancerController:
    """It binds pods to one target group, and touches nothing else."""

    def test_release(self) -> None:
        assert releases(controllers(aws_stack(INTERNAL))) == {
            "aws-load-balancer-controller": {
                "compat": "true",  # the SDK's own
                "name": "aws-load-balancer-controller",
                "chart": "aws-load-balancer-controller",
                "version": "3.5.0",
                "repositoryOpts": {"repo": "https://aws.github.io/eks-charts"},
                "namespace": "kube-system",
                "createNamespace": True,
                "atomic": True,
                "timeout": 600,
                "values": {
                    "clusterName": "mlops-platform-test",
                    "region": REGION,
                    "vpcId": "vpc-1",
                    "enableServiceMutatorWebhook": False,
                    "createIngressClassResource": False,
                    "enableShield": False,
                    "enableWaf": False,
                    "enableWafv2": False,
                    "serviceAccount": {
                        "create": True,
                        "name": "aws-load-balancer-controller",
                        "annotations": {
                            "eks.amazonaws.com/role-arn": (
                                "arn:aws:iam:::controllers-aws-load-balancer-controller-role"
                            )
                        },
                    },
                },
            }
        }

    def test_role(self) -> None:
        deployment = controllers(aws_stack(INTERNAL))
        role = deployment.one("iam/role:Role")
        assert (
            "system:serviceaccount:kube-system:aws-load-balancer-controller"
            in (role.inputs["assumeRolePolicy"])
        )
        policy = deployment.one("iam/rolePolicy:RolePolicy").policy()
        assert policy["Statement"][1]["Resource"] == ["arn:targets"]

    def test_the_roles_name_fits_the_longest_environment(self) -> None:
        settings = aws_stack(INTERNAL, environment="e" * LONGEST_ENVIRONMENT)
        (role,) = controllers(settings).of("iam/role:Role")
        assert len(role.inputs["name"]) <= 64


class TestExternalSecrets:
    """The operator reads this stack's secrets by its own role; the store holds no credential."""

    def test_release_and_role(self) -> None:
        deployment = controllers(aws_stack(EXTERNAL))
        (release,) = releases(deployment).values()
        assert (release["chart"], release["version"]) == ("external-secrets", "2.9.0")
        assert release["values"]["installCRDs"] is True
        policy = deployment.one("iam/rolePolicy:RolePolicy").policy()
        assert [statement["Resource"] for statement in policy["Statement"]] == [
            ["arn:secret"],
            [KEY_ARN],
        ]

    def test_store(self) -> None:
        deployment = controllers(aws_stack(EXTERNAL))
        (store,) = [it.inputs for it in deployment.resources if it.name.endswith("secret-store")]
        assert store["apiVersion"] == "external-secrets.io/v1"
        assert store["kind"] == "ClusterSecretStore"
        assert store["metadata"] == {"name": "aws-secrets-manager"}
        assert store["spec"] == {
            "provider": {"aws": {"service": "SecretsManager", "region": REGION}}
        }
