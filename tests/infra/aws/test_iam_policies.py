"""Policies grant what is used, to whom it is meant for, on what it is about."""

from __future__ import annotations

from infra.aws import iam_policies
from tests.infra.aws.declared import ACCOUNT, ISSUER, KEY_ARN, REGION

BUCKET = "arn:aws:s3:::artifacts"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.{REGION}.amazonaws.com/id/EXAMPLE"


class TestTrust:
    """A role is assumed by one service account of one cluster, or by one service."""

    def test_a_service_account(self) -> None:
        trust = iam_policies.service_account_trust(PROVIDER, ISSUER, "mlflow", "mlflow")
        assert trust == {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "AssumedByTheServiceAccount",
                    "Effect": "Allow",
                    "Principal": {"Federated": PROVIDER},
                    "Action": ["sts:AssumeRoleWithWebIdentity"],
                    "Condition": {
                        "StringEquals": {
                            "oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE:sub": (
                                "system:serviceaccount:mlflow:mlflow"
                            ),
                            "oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE:aud": (
                                "sts.amazonaws.com"
                            ),
                        }
                    },
                }
            ],
        }

    def test_a_service(self) -> None:
        assert iam_policies.service_trust("ec2.amazonaws.com")["Statement"] == [
            {
                "Sid": "AssumedByTheService",
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": ["sts:AssumeRole"],
            }
        ]


class TestArtifacts:
    """The server reads, writes and deletes artifacts; a training job does not delete."""

    def test_the_server(self) -> None:
        find, use = iam_policies.artifact_access(BUCKET, may_delete=True)["Statement"]
        assert find == {
            "Sid": "FindArtifacts",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            "Resource": ["arn:aws:s3:::artifacts"],
        }
        assert use == {
            "Sid": "ReadAndWriteArtifacts",
            "Effect": "Allow",
            "Action": [
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
            "Resource": ["arn:aws:s3:::artifacts/*"],
        }

    def test_a_training_job_does_not_delete(self) -> None:
        _, use = iam_policies.artifact_access(BUCKET, may_delete=False)["Statement"]
        assert use["Action"] == [
            "s3:GetObject",
            "s3:PutObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts",
        ]

    def test_nobody_deletes_a_version(self) -> None:
        policy = iam_policies.artifact_access(BUCKET, may_delete=True)
        assert "Version" not in str([item["Action"] for item in policy["Statement"]])


class TestKey:
    """The key is used through the service that needs it, and not by itself."""

    def test_through_s3(self) -> None:
        assert iam_policies.key_use(KEY_ARN, region=REGION, service="s3") == {
            "Sid": "UseTheKeyThroughS3",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": [KEY_ARN],
            "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}},
        }

    def test_reading_a_secret_only_decrypts(self) -> None:
        statement = iam_policies.key_use(KEY_ARN, region=REGION, service="secretsmanager")
        assert statement["Action"] == ["kms:Decrypt"]
        assert statement.get("Condition") == {
            "StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
        }


class TestDatabaseAndSecrets:
    """One user of one instance; the secrets that are named."""

    def test_login(self) -> None:
        policy = iam_policies.database_login(
            region=REGION, account=ACCOUNT, database_resource_id="db-ABC", user="mlflow"
        )
        assert policy["Statement"] == [
            {
                "Sid": "LogInToTheDatabase",
                "Effect": "Allow",
                "Action": ["rds-db:connect"],
                "Resource": ["arn:aws:rds-db:eu-central-1:123456789012:dbuser:db-ABC/mlflow"],
            }
        ]

    def test_secrets_without_a_key_of_ours(self) -> None:
        policy = iam_policies.secret_read(["arn:b", "arn:a"])
        assert policy["Statement"] == [
            {
                "Sid": "ReadSecrets",
                "Effect": "Allow",
                "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
                "Resource": ["arn:a", "arn:b"],
            }
        ]

    def test_secrets_under_our_key(self) -> None:
        policy = iam_policies.secret_read(["arn:a"], key_arn=KEY_ARN, region=REGION)
        assert [item["Sid"] for item in policy["Statement"]] == [
            "ReadSecrets",
            "UseTheKeyThroughSecretsManager",
        ]


class TestTargetRegistration:
    """The controller puts pods into one target group; it makes and deletes nothing."""

    def test_only_looking_is_about_everything(self) -> None:
        find, register = iam_policies.target_registration("arn:targets")["Statement"]
        assert find.get("Resource") == ["*"]
        assert {action.partition(":")[2][:8] for action in find["Action"]} == {"Describe"}
        assert register == {
            "Sid": "RegisterTargets",
            "Effect": "Allow",
            "Action": [
                "elasticloadbalancing:RegisterTargets",
                "elasticloadbalancing:DeregisterTargets",
            ],
            "Resource": ["arn:targets"],
        }


class TestAlarmTopic:
    """Alarms of this account publish, over TLS."""

    def test_policy(self) -> None:
        allowed, denied = iam_policies.alarm_topic("arn:topic", ACCOUNT)["Statement"]
        assert allowed == {
            "Sid": "AlarmsOfThisAccountPublish",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["sns:Publish"],
            "Resource": ["arn:topic"],
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        }
        assert denied["Effect"] == "Deny"
        assert denied.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
