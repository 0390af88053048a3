"""Logs, alarms, topics, dashboards, backups, registries and templates behave as AWS's do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.aws import account
from tests.simulated_cloud.desk import Desk, Refused, Resource

LOGS = "aws:cloudwatch/logGroup:LogGroup"
FILTER = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
DASHBOARD = "aws:cloudwatch/dashboard:Dashboard"
TOPIC = "aws:sns/topic:Topic"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
VAULT = "aws:backup/vault:Vault"
LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
PLAN = "aws:backup/plan:Plan"
SELECTION = "aws:backup/selection:Selection"
REPOSITORY = "aws:ecr/repository:Repository"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"


class TestLogs:
    """A log group keeps lines for as long as AWS knows how to."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk) -> None:
        inputs = {"name": "/aws/mlflow", "retentionInDays": 14}
        group = aws.create(LOGS, **inputs, kmsKeyId=account.key(aws)["arn"], tags={"a": "b"})
        cloud.client("logs").put_retention_policy(logGroupName=group.id, retentionInDays=1)
        assert group.drift() == {"retentionInDays": 1}
        group.repair(**inputs)
        metric = {"name": "pool", "namespace": "mlops/dev", "value": "1"}
        filter_ = {"name": "pool", "logGroupName": group.id, "pattern": "QueuePool"}
        counted = aws.create(FILTER, **filter_, metricTransformation=metric)
        counted.update(**{**filter_, "pattern": "Pool"}, metricTransformation=metric)
        counted.delete()
        group.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"retentionInDays": 10}, "retention_in_days to be one of .* got 10"),
            ({"name": "with space"}, "isn't a valid log group name"),
            ({"kmsKeyId": "none"}, "NotFoundException"),
        ],
    )
    def test_refusals(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(LOGS, **{"name": "/wrong", **inputs})

    def test_counting_in_nothing(self, aws: Desk) -> None:
        metric = {"name": "pool", "namespace": "mlops/dev", "value": "1"}
        with pytest.raises(Refused, match="ResourceNotFoundException"):
            aws.create(
                FILTER, name="f", logGroupName="/none", pattern="", metricTransformation=metric
            )


class TestAlarms:
    """An alarm watches a metric that AWS publishes, and calls a topic that is there."""

    @pytest.fixture
    def alarm(self, aws: Desk) -> dict[str, Any]:
        topic = aws.create(TOPIC, name=account.unique("alarms"))
        return {
            "name": account.unique("DatabaseCpuHigh"),
            "namespace": "AWS/RDS",
            "metricName": "CPUUtilization",
            "dimensions": {"DBInstanceIdentifier": "mlflow"},
            "statistic": "Average",
            "period": 300,
            "evaluationPeriods": 3,
            "comparisonOperator": "GreaterThanThreshold",
            "threshold": 80,
            "treatMissingData": "ignore",
            "alarmActions": [topic["arn"]],
        }

    def test_life(self, cloud: SimulatedCloud, aws: Desk, alarm: dict[str, Any]) -> None:
        made = aws.create(ALARM, **alarm)
        made.update(**{**alarm, "threshold": 90})
        client = cloud.client("cloudwatch")
        client.delete_alarms(AlarmNames=[made.id])
        assert made.drift() == {"": "gone"}

    def test_an_expression(self, aws: Desk, alarm: dict[str, Any]) -> None:
        metric = {
            "namespace": "AWS/ApplicationELB",
            "metricName": "RequestCount",
            "period": 60,
            "stat": "Sum",
            "dimensions": {"LoadBalancer": "app/x/1"},
        }
        inputs = account.without(
            alarm, "namespace", "metricName", "dimensions", "statistic", "period"
        )
        queries = [
            {"id": "result", "expression": "FILL(m, 0)", "label": "x", "returnData": True},
            {"id": "m", "metric": metric, "returnData": False},
        ]
        aws.create(ALARM, **inputs, metricQueries=queries).delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"namespace": "AWS/RSD"}, "no metrics are published under AWS/RSD"),
            ({"metricName": "CpuUtilization"}, "has no metric CpuUtilization: the nearest is CPU"),
            ({"dimensions": {"Instance": "x"}}, "AWS/RDS has no dimension Instance"),
            ({"period": 45}, "period 45 must be 10, 20, 30 or a multiple of 60"),
            ({"period": 86400, "evaluationPeriods": 8}, "more than 7 days"),
            ({"evaluationPeriods": 0}, "evaluation_periods to be at least"),
            ({"datapointsToAlarm": 4}, "must be at most EvaluationPeriods"),
            ({"comparisonOperator": "Above"}, "expected comparisonOperator to be one of"),
            ({"statistic": "Mean"}, "expected statistic to be one of"),
            ({"treatMissingData": "panic"}, "expected treatMissingData to be one of"),
            ({"extendedStatistic": "p101"}, r"invalid extended_statistic p101"),
            ({"alarmDescription": "d" * 1025}, "length of alarm_description"),
            ({"alarmActions": ["arn:aws:sns:eu-central-1:123456789012:none"]}, "NotFound"),
            ({"metricQueries": [{"id": "m"}]}, "one of metric_name, metric_query"),
        ],
    )
    def test_refusals(
        self, aws: Desk, alarm: dict[str, Any], inputs: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(ALARM, **{**alarm, **inputs})

    def test_two_of_one_name(self, aws: Desk, alarm: dict[str, Any]) -> None:
        aws.create(ALARM, **alarm)
        with pytest.raises(Refused, match=r"an alarm with the name .* already exists"):
            aws.create(ALARM, **alarm)

    def test_dashboards(self, aws: Desk) -> None:
        body = json.dumps({"widgets": []})
        board = aws.create(DASHBOARD, dashboardName="mlflow", dashboardBody=body)
        board.delete()
        with pytest.raises(Refused, match="must be a valid JSON object with widgets"):
            aws.create(DASHBOARD, dashboardName="mlflow", dashboardBody="[]")
        with pytest.raises(Refused, match="must have letters, digits"):
            aws.create(DASHBOARD, dashboardName="ml flow", dashboardBody=body)


class TestTopics:
    """A topic has a policy and subscribers whose addresses fit their protocols."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk) -> None:
        topic = aws.create(TOPIC, name="pages", kmsMasterKeyId=account.key(aws)["arn"])
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["sns:Publish"],
            "Resource": [topic["arn"]],
        }
        policy = aws.create(
            "aws:sns/topicPolicy:TopicPolicy",
            arn=topic["arn"],
            policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        assert topic.drift() == {}
        mail = {"topic": topic["arn"], "protocol": "email", "endpoint": "on-call@example.com"}
        subscription = aws.create(SUBSCRIPTION, **mail)
        cloud.client("sns").unsubscribe(SubscriptionArn=subscription.id)
        assert subscription.drift() == {"": "gone"}
        policy.delete()
        topic.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"protocol": "pigeon"}, "expected protocol to be one of"),
            ({"endpoint": "nobody"}, "Invalid parameter: email endpoint: nobody"),
            ({"topic": "arn:aws:sns:eu-central-1:123456789012:none"}, "NotFound"),
        ],
    )
    def test_refusals(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        topic = aws.create(TOPIC, name=account.unique("t"))
        mail = {"topic": topic["arn"], "protocol": "email", "endpoint": "a@example.com"}
        with pytest.raises(Refused, match=words):
            aws.create(SUBSCRIPTION, **{**mail, **inputs})

    def test_names(self, aws: Desk) -> None:
        with pytest.raises(Refused, match="invalid topic name: a b"):
            aws.create(TOPIC, name="a b")


class TestBackup:
    """A plan writes into vaults that are there, and goes after its selections."""

    @pytest.fixture
    def vault(self, aws: Desk) -> Resource:
        return aws.create(VAULT, name=account.unique("vault"), kmsKeyArn=account.key(aws)["arn"])

    def a_rule(self, vault: Resource, **inputs: Any) -> dict[str, Any]:
        return {
            "ruleName": "daily",
            "targetVaultName": vault.id,
            "schedule": "cron(0 2 * * ? *)",
            "lifecycle": {"deleteAfter": 35},
            **inputs,
        }

    def test_life(self, aws: Desk, vault: Resource) -> None:
        inputs = {"name": account.unique("daily")}
        plan = aws.create(PLAN, **inputs, rules=[self.a_rule(vault)])
        role = account.role(aws, "backup.amazonaws.com")["arn"]
        selection = aws.create(
            SELECTION,
            name="all",
            planId=plan.id,
            iamRoleArn=role,
            resources=["arn:aws:s3:::mlflow"],
        )
        plan.update(**inputs, rules=[self.a_rule(vault, lifecycle={"deleteAfter": 7})])
        with pytest.raises(Refused, match="selections must be deleted prior"):
            plan.delete()
        selection.delete()
        plan.delete()
        vault.delete()

    def test_a_lock(self, aws: Desk, vault: Resource) -> None:
        lock = {"backupVaultName": vault.id, "minRetentionDays": 7, "maxRetentionDays": 35}
        aws.create(LOCK, **lock, changeableForDays=3)
        with pytest.raises(Refused, match="must be at least 3"):
            aws.create(LOCK, **lock, changeableForDays=2)
        with pytest.raises(Refused, match="Max retention days must be greater"):
            aws.create(LOCK, **{**lock, "minRetentionDays": 36})

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"ruleName": "a rule"}, "Invalid rule name: a rule"),
            ({"schedule": "daily"}, "Invalid schedule expression: daily"),
            ({"startWindow": 30}, "Start window must be at least 60"),
            ({"startWindow": 60, "completionWindow": 60}, "at least 60 minutes longer"),
            ({"lifecycle": {"deleteAfter": 0}}, "DeleteAfterDays must be at least 1"),
            ({"lifecycle": {"deleteAfter": 60, "coldStorageAfter": 1}}, "at least 90 days after"),
            (
                {"enableContinuousBackup": True, "lifecycle": {"deleteAfter": 36}},
                "deletes it after 1 to 35 days",
            ),
            ({"targetVaultName": "none"}, "ResourceNotFoundException"),
        ],
    )
    def test_refusals(self, aws: Desk, vault: Resource, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(PLAN, name="wrong", rules=[self.a_rule(vault, **inputs)])

    def test_a_role_of_another_service(self, aws: Desk, vault: Resource) -> None:
        plan = aws.create(PLAN, name=account.unique("p"), rules=[self.a_rule(vault)])
        role = account.role(aws, "ec2.amazonaws.com")["arn"]
        with pytest.raises(Refused, match="cannot be assumed by AWS Backup"):
            aws.create(SELECTION, name="all", planId=plan.id, iamRoleArn=role, resources=["*"])

    def test_names(self, aws: Desk) -> None:
        with pytest.raises(Refused, match="must consist of letters, numbers, hyphens"):
            aws.create(VAULT, name="a vault")


class TestImagesAndTemplates:
    """A registry keeps images; a changed launch template is a new version."""

    def test_a_repository(self, cloud: SimulatedCloud, aws: Desk) -> None:
        inputs = {"name": "mlflow/server", "imageTagMutability": "IMMUTABLE"}
        scan = {"imageScanningConfiguration": {"scanOnPush": True}}
        repository = aws.create(REPOSITORY, **inputs, **scan)
        cloud.client("ecr").put_image_tag_mutability(
            repositoryName=repository.id, imageTagMutability="MUTABLE"
        )
        assert repository.drift() == {"imageTagMutability": "MUTABLE"}
        repository.repair(**inputs, **scan)
        rule = {
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9},
            "action": {"type": "expire"},
        }
        policy = json.dumps({"rules": [rule]})
        token = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
        with pytest.raises(Refused, match="no JSON with rules"):
            aws.create(token, repository=repository.id, policy="[]")
        twice = json.dumps({"rules": [rule] * 2})
        with pytest.raises(Refused, match="rulePriority is not unique"):
            aws.create(token, repository=repository.id, policy=twice)
        aws.create(token, repository=repository.id, policy=policy).delete()
        repository.delete()

    def test_repositories_refused(self, aws: Desk) -> None:
        with pytest.raises(Refused, match="Invalid parameter at 'repositoryName': Mlflow"):
            aws.create(REPOSITORY, name="Mlflow")
        with pytest.raises(Refused, match="image_tag_mutability to be one of"):
            aws.create(REPOSITORY, name="mlflow", imageTagMutability="SOMETIMES")

    def test_a_template(self, aws: Desk) -> None:
        inputs = {"name": "nodes", "updateDefaultVersion": True}
        options = {"httpTokens": "required", "httpPutResponseHopLimit": 1}
        template = aws.create(TEMPLATE, **inputs, metadataOptions=options)
        assert template["latestVersion"] == 1
        template.update(**inputs, metadataOptions={**options, "httpPutResponseHopLimit": 2})
        assert template["latestVersion"] == template["defaultVersion"] == 2
        template.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"metadataOptions": {"httpTokens": "maybe"}}, "expected httpTokens to be one of"),
            ({"metadataOptions": {"httpPutResponseHopLimit": 65}}, r"range \(1 - 64\), got 65"),
            ({"blockDeviceMappings": [{"deviceName": "xvda"}]}, "invalid device name xvda"),
            (
                {
                    "blockDeviceMappings": [
                        {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 99999}}
                    ]
                },
                "out of range",
            ),
            ({"vpcSecurityGroupIds": ["sg-1"]}, r"InvalidGroup\.NotFound"),
        ],
    )
    def test_templates_refused(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(TEMPLATE, **{"name": account.unique("t"), **inputs})
