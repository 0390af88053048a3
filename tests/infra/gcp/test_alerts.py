"""Every alert watches a metric that exists, tells somebody, and has a section in a runbook."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from infra.gcp.alert_conditions import conditions
from tests.infra.aws.declared import Outcome
from tests.infra.gcp.declared import deployed, gcp_stack

ROOT = Path(__file__).resolve().parents[3]

KNOWN_METRICS = {
    # https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
    "run.googleapis.com/request_latencies": "cloud_run_revision",
    "run.googleapis.com/request_count": "cloud_run_revision",
    "run.googleapis.com/container/instance_count": "cloud_run_revision",
    # https://cloud.google.com/monitoring/api/metrics_gcp_c#gcp-cloudsql
    "cloudsql.googleapis.com/database/disk/utilization": "cloudsql_database",
    "cloudsql.googleapis.com/database/cpu/utilization": "cloudsql_database",
    "cloudsql.googleapis.com/database/postgresql/num_backends": "cloudsql_database",
    # https://cloud.google.com/monitoring/api/metrics_gcp_i_o#gcp-monitoring
    "monitoring.googleapis.com/uptime_check/check_passed": "uptime_url",
}


@pytest.fixture(scope="module")
def watched() -> Outcome:
    return deployed(gcp_stack(alarmEmails='["oncall@example.com"]', serverReplicas="3"))


class TestPolicies:
    """What the on-call engineer is told."""

    def test_names(self, watched: Outcome) -> None:
        policies = watched.deployment.of("monitoring/alertPolicy:AlertPolicy")
        assert {item.inputs["displayName"] for item in policies} == {
            "MLflowDown",
            "MLflowHighLatency",
            "MLflowServerErrors",
            "MLflowInstancesAtMaximum",
            "MLflowDatabasePoolExhaustion",
            "DatabaseStorageLow",
            "DatabaseCpuHigh",
        }

    def test_metrics_exist(self, watched: Outcome) -> None:
        for policy in watched.deployment.of("monitoring/alertPolicy:AlertPolicy"):
            for condition in policy.inputs["conditions"]:
                text = condition["conditionThreshold"]["filter"]
                metric = re.search(r'metric\.type = "([^"]+)"', text)
                resource = re.search(r'resource\.type = "([^"]+)"', text)
                assert metric
                assert resource
                assert KNOWN_METRICS[metric[1]] == resource[1]

    def test_everybody_is_told(self, watched: Outcome) -> None:
        channels = watched.deployment.of("monitoring/notificationChannel:NotificationChannel")
        assert [item.inputs["labels"] for item in channels] == [
            {"email_address": "oncall@example.com"}
        ]
        for policy in watched.deployment.of("monitoring/alertPolicy:AlertPolicy"):
            assert len(policy.inputs["notificationChannels"]) == 1

    def test_the_runbook_has_a_section_of_its_name(self, watched: Outcome) -> None:
        for policy in watched.deployment.of("monitoring/alertPolicy:AlertPolicy"):
            link = policy.inputs["documentation"]["content"].rpartition("Runbook: ")[2]
            page, _, section = link.partition("#")
            titles = re.findall(r"^### (\S+)$", (ROOT / page).read_text(), re.MULTILINE)
            assert section in {title.lower() for title in titles}

    def test_thresholds_are_the_settings(self) -> None:
        settings = gcp_stack(
            slowResponseMs="1234",
            alarmServerErrorsPercent="7",
            alarmDatabaseCpuPercent="61",
            alarmDatabaseFreeStoragePercent="20",
            alarmDatabaseConnectionsPercent="50",
            databaseMaxConnections="400",
            serverReplicas="2",
        )
        found = {
            item.alert: item.threshold
            for item in conditions(settings, service="mlflow", instance="mlflow")
        }
        assert found == {
            "MLflowHighLatency": 1234,
            "MLflowServerErrors": 0.07,
            "MLflowInstancesAtMaximum": 1.5,
            "DatabaseStorageLow": 0.8,
            "DatabaseCpuHigh": 0.61,
            "MLflowDatabasePoolExhaustion": 200,
        }

    def test_the_check_carries_an_identity_token(self, watched: Outcome) -> None:
        check = watched.deployment.one("monitoring/uptimeCheckConfig:UptimeCheckConfig").inputs
        assert check["httpCheck"]["serviceAgentAuthentication"] == {"type": "OIDC_TOKEN"}
        assert check["httpCheck"]["path"] == "/health"


class TestDashboard:
    """What is watched is shown, threshold and all."""

    def test_one_chart_for_each(self, watched: Outcome) -> None:
        made = watched.deployment.one("monitoring/dashboard:Dashboard").inputs
        tiles = json.loads(made["dashboardJson"])["mosaicLayout"]["tiles"]
        expected = conditions(gcp_stack(serverReplicas="3"), service="mlflow", instance="mlflow")
        assert [tile["widget"]["xyChart"]["thresholds"] for tile in tiles] == [
            [{"value": item.threshold}] for item in expected
        ]
