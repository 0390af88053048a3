"""CloudWatch alarms and dashboards.

Owns which metrics there are: an alarm on a namespace, a metric or a period that AWS does not have
would never ring, so it is refused here, which AWS itself does not do for names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.cloudwatch_metrics import check_metric
from simulated_cloud.aws.spelling import camel, pascal
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

COMPARISONS = (
    *("GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold"),
    *("LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold"),
    *("LessThanLowerThreshold", "GreaterThanUpperThreshold"),
)
STATISTICS = ("Average", "Maximum", "Minimum", "SampleCount", "Sum")
MISSING_DATA = ("breaching", "ignore", "missing", "notBreaching")
LONGEST_SECONDS = 7 * 86_400
_SPELLED = {
    "name": "AlarmName",
    "alarmDescription": "AlarmDescription",
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "okActions": "OKActions",
    "insufficientDataActions": "InsufficientDataActions",
    "namespace": "Namespace",
    "metricName": "MetricName",
    "statistic": "Statistic",
    "extendedStatistic": "ExtendedStatistic",
    "period": "Period",
    "evaluationPeriods": "EvaluationPeriods",
    "datapointsToAlarm": "DatapointsToAlarm",
    "threshold": "Threshold",
    "comparisonOperator": "ComparisonOperator",
    "treatMissingData": "TreatMissingData",
    "unit": "Unit",
}


class MetricAlarm(AwsType):
    """aws.cloudwatch.MetricAlarm."""

    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    title = "CloudWatch Metric Alarm"
    missing = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
    defaults: ClassVar = {"actionsEnabled": True, "treatMissingData": "missing"}
    replace_on = frozenset({"name"})
    name_property = "name"
    unsupported = frozenset({"evaluateLowSampleCountPercentiles", "thresholdMetricId"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what could never ring."""
        for name, allowed in (
            ("comparisonOperator", COMPARISONS),
            ("statistic", STATISTICS),
            ("treatMissingData", MISSING_DATA),
        ):
            value = inputs.get(name)
            if value is not None and value not in allowed:
                yield InputProblem(
                    name, f"expected {name} to be one of [{' '.join(allowed)}], got {value}"
                )
        percentile = inputs.get("extendedStatistic")
        if percentile is not None and not re.fullmatch(r"p(\d{1,2}(\.\d{1,2})?|100)", percentile):
            yield InputProblem(
                "extendedStatistic",
                f"invalid extended_statistic {percentile}: p0.0 to p100",
            )
        if len(inputs.get("alarmDescription") or "") > 1024:
            yield InputProblem(
                "alarmDescription",
                "expected length of alarm_description to be in the range (0 - 1024)",
            )
        periods = inputs.get("evaluationPeriods", 1)
        if periods < 1:
            yield InputProblem(
                "evaluationPeriods",
                f"expected evaluation_periods to be at least (1), got {periods}",
            )
        for path, metric in _metrics(inputs):
            yield from _check_period(metric.get("period"), periods, path)
            yield from check_metric(metric, path)
        if inputs.get("datapointsToAlarm", 1) > periods:
            yield InputProblem(
                "datapointsToAlarm",
                "ValidationError: The parameter DatapointsToAlarm must be at most "
                "EvaluationPeriods",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the alarm; CloudWatch would overwrite one of the name."""
        if _alarm(aws, inputs["name"]) is not None:
            raise Refusal(f"an alarm with the name {inputs['name']} already exists")
        self._put(aws, inputs)
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the alarm."""
        alarm = _alarm(aws, identity)
        if alarm is None:
            return None
        found = {name: alarm.get(key) for name, key in _SPELLED.items()}
        found["dimensions"] = {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []}
        found["treatMissingData"] = alarm.get("TreatMissingData") or "missing"
        queries = alarm.get("Metrics") or []
        if queries:
            found["metricQueries"] = [_query_of(query) for query in queries]
            found |= dict.fromkeys(("namespace", "metricName", "statistic", "period"))
        arn = alarm["AlarmArn"]
        tags = aws.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"]
        return {**found, "arn": arn, "tagsAll": from_key_value(tags)}

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the alarm anew."""
        self._put(aws, news)

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        retag_alarm(aws, identity, gone, tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the alarm."""
        if _alarm(aws, identity) is not None:
            aws.client("cloudwatch").delete_alarms(AlarmNames=[identity])

    @staticmethod
    def _put(aws: AwsCloud, inputs: Properties) -> None:
        see_topics(aws, inputs)
        arguments: dict[str, Any] = {
            key: inputs[name] for name, key in _SPELLED.items() if inputs.get(name) is not None
        }
        if inputs.get("dimensions"):
            pairs = inputs["dimensions"].items()
            arguments["Dimensions"] = [{"Name": name, "Value": value} for name, value in pairs]
        queries = inputs.get("metricQueries")
        if bool(queries) == bool(inputs.get("metricName")):
            raise Refusal("one of metric_name, metric_query must be specified")
        if queries:
            arguments["Metrics"] = [_api_query(query) for query in queries]
        elif not (inputs.get("statistic") or inputs.get("extendedStatistic")):
            raise Refusal(
                "One of `statistic` or `extended_statistic` must be set for a cloudwatch "
                "metric alarm"
            )
        tags = {"Tags": key_value(inputs["tagsAll"])} if inputs.get("tagsAll") else {}
        aws.client("cloudwatch").put_metric_alarm(**arguments, **tags)


class Dashboard(AwsType):
    """aws.cloudwatch.Dashboard."""

    token = "aws:cloudwatch/dashboard:Dashboard"
    title = "CloudWatch Dashboard"
    missing = frozenset({"ResourceNotFound", "ResourceNotFoundException", "DashboardNotFoundError"})
    replace_on = frozenset({"dashboardName"})
    ordered = frozenset({"dashboardBody"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name and a body that are none."""
        name = inputs.get("dashboardName", "x")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
            yield InputProblem(
                "dashboardName",
                f"must have letters, digits, underscores and hyphens only, 255 at most: {name}",
            )
        body = inputs.get("dashboardBody")
        if body is not None:
            try:
                parsed = json.loads(body)
            except ValueError:
                parsed = None
            if not isinstance(parsed, dict) or "widgets" not in parsed:
                yield InputProblem(
                    "dashboardBody",
                    "DashboardInvalidInputError: The field DashboardBody must be a valid JSON "
                    "object with widgets",
                )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Write the dashboard."""
        aws.client("cloudwatch").put_dashboard(
            DashboardName=inputs["dashboardName"], DashboardBody=inputs["dashboardBody"]
        )
        return inputs["dashboardName"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the dashboard."""
        client = aws.client("cloudwatch")
        names = [entry["DashboardName"] for entry in client.list_dashboards()["DashboardEntries"]]
        if identity not in names:
            return None
        board = client.get_dashboard(DashboardName=identity)
        return {
            "dashboardArn": f"arn:aws:cloudwatch::{aws.account_id}:dashboard/{identity}",
            "dashboardName": identity,
            "dashboardBody": board["DashboardBody"],
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the dashboard anew."""
        self.make(aws, news)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the dashboard."""
        if self.find(aws, identity, {}) is not None:
            aws.client("cloudwatch").delete_dashboards(DashboardNames=[identity])


def see_topics(aws: AwsCloud, inputs: Properties) -> None:
    """Refuse actions that call a topic which is not there."""
    for name in ("alarmActions", "okActions", "insufficientDataActions"):
        for arn in inputs.get(name) or []:
            if arn.startswith("arn:aws:sns:"):
                aws.client("sns").get_topic_attributes(TopicArn=arn)


def retag_alarm(aws: AwsCloud, name: str, gone: list[str], tags: dict[str, str]) -> None:
    """Write the tags of an alarm."""
    client, arn = aws.client("cloudwatch"), aws.arn("cloudwatch", f"alarm:{name}")
    if gone:
        client.untag_resource(ResourceARN=arn, TagKeys=gone)
    if tags:
        client.tag_resource(ResourceARN=arn, Tags=key_value(tags))


def _alarm(aws: AwsCloud, name: str) -> Any:
    answer = aws.client("cloudwatch").describe_alarms(AlarmNames=[name])
    return answer["MetricAlarms"][0] if answer["MetricAlarms"] else None


def _metrics(inputs: Properties) -> Iterator[tuple[str, Properties]]:
    if inputs.get("metricName"):
        yield "metricName", inputs
    for query in inputs.get("metricQueries") or []:
        if query.get("metric"):
            yield f"metricQueries ({query.get('id')})", query["metric"]


def _check_period(period: Any, periods: int, path: str) -> Iterator[InputProblem]:
    if period is None:
        yield InputProblem(path, "ValidationError: Period must not be null")
        return
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        yield InputProblem(
            "period",
            f"period {period} must be 10, 20, 30 or a multiple of 60 seconds",
        )
    elif period * periods > LONGEST_SECONDS:
        yield InputProblem(
            "evaluationPeriods",
            "ValidationError: Metrics cannot be checked across more than "
            f"{LONGEST_SECONDS // 86_400} days (EvaluationPeriods * Period must be <= "
            f"{LONGEST_SECONDS})",
        )


def _api_query(query: Properties) -> Any:
    given = {key: value for key, value in query.items() if key != "metric"}
    spelled = pascal(given, {})
    metric = query.get("metric")
    if metric:
        pairs = (metric.get("dimensions") or {}).items()
        spelled["MetricStat"] = {
            "Metric": {
                "Namespace": metric.get("namespace"),
                "MetricName": metric["metricName"],
                "Dimensions": [{"Name": name, "Value": value} for name, value in pairs],
            },
            "Period": metric["period"],
            "Stat": metric["stat"],
        }
    return spelled


def _query_of(query: Any) -> Properties:
    found = camel({k: v for k, v in query.items() if k != "MetricStat"}, {})
    stat = query.get("MetricStat")
    if stat:
        metric = stat["Metric"]
        found["metric"] = {
            "namespace": metric.get("Namespace"),
            "metricName": metric["MetricName"],
            "dimensions": {d["Name"]: d["Value"] for d in metric.get("Dimensions") or []},
            "period": stat["Period"],
            "stat": stat["Stat"],
        }
    return found


TYPES = (MetricAlarm, Dashboard)
