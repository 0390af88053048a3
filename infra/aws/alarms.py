"""What an alarm is: a metric against a threshold, in words for who is woken, with its runbook.

Owns the shape only. Which alarms there are stands in `alarms_server`, `alarms_database` and
`alarms_backup`; `monitoring` makes them in CloudWatch and `dashboard` draws what they watch.

What missing data means is decided for each alarm. Where a thing that lives always speaks, silence
is the alarm (`breaching`); where there is something to count only when something happens, silence
is no news (`notBreaching`); and where the thing's death is another alarm's business, the last
answer stands (`ignore`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pulumi

MissingData = Literal["breaching", "notBreaching", "ignore"]
Comparison = Literal["GreaterThanThreshold", "LessThanThreshold"]

RUNBOOKS = "docs/runbooks"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A metric as CloudWatch knows it."""

    namespace: str
    name: str
    statistic: str  # Average, Sum, Minimum, Maximum, or a percentile such as p95
    dimensions: Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """One alarm over one metric, or over an expression of several."""

    name: str
    meaning: str  # one sentence for who is woken
    page: str  # of the runbook; its section has the alarm's name
    metrics: Mapping[str, Metric]  # by the id that the expression uses
    expression: str = ""  # "" = the one metric itself
    comparison: Comparison
    threshold: float
    period_seconds: int = 60
    periods: int  # in a row
    missing_data: MissingData
    unit: str = field(default="", compare=False)  # of the threshold, for the dashboard

    @property
    def runbook(self) -> str:
        """Page and section that answer it."""
        return f"{RUNBOOKS}/{self.page}#{self.name.lower()}"

    @property
    def description(self) -> str:
        """What CloudWatch mails."""
        return f"{self.meaning} Runbook: {self.runbook}"
