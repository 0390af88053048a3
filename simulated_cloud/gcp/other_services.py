"""Artifact Registry, Cloud Scheduler and Cloud Monitoring.

Owns what these refuse of what the stacks make: schedules that are none, periods of an uptime check,
policies without conditions, filters without a metric.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable
from typing import ClassVar

from simulated_cloud.errors import InputProblem
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.gcp.gcp_type import GcpType, every
from simulated_cloud.gcp.iam import ACCOUNT
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
UPTIME_PERIODS = ("60s", "300s", "600s", "900s")
CRON_FIELDS = 5


class Repository(GcpType):
    """artifactregistry.Repository."""

    token = "gcp:artifactregistry/repository:Repository"
    title = "Repository"
    identity = "projects/{project}/locations/{location}/repositories/{repositoryId}"
    replace_on = frozenset({"repositoryId", "location", "project", "format"})

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an id that no repository has."""
        repository = inputs.get("repositoryId")
        if repository is not None and not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", str(repository)):
            yield InputProblem("repositoryId", f"Invalid repository id: {repository}")

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the short name."""
        return {"name": values["repositoryId"]}


class SchedulerJob(GcpType):
    """cloudscheduler.Job."""

    token = "gcp:cloudscheduler/job:Job"
    title = "Job"
    identity = "projects/{project}/locations/{region}/jobs/{name}"
    name_property = "name"
    replace_on = frozenset({"name", "region", "project"})
    refers_to = {"httpTarget.oauthToken.serviceAccountEmail": ACCOUNT}  # noqa: RUF012
    defaults = {"timeZone": "Etc/UTC"}  # noqa: RUF012

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a schedule that is none."""
        schedule = inputs.get("schedule")
        if schedule is not None and len(str(schedule).split()) != CRON_FIELDS:
            yield InputProblem("schedule", f"Schedule or time zone is invalid: {schedule}")

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add that it runs."""
        return {"state": "PAUSED" if values.get("paused") else "ENABLED"}


class Numbered(GcpType):
    """A thing of Cloud Monitoring: it gets a number for its name."""

    collection: ClassVar[str] = ""
    identity = "{made}"
    replace_on = frozenset({"project"})

    def _scoped(self, cloud: GcpCloud, inputs: Properties) -> Properties:
        values = super()._scoped(cloud, inputs)
        prefix = f"projects/{cloud.project}/{self.collection}/"
        return {**values, "made": f"{prefix}{secrets.randbelow(10**18)}"}

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the name."""
        return {"name": identity}


class NotificationChannel(Numbered):
    """monitoring.NotificationChannel."""

    token = CHANNEL
    title = "NotificationChannel"
    collection = "notificationChannels"

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a channel without an address."""
        labels = inputs.get("labels") or {}
        if inputs.get("type") == "email" and "email_address" not in labels:
            yield InputProblem(
                "labels",
                "Field \"notification_channel.labels['email_address']\" is required for type email",
            )


class UptimeCheckConfig(Numbered):
    """monitoring.UptimeCheckConfig."""

    token = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
    title = "UptimeCheckConfig"
    collection = "uptimeCheckConfigs"

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a period that Cloud Monitoring does not have."""
        period = inputs.get("period") or "300s"
        if period not in UPTIME_PERIODS:
            yield InputProblem(
                "period", f"expected one of {', '.join(UPTIME_PERIODS)}, got {period}"
            )

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the id that its metric carries."""
        return {"name": identity, "uptimeCheckId": identity.rpartition("/")[2]}


class AlertPolicy(Numbered):
    """monitoring.AlertPolicy."""

    token = "gcp:monitoring/alertPolicy:AlertPolicy"
    title = "AlertPolicy"
    collection = "alertPolicies"
    refers_to = {"notificationChannels": CHANNEL}  # noqa: RUF012

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield conditions that watch nothing."""
        if inputs.get("conditions") == []:
            yield InputProblem("conditions", "Field alert_policy.conditions is required")
        for text in every(inputs, "conditions.conditionThreshold.filter"):
            if isinstance(text, str) and "metric.type" not in text:
                yield InputProblem(
                    "conditions",
                    "Field alert_policy.conditions[0].condition_threshold.filter must specify a "
                    f"restriction on metric.type, got {text}",
                )

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the name."""
        return {"name": identity, "enabled": values.get("enabled", True)}


class Dashboard(Numbered):
    """monitoring.Dashboard."""

    token = "gcp:monitoring/dashboard:Dashboard"
    title = "Dashboard"
    collection = "dashboards"

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a dashboard that is no JSON, or has no name."""
        text = inputs.get("dashboardJson")
        if text is None:
            return
        try:
            parsed = json.loads(str(text))
        except ValueError as error:
            yield InputProblem("dashboardJson", f"contains an invalid JSON: {error}")
            return
        if not parsed.get("displayName"):
            yield InputProblem("dashboardJson", "Field dashboard.displayName is required")


TYPES = (
    Repository,
    SchedulerJob,
    NotificationChannel,
    UptimeCheckConfig,
    AlertPolicy,
    Dashboard,
)
