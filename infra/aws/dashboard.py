"""The dashboard: what the alarms watch, drawn with the line that rings.

Owns the layout. Every widget comes from an alarm, so a metric that wakes somebody is always on the
page they open first.
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.alarms import Alarm, Metric

COLUMNS = 3
WIDTH, HEIGHT = 8, 6
TITLE_HEIGHT = 2


class Dashboard(pulumi.ComponentResource):
    """One page of the platform's health in CloudWatch."""

    dashboard_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        environment: str,
        *,
        region: str,
        alarms: Sequence[Alarm],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the dashboard of what `alarms` watch."""
        super().__init__("mlflow-platform:aws:Dashboard", name, None, opts)
        dashboard = aws.cloudwatch.Dashboard(
            f"{name}-page",
            dashboard_name=naming.base_name(environment),
            dashboard_body=pulumi.Output.json_dumps(body(environment, region, alarms)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.dashboard_name = dashboard.dashboard_name
        self.register_outputs({"dashboard_name": self.dashboard_name})


def body(environment: str, region: str, alarms: Sequence[Alarm]) -> dict[str, object]:
    """The dashboard as CloudWatch takes it; dimensions may still be unknown."""
    title = {
        "type": "text",
        "x": 0,
        "y": 0,
        "width": WIDTH * COLUMNS,
        "height": TITLE_HEIGHT,
        "properties": {
            "markdown": f"# {naming.base_name(environment)}\nEach widget is an alarm's: the line "
            "rings, the title names the alarm, the alarm's description the runbook."
        },
    }
    return {"widgets": [title, *(_widget(i, region, alarm) for i, alarm in enumerate(alarms))]}


def _widget(position: int, region: str, alarm: Alarm) -> dict[str, object]:
    row, column = divmod(position, COLUMNS)
    return {
        "type": "metric",
        "x": column * WIDTH,
        "y": TITLE_HEIGHT + row * HEIGHT,
        "width": WIDTH,
        "height": HEIGHT,
        "properties": {
            "title": f"{alarm.name} ({alarm.unit})",
            "region": region,
            "period": alarm.period_seconds,
            "metrics": _lines(alarm),
            "annotations": {
                "horizontal": [
                    {
                        "label": "rings",
                        "value": alarm.threshold,
                        "fill": "above" if alarm.comparison == "GreaterThanThreshold" else "below",
                    }
                ]
            },
            "yAxis": {"left": {"min": 0}},
        },
    }


def _lines(alarm: Alarm) -> list[list[object]]:
    hidden = {"visible": False} if alarm.expression else {}
    lines = [_line(metric, {"id": key, **hidden}) for key, metric in alarm.metrics.items()]
    if alarm.expression:
        lines.insert(0, [{"id": "result", "expression": alarm.expression, "label": alarm.name}])
    return lines


def _line(metric: Metric, options: dict[str, object]) -> list[object]:
    dimensions = [part for pair in metric.dimensions.items() for part in pair]
    return [metric.namespace, metric.name, *dimensions, {"stat": metric.statistic, **options}]
