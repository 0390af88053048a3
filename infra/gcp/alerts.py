"""Alert policies: each condition, and the uptime check behind `MLflowDown`.

Owns the policies and the uptime check that asks the service with an identity token of Google's
monitoring agent. What is watched, and from when on, is `alert_conditions`' table. Every policy
notifies the same channels and names the runbook page that answers it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.gcp.alert_conditions import UPTIME_METRICS, Condition, Severity, conditions
from infra.settings import PlatformSettings

RUNBOOKS = "docs/runbooks"

DOWN_PAGE = "mlflow-connection.md"
UPTIME_PERIOD = "60s"
UPTIME_TIMEOUT = "10s"
FEWEST_REGIONS_FAILING = 1

AUTO_CLOSE = "86400s"
ABOVE = "COMPARISON_GT"


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertsWiring:
    """What is watched and who is told."""

    project: str
    service_name: str
    service_host: str
    instance: str
    channels: list[pulumi.Input[str]]
    labels: dict[str, str]


class Alerts(pulumi.ComponentResource):
    """Alert policies of a deployed platform."""

    uptime_check_id: pulumi.Output[str]
    policies: dict[str, gcp.monitoring.AlertPolicy]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: AlertsWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the uptime check and one policy for each condition."""
        super().__init__("mlflow-platform:gcp:Alerts", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        check = uptime_check(f"{name}-uptime", settings, wiring, self._child)
        self.uptime_check_id = check.uptime_check_id
        self.policies = {"MLflowDown": self._down(name, check, wiring)}
        watched = conditions(settings, service=wiring.service_name, instance=wiring.instance)
        for condition in watched:
            self.policies[condition.alert] = self._policy(
                name,
                wiring,
                condition.alert,
                severity=condition.severity,
                meaning=condition.meaning,
                runbook=documentation(condition.alert, condition.meaning, condition.page),
                trouble=threshold(condition),
            )
        self.register_outputs({"uptime_check_id": self.uptime_check_id})

    def _policy(
        self,
        name: str,
        wiring: AlertsWiring,
        alert: str,
        *,
        severity: Severity,
        meaning: str,
        runbook: gcp.monitoring.AlertPolicyDocumentationArgs,
        trouble: gcp.monitoring.AlertPolicyConditionConditionThresholdArgs,
    ) -> gcp.monitoring.AlertPolicy:
        return gcp.monitoring.AlertPolicy(
            f"{name}-{alert}",
            display_name=alert,
            combiner="OR",
            severity=severity,
            conditions=[
                gcp.monitoring.AlertPolicyConditionArgs(
                    display_name=meaning, condition_threshold=trouble
                )
            ],
            documentation=runbook,
            alert_strategy=gcp.monitoring.AlertPolicyAlertStrategyArgs(auto_close=AUTO_CLOSE),
            notification_channels=wiring.channels,
            user_labels=wiring.labels,
            opts=self._child,
        )

    def _down(
        self, name: str, check: gcp.monitoring.UptimeCheckConfig, wiring: AlertsWiring
    ) -> gcp.monitoring.AlertPolicy:
        meaning = "the server does not answer /health with 200"
        return self._policy(
            name,
            wiring,
            "MLflowDown",
            severity="CRITICAL",
            meaning=meaning,
            runbook=documentation("MLflowDown", f"{meaning} ({UPTIME_METRICS})", DOWN_PAGE),
            trouble=failing_checks(check),
        )


def failing_checks(
    check: gcp.monitoring.UptimeCheckConfig,
) -> gcp.monitoring.AlertPolicyConditionConditionThresholdArgs:
    """More than one place in the world gets no good answer, or nobody asks."""
    return gcp.monitoring.AlertPolicyConditionConditionThresholdArgs(
        filter=check.uptime_check_id.apply(
            lambda check_id: (
                'metric.type = "monitoring.googleapis.com/uptime_check/check_passed"'
                ' AND resource.type = "uptime_url"'
                f' AND metric.labels.check_id = "{check_id}"'
            )
        ),
        comparison=ABOVE,
        threshold_value=FEWEST_REGIONS_FAILING,
        duration="120s",
        # No result is no proof of life.
        evaluation_missing_data="EVALUATION_MISSING_DATA_ACTIVE",
        aggregations=[
            gcp.monitoring.AlertPolicyConditionConditionThresholdAggregationArgs(
                alignment_period="120s",
                per_series_aligner="ALIGN_NEXT_OLDER",
                cross_series_reducer="REDUCE_COUNT_FALSE",
                group_by_fields=["resource.label.host"],
            )
        ],
    )


def uptime_check(
    name: str, settings: PlatformSettings, wiring: AlertsWiring, opts: pulumi.ResourceOptions
) -> gcp.monitoring.UptimeCheckConfig:
    """`/health`, asked each minute from around the world with an identity token."""
    return gcp.monitoring.UptimeCheckConfig(
        name,
        display_name=f"MLflow {settings.environment}",
        period=UPTIME_PERIOD,
        timeout=UPTIME_TIMEOUT,
        http_check=gcp.monitoring.UptimeCheckConfigHttpCheckArgs(
            path=f"{settings.server.static_prefix}/health",
            port=443,
            use_ssl=True,
            validate_ssl=True,
            accepted_response_status_codes=[
                gcp.monitoring.UptimeCheckConfigHttpCheckAcceptedResponseStatusCodeArgs(
                    status_value=200
                )
            ],
            service_agent_authentication=gcp.monitoring.UptimeCheckConfigHttpCheckServiceAgentAuthenticationArgs(
                type="OIDC_TOKEN"
            ),
        ),
        monitored_resource=gcp.monitoring.UptimeCheckConfigMonitoredResourceArgs(
            type="uptime_url",
            labels={"project_id": wiring.project, "host": wiring.service_host},
        ),
        user_labels=wiring.labels,
        opts=opts,
    )


def threshold(
    condition: Condition,
) -> gcp.monitoring.AlertPolicyConditionConditionThresholdArgs:
    """A condition in Google's terms."""
    whole = condition.denominator_labels
    return gcp.monitoring.AlertPolicyConditionConditionThresholdArgs(
        filter=metric_filter(condition, condition.labels),
        comparison=ABOVE,
        threshold_value=condition.threshold,
        duration=f"{condition.seconds}s",
        aggregations=[
            gcp.monitoring.AlertPolicyConditionConditionThresholdAggregationArgs(
                alignment_period="60s",
                per_series_aligner=condition.aligner,
                cross_series_reducer=condition.reducer,
            )
        ],
        denominator_filter=None if whole is None else metric_filter(condition, whole),
        denominator_aggregations=None
        if whole is None
        else [
            gcp.monitoring.AlertPolicyConditionConditionThresholdDenominatorAggregationArgs(
                alignment_period="60s",
                per_series_aligner=condition.aligner,
                cross_series_reducer=condition.reducer,
            )
        ],
    )


def metric_filter(condition: Condition, labels: str) -> str:
    """Which time series are meant."""
    return (
        f'metric.type = "{condition.metric}" AND resource.type = "{condition.resource}"'
        f" AND {labels}"
    )


def documentation(
    alert: str, meaning: str, page: str
) -> gcp.monitoring.AlertPolicyDocumentationArgs:
    """What the message says: the meaning, and the section that says what to do."""
    return gcp.monitoring.AlertPolicyDocumentationArgs(
        mime_type="text/markdown",
        content=f"{meaning}. Runbook: {RUNBOOKS}/{page}#{alert.lower()}",
    )
