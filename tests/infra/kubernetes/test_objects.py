"""Which objects a stack has in its cluster, and what each of them says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.kubernetes.manifests import deploy, stack_file
from tests.infra.stacks import stack

SMALL = {"target": "aws", "serverWorkers": "1"}
FEWEST = [
    "Deployment/mlflow",
    "HorizontalPodAutoscaler/mlflow",
    "NetworkPolicy/mlflow-default-deny",
    "NetworkPolicy/mlflow-egress",
    "NetworkPolicy/mlflow-ingress",
    "PodDisruptionBudget/mlflow",
    "Secret/mlflow-db-credentials",
    "Service/mlflow",
    "ServiceAccount/mlflow",
]
BASIC = {**SMALL, "authentication": "basic"}
INGRESS = {
    **SMALL,
    "ingressClassName": "nginx",
    "ingressHosts": '["mlflow.example.com", "runs.example.com"]',
    "ingressTlsSecret": "mlflow-tls",
}


def kinds(values: dict[str, str], **wiring: Any) -> list[str]:
    """Every object but namespace and migration, whose name is a hash."""
    found = deploy(stack(values), **wiring).kinds
    return [item for item in found if not item.startswith(("Namespace/", "Job/mlflow-migration-"))]


class TestWhatThereIs:
    """A stack gets the objects it asks for, and no others."""

    def test_a_stack_that_asks_for_nothing(self) -> None:
        assert kinds(SMALL) == FEWEST

    @pytest.mark.parametrize(
        ("values", "more"),
        [
            (BASIC, ["ConfigMap/mlflow-auth-config", "Secret/mlflow-auth"]),
            (INGRESS, ["Ingress/mlflow"]),
            ({**SMALL, "retentionSchedule": "0 3 * * 0"}, ["CronJob/mlflow-retention"]),
            (
                {**SMALL, "prometheusOperator": "true"},
                ["PrometheusRule/mlflow", "ServiceMonitor/mlflow"],
            ),
            ({**SMALL, "prometheusOperator": "true", "prometheusEnabled": "false"}, []),
        ],
    )
    def test_more_on_request(self, values: dict[str, str], more: list[str]) -> None:
        assert kinds(values) == sorted([*FEWEST, *more])

    def test_a_load_balancer_of_the_cloud_gets_its_targets(self) -> None:
        arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/mlflow/0123456789ab"
        deployed = deploy(stack(SMALL), target_group_arn=arn)
        binding = deployed.one("TargetGroupBinding")
        assert binding["apiVersion"] == "elbv2.k8s.aws/v1beta1"
        assert binding["spec"] == {
            "serviceRef": {"name": "mlflow", "port": "http"},
            "targetGroupARN": arn,
            "targetType": "ip",
        }
        labels = deployed.one("Namespace")["metadata"]["labels"]
        assert labels["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"

    def test_without_one_no_pod_waits_for_it(self) -> None:
        labels = deploy(stack(SMALL)).one("Namespace")["metadata"]["labels"]
        assert [key for key in labels if "elbv2" in key] == []

    def test_everything_is_in_the_namespace_of_the_runbooks(self) -> None:
        for item in deploy(stack_file("prod")).objects:
            expected = None if item["kind"] == "Namespace" else "mlflow"
            assert item["metadata"].get("namespace") == expected


class TestPasswords:
    """Passwords stand in Secrets, and in nothing that refers to them."""

    def test_a_secret_made_here(self) -> None:
        secret = deploy(stack(SMALL)).one("Secret")
        assert secret["stringData"] == {"username": "mlflow", "password": "a-database-password"}

    def test_an_external_secret_holds_none(self) -> None:
        deployed = deploy(
            stack({**SMALL, "secretSource": "external-secrets"}),
            database_password=None,
            database_secret_arn="arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds",
        )
        assert [item for item in deployed.kinds if item.startswith("Secret/")] == []
        external = deployed.one("ExternalSecret")
        assert external["apiVersion"] == "external-secrets.io/v1"
        assert external["metadata"]["name"] == "mlflow-db-credentials"
        arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds"
        assert external["spec"] == {
            "refreshInterval": "1h0m0s",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "aws-secrets-manager"},
            "target": {"name": "mlflow-db-credentials", "creationPolicy": "Owner"},
            "data": [
                {"secretKey": "username", "remoteRef": {"key": arn, "property": "username"}},
                {"secretKey": "password", "remoteRef": {"key": arn, "property": "password"}},
            ],
        }
        reload = deployed.one("Deployment")["metadata"]["annotations"]
        assert reload == {"secret.reloader.stakater.com/reload": "mlflow-db-credentials"}

    def test_an_external_secret_without_a_store_entry_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"^external-secrets needs the ARN of the database"):
            deploy(stack({**SMALL, "secretSource": "external-secrets"}))

    def test_a_server_with_an_identity_needs_none(self) -> None:
        deployed = deploy(stack(SMALL), database_password=None)
        assert "Secret/mlflow-db-credentials" not in deployed.kinds
        assert "PGPASSWORD" not in [item["name"] for item in deployed.container["env"]]

    def test_an_administrator_is_made(self) -> None:
        deployed = deploy(stack(BASIC))
        made = [item.inputs for item in deployed.resources if "RandomPassword" in item.type]
        assert made == [{"length": 32, "special": False}] * 2
        secret = deployed.one("Secret", "mlflow-auth")["stringData"]
        assert secret["username"] == "admin"
        assert secret["password"] == deployed.attributes["auth_admin_password"]
        assert secret["session-key"] != secret["password"]

    def test_an_administrator_who_was_handed_in_is_kept(self) -> None:
        deployed = deploy(stack(BASIC), admin_password="correct horse", session_key="a key")
        assert [item for item in deployed.resources if "RandomPassword" in item.type] == []
        assert deployed.one("Secret", "mlflow-auth")["stringData"] == {
            "username": "admin",
            "password": "correct horse",
            "session-key": "a key",
        }

    def test_no_password_outside_of_a_secret(self) -> None:
        deployed = deploy(stack(BASIC), admin_password="correct horse", session_key="a key")
        rest = [item for item in deployed.objects if item["kind"] != "Secret"]
        for password in ("a-database-password", "correct horse", "a key"):
            assert password not in repr(rest)

    def test_a_changed_password_rolls_the_pods(self) -> None:
        def annotations(**wiring: Any) -> dict[str, str]:
            template = deploy(stack(BASIC), **wiring).one("Deployment")["spec"]["template"]
            return template["metadata"]["annotations"]

        before = annotations()
        assert before == annotations()
        assert before != annotations(database_password="another")
        assert before != annotations(admin_password="another password")


class TestScaling:
    """Between the fewest and the most servers of the settings, and never fewer by a drain."""

    def test_bounds_are_the_settings(self) -> None:
        spec = deploy(stack_file("prod")).one("HorizontalPodAutoscaler")["spec"]
        assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)
        assert spec["scaleTargetRef"] == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "mlflow",
        }
        assert spec["metrics"] == [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 70},
                },
            }
        ]

    def test_growing_is_quicker_than_shrinking(self) -> None:
        behavior = deploy(stack(SMALL)).one("HorizontalPodAutoscaler")["spec"]["behavior"]
        up, down = behavior["scaleUp"], behavior["scaleDown"]
        assert up["stabilizationWindowSeconds"] < down["stabilizationWindowSeconds"]
        assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]

    def test_the_deployment_leaves_the_number_to_the_autoscaler(self) -> None:
        assert "replicas" not in deploy(stack_file("prod")).one("Deployment")["spec"]

    def test_one_server_may_be_drained_at_a_time(self) -> None:
        assert deploy(stack(SMALL)).one("PodDisruptionBudget")["spec"] == {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {"app": "mlflow"}},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        }

    def test_no_job_is_counted_among_the_servers(self) -> None:
        deployed = deploy(stack({**SMALL, "retentionSchedule": "0 3 * * 0"}))
        job = deployed.one("Job")["spec"]["template"]["metadata"]["labels"]
        cron = deployed.one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]
        assert job["app"] == "mlflow-migration"
        assert cron["labels"]["app"] == "mlflow-retention"


class TestWhoTalksToWhom:
    """Nothing passes but what is named."""

    def test_nothing_by_default(self) -> None:
        policy = deploy(stack(SMALL)).one("NetworkPolicy", "mlflow-default-deny")
        assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def test_into_the_server(self) -> None:
        deployed = deploy(
            stack(
                {**INGRESS, "networkPolicyNamespaces": '["team-a"]', "prometheusOperator": "true"}
            ),
            load_balancer_cidrs=["10.20.0.0/20"],
        )
        policy = deployed.one("NetworkPolicy", "mlflow-ingress")
        (rule,) = policy["spec"]["ingress"]
        assert policy["spec"]["podSelector"] == {"matchLabels": {"app": "mlflow"}}
        assert rule["ports"] == [{"port": 5000, "protocol": "TCP"}]
        names = ["mlflow", "argo", "team-a", "ingress-nginx", "monitoring"]
        assert rule["from"] == [
            *(
                {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
                for name in names
            ),
            {"ipBlock": {"cidr": "10.20.0.0/20"}},
        ]

    def test_out_of_the_pods(self) -> None:
        deployed = deploy(stack(SMALL), database_cidrs=["10.20.32.0/20"])
        rules = deployed.one("NetworkPolicy", "mlflow-egress")["spec"]["egress"]
        assert [[port["port"] for port in rule["ports"]] for rule in rules] == [
            [53, 53],
            [443],
            [80],
            [5000],
            [5432],
        ]
        assert rules[-1]["to"] == [{"ipBlock": {"cidr": "10.20.32.0/20"}}]
        assert rules[1]["to"] == [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}
        ]

    def test_the_service_is_for_the_cluster_alone(self) -> None:
        assert deploy(stack(SMALL)).one("Service")["spec"] == {
            "type": "ClusterIP",
            "selector": {"app": "mlflow"},
            "ports": [{"name": "http", "port": 5000, "targetPort": "http"}],
        }

    def test_the_ingress_serves_names_that_mlflow_answers_to(self) -> None:
        deployed = deploy(stack(INGRESS))
        spec = deployed.one("Ingress")["spec"]
        hosts = [rule["host"] for rule in spec["rules"]]
        assert hosts == ["mlflow.example.com", "runs.example.com"]
        assert spec["tls"] == [{"hosts": hosts, "secretName": "mlflow-tls"}]
        environment = {item["name"]: item.get("value") for item in deployed.container["env"]}
        assert set(hosts) <= set(environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(","))
        assert deployed.attributes["tracking_uri"] == "https://mlflow.example.com"

    def test_nginx_takes_large_models_and_waits_for_long_answers(self) -> None:
        ingress = deploy(stack(INGRESS)).one("Ingress")["metadata"]["annotations"]
        assert ingress["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"
        assert ingress["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "600"
        other = deploy(stack({**INGRESS, "ingressClassName": "alb"})).one("Ingress")
        assert other["metadata"]["annotations"] == {}


class TestIdentity:
    """The role is the service account's, and no pod has a token for Kubernetes itself."""

    def test_the_service_account_names_its_role(self) -> None:
        account = deploy(stack(SMALL)).one("ServiceAccount")
        assert account["automountServiceAccountToken"] is False
        role = "arn:aws:iam::123456789012:role/mlops-platform-prod-mlflow"
        assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": role}
