"""Every alarm can ring, says what to do, and reaches somebody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.alarms import RUNBOOKS, Alarm
from infra.aws.alarms_backup import backup_alarms
from infra.aws.alarms_database import database_alarms
from infra.aws.alarms_server import (
    LoadBalancerDimensions,
    metric_namespace,
    server_alarms,
)
from infra.aws.container_logs import ContainerLogs, ContainerLogsWiring
from infra.aws.monitoring import Alarms, AlarmsWiring
from infra.settings import PlatformSettings
from tests.infra.aws.cloudwatch_metrics import DOCUMENTED, SOURCES, STATISTICS
from tests.infra.aws.declared import ACCOUNT, KEY_ARN, Deployment, deploy
from tests.infra.aws.stacks import INTERNAL, OIDC, PUBLIC, aws_stack

ROOT = Path(__file__).resolve().parents[3]
BALANCER = LoadBalancerDimensions(balancer="app/mlflow-test/1", targets="targetgroup/mlflow-test/2")


def alarms_of(settings: PlatformSettings) -> tuple[Alarm, ...]:
    """All alarms of a stack, as the platform puts them together."""
    exposed = settings.cloud.ingress != "none"
    return (
        *server_alarms(
            settings,
            balancer=BALANCER if exposed else None,
            cluster_name="mlops-platform-test",
            database_identifier="db",
        ),
        *database_alarms(
            settings, "db", "db-replica" if settings.cloud.database.read_replica else None
        ),
        *backup_alarms("vault"),
    )


def by_name(settings: PlatformSettings) -> Mapping[str, Alarm]:
    return {alarm.name: alarm for alarm in alarms_of(settings)}


def anchors(page: str) -> set[str]:
    """Sections of a runbook page, as a link names them."""
    text = (ROOT / RUNBOOKS / page).read_text(encoding="utf-8")
    return {title.strip().lower() for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


STACKS = st.builds(
    lambda *parts: {key: value for part in parts for key, value in part.items()},
    st.sampled_from([{}, INTERNAL, PUBLIC, {**INTERNAL, **OIDC}]),
    st.sampled_from([{}, {"cloudwatchEnabled": "true"}]),
    st.sampled_from([{}, {"databaseReadReplica": "true"}]),
    st.sampled_from([{}, {"databaseInstanceClass": "db.m7g.xlarge"}]),
    st.fixed_dictionaries(
        {
            "alarmDatabaseCpuPercent": st.integers(1, 100).map(str),
            "alarmDatabaseConnectionsPercent": st.integers(1, 100).map(str),
            "alarmDatabaseFreeStoragePercent": st.integers(1, 90).map(str),
            "databaseStorageGib": st.integers(20, 100).map(str),
            "slowResponseMs": st.integers(1, 200_000).map(str),
        }
    ),
)


class TestEveryAlarm:
    """Whatever the settings: what it watches exists, and somebody knows what to do."""

    @given(STACKS)
    def test_its_metrics_exist(self, values: dict[str, str]) -> None:
        own = metric_namespace("test")
        for alarm in alarms_of(aws_stack(values)):
            for metric in alarm.metrics.values():
                if metric.namespace == own:
                    continue  # TestPoolMetric
                assert frozenset(metric.dimensions) in DOCUMENTED[metric.namespace, metric.name]
                assert metric.statistic in STATISTICS or re.fullmatch(r"p\d\d", metric.statistic)
                assert metric.namespace in SOURCES

    @given(STACKS)
    def test_its_runbook_has_a_section_of_its_name(self, values: dict[str, str]) -> None:
        for alarm in alarms_of(aws_stack(values)):
            assert alarm.runbook == f"docs/runbooks/{alarm.page}#{alarm.name.lower()}"
            assert alarm.name.lower() in anchors(alarm.page)
            assert alarm.description.endswith(f" Runbook: {alarm.runbook}")
            assert len(alarm.description) <= 1024  # what CloudWatch takes

    @given(STACKS)
    def test_it_can_ring(self, values: dict[str, str]) -> None:
        for alarm in alarms_of(aws_stack(values)):
            whole = alarm.period_seconds * alarm.periods
            # CloudWatch looks back a day, or a week with periods of an hour and more.
            assert whole <= (604_800 if alarm.period_seconds >= 3600 else 86_400)
            assert alarm.period_seconds % 60 == 0
            assert alarm.threshold >= 0
            if alarm.comparison == "LessThanThreshold":
                assert alarm.threshold > 0
            if alarm.unit == "%" and alarm.comparison == "GreaterThanThreshold":
                assert alarm.threshold <= 100
            assert bool(alarm.expression) == (len(alarm.metrics) > 1)

    @given(STACKS)
    def test_names_are_unique(self, values: dict[str, str]) -> None:
        alarms = alarms_of(aws_stack(values))
        assert len({alarm.name for alarm in alarms}) == len(alarms)


class TestServerAlarms:
    """The load balancer is the witness, and Container Insights where there is none."""

    def test_with_a_load_balancer(self) -> None:
        assert set(by_name(aws_stack(INTERNAL))) >= {
            "MLflowDown",
            "MLflowHighLatency",
            "MLflowServerErrors",
            "MLflowServerUnhealthy",
            "MLflowDatabasePoolExhaustion",
        }

    def test_silence_of_the_targets_is_an_outage(self) -> None:
        down = by_name(aws_stack(INTERNAL))["MLflowDown"]
        assert (down.missing_data, down.threshold, down.comparison) == (
            "breaching",
            1,
            "LessThanThreshold",
        )
        assert down.metrics["m"].name == "HealthyHostCount"

    def test_slow_is_what_the_setting_says(self) -> None:
        alarm = by_name(aws_stack(INTERNAL, slowResponseMs="2500"))["MLflowHighLatency"]
        assert alarm.threshold == 2.5
        assert alarm.metrics["m"].statistic == "p95"
        assert (
            alarm.meaning == "One request in twenty has taken longer than 2.5 s for five minutes."
        )

    def test_without_a_load_balancer_pods_are_counted(self) -> None:
        down = by_name(aws_stack(cloudwatchEnabled="true"))["MLflowDown"]
        assert down.metrics["m"].name == "service_number_of_running_pods"

    def test_without_either_the_cluster_has_its_own_rules(self) -> None:
        names = set(by_name(aws_stack()))
        assert not {"MLflowDown", "MLflowHighLatency"} & names
        assert "MLflowDatabasePoolExhaustion" in names

    def test_sign_in_is_watched_where_people_sign_in(self) -> None:
        assert "MLflowSignInErrors" in by_name(aws_stack({**INTERNAL, **OIDC}))
        assert "MLflowSignInErrors" not in by_name(aws_stack(INTERNAL))

    def test_pools_are_measured_against_the_connection_budget(self) -> None:
        settings = aws_stack()
        assert settings.connection_budget is not None
        alarm = by_name(settings)["MLflowDatabasePoolExhaustion"]
        assert alarm.threshold == settings.connection_budget.wanted * 90 // 100


class TestDatabaseAlarms:
    """Thresholds follow the settings that size the database."""

    def test_storage(self) -> None:
        alarm = by_name(aws_stack(databaseStorageGib="100"))["DatabaseStorageLow"]
        assert alarm.threshold == 15 * 1024**3

    def test_connections(self) -> None:
        alarm = by_name(aws_stack(databaseMaxConnections="300"))["DatabaseConnectionsHigh"]
        assert alarm.threshold == 240

    def test_credits_only_where_there_are_any(self) -> None:
        assert "DatabaseCpuCreditsLow" in by_name(aws_stack())
        larger = aws_stack(databaseInstanceClass="db.m7g.xlarge")
        assert "DatabaseCpuCreditsLow" not in by_name(larger)

    def test_a_replica_that_is_silent_has_stopped(self) -> None:
        alarm = by_name(aws_stack(databaseReadReplica="true"))["DatabaseReplicaBehind"]
        assert (alarm.missing_data, alarm.threshold) == ("breaching", 60)
        assert "DatabaseReplicaBehind" not in by_name(aws_stack())


def monitored(settings: PlatformSettings) -> Deployment:
    def program() -> None:
        Alarms(
            "alarms",
            settings,
            AlarmsWiring(account=ACCOUNT, key_arn=KEY_ARN, alarms=alarms_of(settings)),
        )

    return deploy(program).deployment


@pytest.fixture(scope="module")
def monitoring() -> Deployment:
    return monitored(aws_stack(INTERNAL, alarmEmails='["oncall@example.com"]'))


class TestAlarmResources:
    """CloudWatch gets what the alarm says, and the topic hears of both its ends."""

    def test_one_metric(self, monitoring: Deployment) -> None:
        assert monitoring.one("cloudwatch/metricAlarm:MetricAlarm", "-MLflowDown").inputs == {
            "name": "mlops-platform-test-mlflow-MLflowDown",
            "alarmDescription": "No MLflow server answers: every run that logs now fails or waits. "
            "Runbook: docs/runbooks/mlflow-connection.md#mlflowdown",
            "namespace": "AWS/ApplicationELB",
            "metricName": "HealthyHostCount",
            "dimensions": {
                "LoadBalancer": "app/mlflow-test/1",
                "TargetGroup": "targetgroup/mlflow-test/2",
            },
            "statistic": "Maximum",
            "period": 60,
            "comparisonOperator": "LessThanThreshold",
            "threshold": 1,
            "evaluationPeriods": 2,
            "treatMissingData": "breaching",
            "alarmActions": ["arn:aws:sns:::alarms-topic"],
            "okActions": ["arn:aws:sns:::alarms-topic"],
        }

    def test_a_percentile(self, monitoring: Deployment) -> None:
        inputs = monitoring.one("cloudwatch/metricAlarm:MetricAlarm", "-MLflowHighLatency").inputs
        assert inputs["extendedStatistic"] == "p95"
        assert "statistic" not in inputs

    def test_an_expression(self, monitoring: Deployment) -> None:
        inputs = monitoring.one("cloudwatch/metricAlarm:MetricAlarm", "-MLflowServerErrors").inputs
        assert not {"metricName", "namespace", "dimensions", "period"} & set(inputs)
        result, *metrics = inputs["metricQueries"]
        assert result == {
            "id": "result",
            "label": "MLflowServerErrors",
            "returnData": True,
            "expression": "IF(FILL(requests, 0) + FILL(balancer, 0) >= 20, 100 * (FILL(server, 0)"
            " + FILL(balancer, 0)) / (FILL(requests, 0) + FILL(balancer, 0)), 0)",
        }
        assert {query["id"] for query in metrics} == {"requests", "server", "balancer"}
        assert {query["returnData"] for query in metrics} == {False}

    def test_everything_rings_somewhere(self, monitoring: Deployment) -> None:
        for alarm in monitoring.of("cloudwatch/metricAlarm:MetricAlarm"):
            assert alarm.inputs["alarmActions"] == ["arn:aws:sns:::alarms-topic"]
            assert alarm.inputs["okActions"] == ["arn:aws:sns:::alarms-topic"]
            assert "actionsEnabled" not in alarm.inputs


class TestTopic:
    """Alarms travel encrypted, to the addresses the settings name."""

    def test_under_our_key(self, monitoring: Deployment) -> None:
        assert monitoring.one("sns/topic:Topic").inputs == {
            "name": "mlops-platform-test-mlflow-alarms",
            "kmsMasterKeyId": KEY_ARN,
        }

    def test_subscription(self, monitoring: Deployment) -> None:
        assert monitoring.one("sns/topicSubscription:TopicSubscription").inputs == {
            "topic": "arn:aws:sns:::alarms-topic",
            "protocol": "email",
            "endpoint": "oncall@example.com",
        }

    def test_an_adopted_topic_is_left_alone(self) -> None:
        topic = f"arn:aws:sns:eu-central-1:{ACCOUNT}:oncall"
        deployment = monitored(aws_stack(INTERNAL, existingAlarmTopicArn=topic))
        assert deployment.of("sns/topic:Topic") == []
        assert deployment.of("sns/topicPolicy:TopicPolicy") == []
        alarm = deployment.one("cloudwatch/metricAlarm:MetricAlarm", "-MLflowDown")
        assert alarm.inputs["alarmActions"] == [topic]


class TestPoolMetric:
    """The metric that the pool's alarm watches is counted from the server's log."""

    def test_the_filter_counts_into_the_alarms_metric(self) -> None:
        settings = aws_stack(cloudwatchEnabled="true")
        metric = by_name(settings)["MLflowDatabasePoolExhaustion"].metrics["m"]

        def program() -> None:
            ContainerLogs(
                "logs", settings, ContainerLogsWiring(cluster_name="cluster", key_arn=KEY_ARN)
            )

        deployment = deploy(program).deployment
        assert deployment.one("cloudwatch/logMetricFilter:LogMetricFilter").inputs == {
            "name": "mlops-platform-test-mlflow-pool-exhausted",
            "logGroupName": "/aws/containerinsights/cluster/application",
            "pattern": '{ $.kubernetes.namespace_name = "mlflow" '
            '&& $.log = "*QueuePool limit of size*" }',
            "metricTransformation": {
                "namespace": metric.namespace,
                "name": metric.name,
                "value": "1",
            },
        }
        groups = deployment.of("cloudwatch/logGroup:LogGroup")
        assert {item.inputs["name"].rpartition("/")[2] for item in groups} == {
            "application",
            "dataplane",
            "host",
            "performance",
        }
        assert {item.inputs["kmsKeyId"] for item in groups} == {KEY_ARN}
        assert {item.inputs["retentionInDays"] for item in groups} == {90}

    def test_sqlalchemy_says_these_words(self) -> None:
        """The pattern is the library's own sentence."""
        from sqlalchemy.pool import impl

        source = Path(impl.__file__).read_text(encoding="utf-8")
        assert "QueuePool limit of size" in source
