"""Alerts on what the servers say of themselves: a PrometheusRule for the Prometheus operator.

Owns the alerts `MLflowDown`, `MLflowHighLatency`, `MLflowServerErrors` and
`MLflowDatabasePoolExhaustion`, each with the runbook page that answers it. They rest on what MLflow
3.17 exposes (tests compare the names with a running server):

- `mlflow_http_request_duration_seconds` knows method and status of a request, not its path.
  Artifacts travel by GET and PUT and may rightly take minutes, so latency is that of POST: logging,
  searching, registering.
- Its largest bucket ends at 10 s: what takes longer is known to be longer, and no more.
- MLflow exposes nothing of its pools. A request that waits for a connection gets none after 30 s
  and answers with an error; an error that took longer than 10 s has hardly another reason (a
  statement that ran into `serverQueryTimeoutSeconds` is the other one, and its page says so).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.kubernetes.labels import NAMESPACE, SERVER, labels

if TYPE_CHECKING:
    from infra.settings import PlatformSettings

RUNBOOKS = "docs/runbooks"
PAGE = "mlflow-connection.md"
LARGEST_BUCKET_SECONDS = 10.0

_OURS = f'namespace="{NAMESPACE}",job="{SERVER}"'
_DURATION = "mlflow_http_request_duration_seconds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One alert: when it is raised, and what its reader is told."""

    name: str
    expression: str
    lasting: str  # Prometheus' duration
    severity: Literal["critical", "warning"]
    summary: str
    page: str  # of the runbooks

    def rule(self) -> dict[str, object]:
        """The alert as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasting,
            "labels": {"severity": self.severity, "service": SERVER},
            "annotations": {
                "summary": self.summary,
                "runbook": f"{RUNBOOKS}/{self.page}#{self.name.lower()}",
            },
        }


def alerts(settings: PlatformSettings) -> tuple[Alert, ...]:
    """Every alert, in the order of their urgency."""
    slow_seconds = min(settings.telemetry.slow_response_ms / 1000, LARGEST_BUCKET_SECONDS - 0.1)
    percent = settings.cloud.alarms.server_errors_percent
    posts = f'{_OURS},method="POST"'
    errors = f'{_OURS},status=~"4..|5.."'
    return (
        Alert(
            name="MLflowDown",
            # No series at all is as bad as series that say 0.
            expression=f"(sum(up{{{_OURS}}}) or vector(0)) == 0",
            lasting="2m",
            severity="critical",
            summary="No MLflow server answers Prometheus: training jobs cannot log.",
            page=PAGE,
        ),
        Alert(
            name="MLflowDatabasePoolExhaustion",
            expression=(
                f"sum(rate({_DURATION}_count{{{errors}}}[5m])) - "
                f'sum(rate({_DURATION}_bucket{{{errors},le="{LARGEST_BUCKET_SECONDS}"}}[5m])) > 0'
            ),
            lasting="1m",
            severity="critical",
            summary="Requests fail after more than 10 s: they wait for a database connection.",
            page=PAGE,
        ),
        Alert(
            name="MLflowServerErrors",
            expression=(
                f'100 * sum(rate(mlflow_http_request_total{{{_OURS},status=~"5.."}}[5m]))'
                f" / sum(rate(mlflow_http_request_total{{{_OURS}}}[5m])) > {percent}"
            ),
            lasting="5m",
            severity="critical",
            summary=f"More than {percent} % of MLflow's answers are 5xx.",
            page=PAGE,
        ),
        Alert(
            name="MLflowHighLatency",
            expression=(
                f"histogram_quantile(0.95, sum by (le) (rate({_DURATION}_bucket{{{posts}}}[5m])))"
                f" > {slow_seconds:g}"
            ),
            lasting="10m",
            severity="warning",
            summary=f"One in twenty calls of the API takes longer than {slow_seconds:g} s.",
            page=PAGE,
        ),
    )


def prometheus_rules(
    name: str, settings: PlatformSettings, *, opts: pulumi.ResourceOptions
) -> CustomResource:
    """Declare them."""
    return CustomResource(
        f"{name}-prometheus-rules",
        api_version="monitoring.coreos.com/v1",
        kind="PrometheusRule",
        metadata=ObjectMetaArgs(
            name=SERVER, namespace=NAMESPACE, labels=labels(settings.environment)
        ),
        spec={"groups": [{"name": SERVER, "rules": [alert.rule() for alert in alerts(settings)]}]},
        opts=opts,
    )
