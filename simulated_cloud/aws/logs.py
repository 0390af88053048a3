"""CloudWatch Logs: log groups and the metrics counted in them.

Owns the retentions that AWS knows (no others are taken) and that a log line becomes a metric only
in a group that is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.kms import see_key
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

RETENTION_DAYS = (
    *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827),
    *(2192, 2557, 2922, 3288, 3653),
)


class LogGroup(AwsType):
    """aws.cloudwatch.LogGroup."""

    token = "aws:cloudwatch/logGroup:LogGroup"
    title = "CloudWatch Logs Log Group"
    missing = frozenset({"ResourceNotFoundException"})
    defaults: ClassVar = {
        "retentionInDays": 0,
        "skipDestroy": False,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": False,
    }
    replace_on = frozenset({"name", "namePrefix", "logGroupClass"})
    name_property = "name"
    name_length = 512
    kept = frozenset({"skipDestroy", "deletionProtectionEnabled"})
    unsupported = frozenset({"namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name or a retention that Logs does not know."""
        name = inputs.get("name", "x")
        if not re.fullmatch(r"[\w./#-]{1,512}", name, re.ASCII):
            yield InputProblem(
                "name",
                '"name" isn\'t a valid log group name (alphanumeric characters, underscores, '
                f'hyphens, slashes, hash signs and dots are allowed): "{name}"',
            )
        days = inputs.get("retentionInDays", 0)
        if days not in RETENTION_DAYS:
            allowed = " ".join(map(str, RETENTION_DAYS))
            yield InputProblem(
                "retentionInDays",
                f"expected retention_in_days to be one of [{allowed}], got {days}",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the group; its key must be there."""
        see_key(aws, inputs.get("kmsKeyId"))
        logs = aws.client("logs")
        key = {"kmsKeyId": inputs["kmsKeyId"]} if inputs.get("kmsKeyId") else {}
        tags = {"tags": inputs["tagsAll"]} if inputs.get("tagsAll") else {}
        logs.create_log_group(
            logGroupName=inputs["name"], logGroupClass=inputs["logGroupClass"], **key, **tags
        )
        if inputs["retentionInDays"]:
            logs.put_retention_policy(
                logGroupName=inputs["name"], retentionInDays=inputs["retentionInDays"]
            )
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the group."""
        logs = aws.client("logs")
        groups = logs.describe_log_groups(logGroupNamePrefix=identity)["logGroups"]
        group = next((item for item in groups if item["logGroupName"] == identity), None)
        if group is None:
            return None
        arn = group["arn"].removesuffix(":*")
        return {
            "arn": arn,
            "name": identity,
            "retentionInDays": group.get("retentionInDays", 0),
            "kmsKeyId": group.get("kmsKeyId"),
            "logGroupClass": group.get("logGroupClass", "STANDARD"),
            "tagsAll": logs.list_tags_for_resource(resourceArn=arn)["tags"],
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change how long lines are kept, and under which key."""
        logs = aws.client("logs")
        if "retentionInDays" in changed:
            if news["retentionInDays"]:
                logs.put_retention_policy(
                    logGroupName=identity, retentionInDays=news["retentionInDays"]
                )
            else:
                logs.delete_retention_policy(logGroupName=identity)
        if "kmsKeyId" in changed:
            see_key(aws, news.get("kmsKeyId"))
            # moto has neither AssociateKmsKey nor DisassociateKmsKey.
            moto_backend(aws, "logs").groups[identity].kms_key_id = news.get("kmsKeyId")

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        logs, arn = aws.client("logs"), aws.arn("logs", f"log-group:{identity}")
        if gone:
            logs.untag_resource(resourceArn=arn, tagKeys=gone)
        if tags:
            logs.tag_resource(resourceArn=arn, tags=tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the group, unless it is to stay."""
        if not state.get("skipDestroy"):
            aws.client("logs").delete_log_group(logGroupName=identity)


class LogMetricFilter(AwsType):
    """aws.cloudwatch.LogMetricFilter."""

    token = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
    title = "CloudWatch Logs Metric Filter"
    missing = frozenset({"ResourceNotFoundException"})
    replace_on = frozenset({"name", "logGroupName"})
    name_property = "name"

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the filter in a group that is there."""
        self._put(aws, inputs)
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the filter."""
        group = {"logGroupName": known["logGroupName"]} if known.get("logGroupName") else {}
        answer = aws.client("logs").describe_metric_filters(filterNamePrefix=identity, **group)
        for item in answer["metricFilters"]:
            if item["filterName"] == identity:
                metric = item["metricTransformations"][0]
                return {
                    "name": identity,
                    "logGroupName": item["logGroupName"],
                    "pattern": item["filterPattern"],
                    "metricTransformation": _transformation(metric),
                }
        return None

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the filter anew; moto would keep the old one beside it."""
        self.remove(aws, identity, olds)
        self._put(aws, news)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the filter."""
        aws.client("logs").delete_metric_filter(
            filterName=identity, logGroupName=state["logGroupName"]
        )

    @staticmethod
    def _put(aws: AwsCloud, inputs: Properties) -> None:
        logs, group = aws.client("logs"), inputs["logGroupName"]
        metric = inputs["metricTransformation"]
        # moto counts in groups that are not there; listing streams is refused for those.
        logs.describe_log_streams(logGroupName=group)
        names = {
            "metricName": "name",
            "metricNamespace": "namespace",
            "metricValue": "value",
            "dimensions": "dimensions",
            "unit": "unit",
        }
        spelled: dict[str, Any] = {
            key: metric[name] for key, name in names.items() if metric.get(name)
        }
        if metric.get("defaultValue") is not None:
            spelled["defaultValue"] = float(metric["defaultValue"])
        logs.put_metric_filter(
            logGroupName=group,
            filterName=inputs["name"],
            filterPattern=inputs["pattern"],
            metricTransformations=[spelled],
        )


def _transformation(metric: Any) -> Properties:
    found = {
        "name": metric["metricName"],
        "namespace": metric["metricNamespace"],
        "value": metric["metricValue"],
        "dimensions": metric.get("dimensions"),
        "unit": metric.get("unit"),
    }
    return {key: value for key, value in found.items() if value}


TYPES = (LogGroup, LogMetricFilter)
