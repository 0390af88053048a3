"""What a pod runs, what it may do, and how it comes and goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.infra.kubernetes.manifests import deploy, stack_file
from tests.infra.stacks import problems, stack

SMALL = {"target": "aws", "serverWorkers": "1"}
BASIC = {**SMALL, "authentication": "basic"}
EVERYTHING = {
    **BASIC,
    "retentionSchedule": "0 3 * * 0",
    "prometheusOperator": "true",
    "ingressClassName": "nginx",
    "ingressHosts": '["mlflow.example.com"]',
    "ingressTlsSecret": "mlflow-tls",
}


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def assert_restricted(pod: dict[str, Any]) -> None:
    """The Pod Security Standard `restricted`, and what this platform adds to it."""
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all(not {"hostPath"} & volume.keys() for volume in pod.get("volumes", []))
    for container in containers(pod):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"name": "scratch", "mountPath": "/tmp"} in container["volumeMounts"]
        resources = container["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        assert "cpu" in resources["requests"]
        assert "cpu" not in resources["limits"]


class TestRights:
    """No pod of ours has more rights than its work needs."""

    @pytest.mark.parametrize("values", [SMALL, EVERYTHING])
    def test_every_pod(self, values: dict[str, str]) -> None:
        for pod in deploy(stack(values)).pods():
            assert_restricted(pod)

    def test_kubernetes_refuses_others_in_the_namespace(self) -> None:
        labels = deploy(stack(SMALL)).one("Namespace")["metadata"]["labels"]
        for mode in ("enforce", "audit", "warn"):
            assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


class TestProbes:
    """The server is asked what `server_probes` says, in a form it answers."""

    def test_without_authentication_the_kubelet_asks(self) -> None:
        container = deploy(stack(SMALL)).container
        assert container["startupProbe"]["httpGet"] == {
            "path": "/health",
            "port": "http",
            "scheme": "HTTP",
        }
        assert container["readinessProbe"]["httpGet"]["path"] == (
            "/api/2.0/mlflow/experiments/search?max_results=1"
        )
        assert container["livenessProbe"]["httpGet"]["path"] == "/health"
        assert container["startupProbe"]["periodSeconds"] == 2
        assert container["startupProbe"]["failureThreshold"] == 60

    def test_with_authentication_readiness_is_a_program_that_knows_the_password(self) -> None:
        container = deploy(stack(BASIC)).container
        probe = container["readinessProbe"]
        assert "httpGet" not in probe
        python, flag, program, *arguments = probe["exec"]["command"]
        assert (python, flag) == ("python", "-c")
        assert "MLFLOW_AUTH_ADMIN_PASSWORD" in program
        assert arguments == ["5000", "/api/2.0/mlflow/experiments/search?max_results=1", "5"]
        assert probe["timeoutSeconds"] == 7
        assert container["livenessProbe"]["httpGet"]["path"] == "/health"

    def test_a_pod_answers_to_its_own_address(self) -> None:
        environment = deploy(stack(SMALL)).container["env"]
        names = [item["name"] for item in environment]
        assert environment[0] == {
            "name": "POD_IP",
            "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}},
        }
        hosts = environment[names.index("MLFLOW_SERVER_ALLOWED_HOSTS")]["value"].split(",")
        assert hosts[-2:] == ["$(POD_IP)", "$(POD_IP):5000"]
        assert "*" not in hosts

    def test_the_prefix_is_followed(self) -> None:
        container = deploy(stack({**SMALL, "serverStaticPrefix": "/mlflow"})).container
        assert container["livenessProbe"]["httpGet"]["path"] == "/mlflow/health"


class TestComingAndGoing:
    """One server more while one goes, and time for it to end what it began."""

    def test_a_rollout_takes_no_server_away(self) -> None:
        spec = deploy(stack_file("prod")).one("Deployment")["spec"]
        assert spec["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }
        assert spec["selector"] == {"matchLabels": {"app": "mlflow"}}
        assert spec["progressDeadlineSeconds"] > 120

    def test_the_grace_period_holds_drain_and_requests_in_flight(self) -> None:
        deployed = deploy(stack({**SMALL, "serverDrainSeconds": "12", "serverGraceSeconds": "60"}))
        command = deployed.container["command"]
        assert command[command.index("--drain-seconds") + 1] == "12"
        assert command[command.index("--grace-seconds") + 1] == "60"
        assert deployed.pod["terminationGracePeriodSeconds"] == 12 + 60 + 5 + 5
        assert "lifecycle" not in deployed.container

    def test_servers_are_spread_over_nodes_that_take_pods(self) -> None:
        zone, node = deploy(stack_file("prod")).pod["topologySpreadConstraints"]
        assert zone["topologyKey"] == "topology.kubernetes.io/zone"
        assert zone["whenUnsatisfiable"] == "ScheduleAnyway"
        assert node["topologyKey"] == "kubernetes.io/hostname"
        assert node["whenUnsatisfiable"] == "DoNotSchedule"
        assert node["nodeTaintsPolicy"] == "Honor"
        assert node["matchLabelKeys"] == ["pod-template-hash"]

    def test_a_single_server_runs_on_a_single_node(self) -> None:
        _, node = deploy(stack(SMALL)).pod["topologySpreadConstraints"]
        assert node["whenUnsatisfiable"] == "ScheduleAnyway"


class TestTheSchemaComesFirst:
    """A Job per version brings the schema to head before a server of that version starts."""

    @staticmethod
    def steps(values: dict[str, str]) -> list[tuple[str, list[str]]]:
        pod = deploy(stack(values)).one("Job")["spec"]["template"]["spec"]
        return [(item["name"], item["command"]) for item in containers(pod)]

    def test_upgrade_then_look(self) -> None:
        (upgrade, command), (verify, check) = self.steps(SMALL)
        assert (upgrade, verify) == ("upgrade", "verify-head")
        assert command[:4] == ["python", "-m", "mlflow_platform_server", "migrate"]
        assert check[-3:] == [command[-1], "password", "tracking"]

    def test_users_have_tables_too(self) -> None:
        assert self.steps(BASIC)[-1][1][-2:] == ["tracking", "authentication"]

    def test_an_identity_takes_the_place_of_a_password(self) -> None:
        values = {**SMALL, "databaseAuthentication": "iam"}
        (first, grant), (_, command), (_, check) = self.steps(values)
        assert (first, grant[:2], grant[-1]) == ("grant-login", ["python", "-c"], command[-1])
        assert command[4:8] == ["--schema-tuning", "on", "--database-login", "aws"]
        assert check[-2:] == ["aws", "tracking"]

    def test_the_grant_alone_is_told_where_the_password_is(self) -> None:
        values = {**SMALL, "databaseAuthentication": "iam"}
        arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1"
        deployed = deploy(stack(values), database_secret_arn=arn, database_password=None)
        told = {
            container["name"]: [
                item["value"] for item in container["env"] if item["name"] == "DATABASE_SECRET_ARN"
            ]
            for container in containers(deployed.one("Job")["spec"]["template"]["spec"])
        }
        assert told == {"grant-login": [arn], "upgrade": [], "verify-head": []}

    def test_its_name_is_that_of_its_work(self) -> None:
        def name(**wiring: Any) -> str:
            return deploy(stack(SMALL), **wiring).one("Job")["metadata"]["name"]

        assert name() == name()
        assert name() != name(image="mlflow:next")
        assert len(name()) <= 63

    def test_a_long_migration_is_not_cut_short(self) -> None:
        deployed = deploy(stack(SMALL))
        job = deployed.one("Job")["spec"]
        for container in containers(job["template"]["spec"]):
            assert "PGOPTIONS" not in [item["name"] for item in container["env"]]
        assert "ttlSecondsAfterFinished" not in job


class TestRetention:
    """Only what a user deleted is ever removed, after the days of the settings."""

    def test_the_command(self) -> None:
        deployed = deploy(stack({**EVERYTHING, "retentionDays": "45"}))
        spec = deployed.one("CronJob")["spec"]
        (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        (server,) = deployed.one("Deployment")["spec"]["template"]["spec"]["containers"]
        store = server["command"][server["command"].index("--backend-store-uri") + 1]
        assert container["command"] == [
            *("python", "-m", "mlflow_platform_server", "gc", "--older-than", "45d"),
            *("--backend-store-uri", store),
            *("--tracking-uri", "http://mlflow.mlflow.svc.cluster.local:5000"),
            *("--artifacts-destination", "s3://mlops-platform-prod-mlflow-artifacts-123456789012"),
        ]
        assert spec["schedule"] == "0 3 * * 0"
        assert spec["concurrencyPolicy"] == "Forbid"
        names = [item["name"] for item in container["env"]]
        assert {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"} <= set(names)

    def test_it_logs_in_as_the_server_does(self) -> None:
        values = {**SMALL, "retentionSchedule": "0 3 * * 0", "databaseAuthentication": "iam"}
        spec = deploy(stack(values)).one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]
        command = spec["spec"]["containers"][0]["command"]
        assert command[command.index("--database-login") + 1] == "aws"

    def test_artifacts_that_bypass_the_server_are_removed_where_they_are(self) -> None:
        values = {**SMALL, "retentionSchedule": "0 3 * * 0", "serveArtifacts": "false"}
        spec = deploy(stack(values)).one("CronJob")["spec"]["jobTemplate"]["spec"]["template"]
        command = spec["spec"]["containers"][0]["command"]
        tracking = command[command.index("--tracking-uri") + 1]
        assert tracking == command[command.index("--backend-store-uri") + 1]
        assert "--artifacts-destination" not in command


class TestWhereTheDatabaseIs:
    """Its address is known when it is made, so it stands in the environment alone."""

    def test_host_and_port(self) -> None:
        container = deploy(stack({**SMALL, "databasePort": "6432"})).container
        values = {item["name"]: item.get("value") for item in container["env"]}
        assert (values["PGHOST"], values["PGPORT"]) == ("mlflow.db.internal", "6432")
        store = container["command"][container["command"].index("--backend-store-uri") + 1]
        assert store.startswith("postgresql+psycopg://mlflow@/mlflow?")


class TestTextIsTakenLiterally:
    """Kubernetes reads `$(NAME)` in commands and values; a setting may hold one."""

    def test_a_dollar_in_a_setting(self) -> None:
        deployed = deploy(stack({**BASIC, "authAdminUsername": "$(HOME)"}))
        values = {item["name"]: item.get("value") for item in deployed.container["env"]}
        assert values["MLFLOW_AUTH_ADMIN_USERNAME"] == "$$(HOME)"


class TestNoCombinationIsDangerous:
    """Whatever the settings say that loads, the budget holds and no pod gains a right."""

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        most=st.integers(1, 12),
        fewest=st.integers(1, 12),
        workers=st.integers(1, 4),
        kind=st.sampled_from(["uvicorn", "gunicorn"]),
        authentication=st.sampled_from(["off", "basic"]),
        retention=st.sampled_from(["", "0 3 * * 0"]),
        environment=st.sampled_from(["dev", "prod"]),
    )
    def test_settings(
        self,
        most: int,
        fewest: int,
        workers: int,
        kind: str,
        authentication: str,
        retention: str,
        environment: str,
    ) -> None:
        values = {
            "target": "aws",
            "environment": environment,
            "serverReplicas": str(most),
            "serverReplicasMinimum": str(fewest),
            "serverWorkers": str(workers),
            "serverKind": kind,
            "authentication": authentication,
            "retentionSchedule": retention,
            "databaseInstanceClass": "db.r7g.8xlarge",
        }
        if problems(values):
            if environment == "dev":
                assert fewest > most
            return
        platform = stack(values)
        deployed = deploy(platform)
        spec = deployed.one("HorizontalPodAutoscaler")["spec"]
        assert spec["minReplicas"] <= spec["maxReplicas"]
        assert spec["minReplicas"] >= (2 if environment == "prod" else 1)
        budget = platform.connection_budget
        assert budget is not None
        assert (
            int(deployed.container["command"][deployed.container["command"].index("--workers") + 1])
            == workers
        )
        values = {item["name"]: item.get("value") for item in deployed.container["env"]}
        pool = int(values["MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"])
        overflow = int(values["MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"])
        servers = spec["maxReplicas"] + 1  # while a rollout replaces one
        assert servers * workers * (pool + overflow) <= budget.available
        for pod in deployed.pods():
            assert_restricted(pod)
