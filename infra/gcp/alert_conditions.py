"""What is watched on Google Cloud, as data: metric, threshold, patience and runbook page.

Owns the conditions of the alert policies, one entry each, under the names that the runbooks and
the other clouds' alarms use. Every metric's type stands in Google's list of metrics, whose address
is beside it; making policies of them is `alerts`' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from infra.settings import PlatformSettings

UPTIME_METRICS = "https://cloud.google.com/monitoring/api/metrics_gcp_i_o#gcp-monitoring"

Severity = Literal["CRITICAL", "ERROR", "WARNING"]
Aligner = Literal["ALIGN_MEAN", "ALIGN_MAX", "ALIGN_RATE", "ALIGN_PERCENTILE_95"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One thing that may go wrong, and from when on somebody is told."""

    alert: str  # its name, as in the runbooks
    meaning: str
    page: str  # of the runbooks; its section has the alert's name
    severity: Severity
    metric: str  # type of the metric
    resource: str  # type of the monitored resource
    labels: str  # more of the filter, Google's syntax
    aligner: Aligner
    threshold: float  # trouble is above it
    seconds: int  # for how long
    reducer: str = "REDUCE_SUM"
    denominator_labels: str | None = None  # the share of a whole: the whole's filter


def conditions(settings: PlatformSettings, *, service: str, instance: str) -> tuple[Condition, ...]:
    """What is watched of a deployed platform.

    Args:
        settings: thresholds come from here.
        service: name of the Cloud Run service.
        instance: name of the Cloud SQL instance.
    """
    return (*_server(settings, service), *_database(settings, instance))


def _server(settings: PlatformSettings, service: str) -> tuple[Condition, ...]:
    this = f'resource.labels.service_name = "{service}"'
    alarms = settings.cloud.alarms
    # https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
    of_service = partial(Condition, resource="cloud_run_revision", page="mlflow-connection.md")
    return (
        of_service(
            alert="MLflowHighLatency",
            meaning=f"one answer in twenty took more than {settings.telemetry.slow_response_ms} ms",
            severity="WARNING",
            metric="run.googleapis.com/request_latencies",
            labels=this,
            aligner="ALIGN_PERCENTILE_95",
            reducer="REDUCE_MAX",
            threshold=settings.telemetry.slow_response_ms,
            seconds=300,
        ),
        of_service(
            alert="MLflowServerErrors",
            meaning=f"more than {alarms.server_errors_percent} % of the answers were 5xx",
            severity="ERROR",
            metric="run.googleapis.com/request_count",
            labels=f'{this} AND metric.labels.response_code_class = "5xx"',
            denominator_labels=this,
            aligner="ALIGN_RATE",
            threshold=alarms.server_errors_percent / 100,
            seconds=300,
        ),
        of_service(
            alert="MLflowInstancesAtMaximum",
            meaning=f"all {settings.server.replicas} instances run; more requests will wait",
            severity="WARNING",
            metric="run.googleapis.com/container/instance_count",
            labels=f'{this} AND metric.labels.state = "active"',
            aligner="ALIGN_MAX",
            threshold=settings.server.replicas - 0.5,
            seconds=600,
        ),
    )


def _database(settings: PlatformSettings, instance: str) -> tuple[Condition, ...]:
    this = f'resource.labels.database_id = monitoring.regex.full_match(".*:{instance}")'
    alarms, database = settings.cloud.alarms, settings.database
    connections = database.max_connections * alarms.database_connections_percent // 100
    # https://cloud.google.com/monitoring/api/metrics_gcp_c#gcp-cloudsql
    of_database = partial(Condition, resource="cloudsql_database", labels=this)
    return (
        of_database(
            alert="DatabaseStorageLow",
            meaning=f"less than {alarms.database_free_storage_percent} % of the storage is free",
            page="database.md",
            severity="ERROR",
            metric="cloudsql.googleapis.com/database/disk/utilization",
            aligner="ALIGN_MEAN",
            reducer="REDUCE_MAX",
            threshold=1 - alarms.database_free_storage_percent / 100,
            seconds=300,
        ),
        of_database(
            alert="DatabaseCpuHigh",
            meaning=f"the database computes more than {alarms.database_cpu_percent} % of the time",
            page="database.md",
            severity="WARNING",
            metric="cloudsql.googleapis.com/database/cpu/utilization",
            aligner="ALIGN_MEAN",
            reducer="REDUCE_MAX",
            threshold=alarms.database_cpu_percent / 100,
            seconds=900,
        ),
        of_database(
            alert="MLflowDatabasePoolExhaustion",
            meaning=f"{connections} of {database.max_connections} connections are in use",
            page="mlflow-connection.md",
            severity="ERROR",
            metric="cloudsql.googleapis.com/database/postgresql/num_backends",
            aligner="ALIGN_MAX",
            threshold=connections,
            seconds=300,
        ),
    )
