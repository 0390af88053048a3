"""The dashboard: what an engineer on call looks at first.

Owns the layout. What is shown is what is watched (`alert_conditions`), in the same order, with its
threshold drawn in, so that a picture and an alarm never disagree.
"""

from __future__ import annotations

import json

import pulumi
import pulumi_gcp as gcp

from infra.gcp.alert_conditions import Condition, conditions
from infra.gcp.alerts import metric_filter
from infra.settings import PlatformSettings

COLUMNS = 12
WIDTH = 6
HEIGHT = 4


def dashboard(
    name: str,
    settings: PlatformSettings,
    *,
    service: str,
    instance: str,
    opts: pulumi.ResourceOptions,
) -> gcp.monitoring.Dashboard:
    """One chart for each thing that is watched."""
    watched = conditions(settings, service=service, instance=instance)
    return gcp.monitoring.Dashboard(
        name, dashboard_json=dashboard_json(f"MLflow {settings.environment}", watched), opts=opts
    )


def dashboard_json(title: str, watched: tuple[Condition, ...]) -> str:
    """The dashboard in Google's terms; keys sorted, so that nothing changes by itself."""
    tiles = [
        {
            "xPos": (index * WIDTH) % COLUMNS,
            "yPos": (index * WIDTH) // COLUMNS * HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "widget": {
                "title": f"{condition.alert}: {condition.meaning}",
                "xyChart": {
                    "dataSets": [{"plotType": "LINE", "timeSeriesQuery": _query(condition)}],
                    "thresholds": [{"value": condition.threshold}],
                },
            },
        }
        for index, condition in enumerate(watched)
    ]
    layout = {"columns": COLUMNS, "tiles": tiles}
    return json.dumps({"displayName": title, "mosaicLayout": layout}, sort_keys=True)


def _query(condition: Condition) -> dict[str, object]:
    """The series of a condition: a value, or a share of a whole."""
    part = _series(condition, condition.labels)
    if condition.denominator_labels is None:
        return {"timeSeriesFilter": part}
    whole = _series(condition, condition.denominator_labels)
    return {"timeSeriesFilterRatio": {"numerator": part, "denominator": whole}}


def _series(condition: Condition, labels: str) -> dict[str, object]:
    return {
        "filter": metric_filter(condition, labels),
        "aggregation": {
            "alignmentPeriod": "60s",
            "perSeriesAligner": condition.aligner,
            "crossSeriesReducer": condition.reducer,
        },
    }
