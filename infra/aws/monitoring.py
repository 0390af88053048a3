"""The alarms in CloudWatch, and how somebody hears of them.

Owns topic, subscriptions and the alarms as resources; what they watch stands in
`alarms_server`, `alarms_database` and `alarms_backup`. An adopted topic is published to and nothing
else: who reads it, and whether CloudWatch may use its key, is its owner's business.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.alarms import Alarm, Metric
from infra.aws.iam_policies import alarm_topic
from infra.settings_model import PlatformSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmsWiring:
    """What rings, and in whose account."""

    account: str
    key_arn: pulumi.Input[str]  # of the topic; its policy lets CloudWatch use it, or none is heard
    alarms: Sequence[Alarm]


class Alarms(pulumi.ComponentResource):
    """Alarms that mail the people on call."""

    topic_arn: pulumi.Output[str]
    alarm_names: tuple[str, ...]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: AlarmsWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare topic and alarms."""
        super().__init__("mlflow-platform:aws:Alarms", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        if adopted := settings.aws.existing_alarm_topic_arn:
            self.topic_arn = pulumi.Output.from_input(adopted)
        else:
            self.topic_arn = self._topic(settings, wiring)
        for email in settings.cloud.alarms.emails:
            aws.sns.TopicSubscription(
                f"{name}-{email}",
                topic=self.topic_arn,
                protocol="email",
                endpoint=email,
                opts=self._child,
            )
        self.alarm_names = tuple(
            self._alarm(settings.environment, alarm) for alarm in wiring.alarms
        )
        self.register_outputs({"topic_arn": self.topic_arn})

    def _topic(self, settings: PlatformSettings, wiring: AlarmsWiring) -> pulumi.Output[str]:
        topic = aws.sns.Topic(
            f"{self._name}-topic",
            name=f"{naming.base_name(settings.environment)}-alarms",
            kms_master_key_id=wiring.key_arn,
            opts=self._child,
        )
        aws.sns.TopicPolicy(
            f"{self._name}-topic-policy",
            arn=topic.arn,
            policy=topic.arn.apply(lambda arn: json.dumps(alarm_topic(arn, wiring.account))),
            opts=self._child,
        )
        return topic.arn

    def _alarm(self, environment: str, alarm: Alarm) -> str:
        """Declare one alarm; its name in CloudWatch."""
        full_name = alarm_name(environment, alarm.name)
        single = next(iter(alarm.metrics.values())) if not alarm.expression else None
        percentile = single is not None and single.statistic.startswith("p")
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{alarm.name}",
            name=full_name,
            alarm_description=alarm.description,
            namespace=single and single.namespace,
            metric_name=single and single.name,
            dimensions=single and single.dimensions,
            statistic=single.statistic if single and not percentile else None,
            extended_statistic=single.statistic if single and percentile else None,
            period=alarm.period_seconds if single else None,
            metric_queries=None if single else _queries(alarm),
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            evaluation_periods=alarm.periods,
            treat_missing_data=alarm.missing_data,
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],  # who got up is told that it is over
            opts=self._child,
        )
        return full_name


def alarm_name(environment: str, name: str) -> str:
    """Name in CloudWatch: `mlops-platform-prod-mlflow-MLflowDown`."""
    return f"{naming.base_name(environment)}-{name}"


def _queries(alarm: Alarm) -> list[aws.cloudwatch.MetricAlarmMetricQueryArgs]:
    """The expression, and the metrics it uses."""
    result = aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id="result", expression=alarm.expression, label=alarm.name, return_data=True
    )
    return [result, *(_query(key, item, alarm) for key, item in alarm.metrics.items())]


def _query(key: str, metric: Metric, alarm: Alarm) -> aws.cloudwatch.MetricAlarmMetricQueryArgs:
    return aws.cloudwatch.MetricAlarmMetricQueryArgs(
        id=key,
        return_data=False,
        metric=aws.cloudwatch.MetricAlarmMetricQueryMetricArgs(
            namespace=metric.namespace,
            metric_name=metric.name,
            stat=metric.statistic,
            period=alarm.period_seconds,
            dimensions=metric.dimensions,
        ),
    )
