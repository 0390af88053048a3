"""Buckets: private, encrypted, TLS only, and live artifacts are never deleted by age."""

from __future__ import annotations

from functools import cache
from typing import Any

import pulumi
import pytest

from infra.aws.s3 import AccessLogs, AccessLogsWiring, ArtifactBucket, ArtifactBucketWiring
from tests.infra.aws.declared import ACCOUNT, KEY_ARN, REGION, Deployment, Outcome, deploy
from tests.infra.aws.stacks import PRODUCTION, aws_stack

ARTIFACTS = "mlops-platform-test-mlflow-artifacts-123456789012"
LOGS = "mlops-platform-test-mlflow-logs-123456789012"
LIFECYCLE = "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
ENCRYPTION = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"


def buckets(**values: str) -> Outcome:
    """The artifact bucket of such a stack, and its access logs."""

    def program() -> dict[str, pulumi.Input[Any]]:
        settings = aws_stack(values)
        made = ArtifactBucket(
            "store",
            settings,
            ArtifactBucketWiring(
                account=ACCOUNT, region=REGION, key_arn=pulumi.Output.from_input(KEY_ARN)
            ),
        )
        logs = AccessLogs(
            "access",
            settings,
            AccessLogsWiring(account=ACCOUNT, region=REGION, artifacts=made),
        )
        return {"name": made.bucket_name, "key": made.key_arn, "logs": logs.bucket_name}

    return deploy(program)


def declared(**values: str) -> Deployment:
    return buckets(**values).deployment


@cache
def replicated() -> Deployment:
    return declared(artifactReplicationRegion="eu-west-1")


class TestEveryBucket:
    """What holds for artifacts, logs and copies alike."""

    NAMES = ("store-artifacts", "access-logs", "store-replication-copy")

    @pytest.mark.parametrize("name", NAMES)
    def test_no_public_access(self, name: str) -> None:
        kind = "s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
        block = dict(replicated().one(kind, f"{name}-private").inputs)
        assert block.pop("bucket") == f"{name}-bucket-id"
        del block["region"]
        assert block == {
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        }
        kind = "s3/bucketOwnershipControls:BucketOwnershipControls"
        owner = replicated().one(kind, f"{name}-ownership").inputs
        assert owner["rule"] == {"objectOwnership": "BucketOwnerEnforced"}

    @pytest.mark.parametrize("name", NAMES)
    def test_tls_only(self, name: str) -> None:
        found = replicated().one("s3/bucketPolicy:BucketPolicy", f"{name}-policy").policy()
        clear, outdated = found["Statement"][:2]
        bucket = replicated().one("s3/bucket:Bucket", f"{name}-bucket").inputs
        arn = f"arn:aws:s3:::{bucket['bucket']}"
        for statement in (clear, outdated):
            assert statement["Effect"] == "Deny"
            assert statement["Principal"] == {"AWS": "*"}
            assert statement["Action"] == ["s3:*"]
            assert statement["Resource"] == [arn, f"{arn}/*"]
        assert clear["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert outdated["Condition"] == {"NumericLessThan": {"s3:TlsVersion": "1.2"}}

    @pytest.mark.parametrize("name", NAMES)
    def test_nobody_is_allowed_from_everywhere(self, name: str) -> None:
        found = replicated().one("s3/bucketPolicy:BucketPolicy", f"{name}-policy").policy()
        allowed = [item for item in found["Statement"] if item["Effect"] == "Allow"]
        assert all("Service" in item["Principal"] for item in allowed)

    @pytest.mark.parametrize("name", NAMES)
    def test_unfinished_uploads_go(self, name: str) -> None:
        first, *_ = replicated().one(LIFECYCLE, f"{name}-lifecycle").inputs["rules"]
        assert first["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}


class TestArtifacts:
    """The bucket of artifacts."""

    def test_bucket(self) -> None:
        outcome = buckets()
        bucket = outcome.deployment.one("s3/bucket:Bucket", "artifacts-bucket").inputs
        assert bucket == {"bucket": ARTIFACTS, "region": REGION, "forceDestroy": False}
        assert outcome.outputs == {"name": ARTIFACTS, "key": KEY_ARN, "logs": LOGS}

    def test_key(self) -> None:
        (rule,) = declared().one(ENCRYPTION, "artifacts-encryption").inputs["rules"]
        assert rule == {
            "applyServerSideEncryptionByDefault": {
                "sseAlgorithm": "aws:kms",
                "kmsMasterKeyId": KEY_ARN,
            },
            "bucketKeyEnabled": True,
        }

    def test_versions(self) -> None:
        versioning = declared().one("s3/bucketVersioning:BucketVersioning").inputs
        assert versioning["bucket"] == "store-artifacts-bucket-id"
        assert versioning["versioningConfiguration"] == {"status": "Enabled"}

    @pytest.mark.parametrize("days", ["1", "45"])
    def test_only_what_nobody_sees_goes(self, days: str) -> None:
        """No rule has an age for what is live: neither `days` nor `date` nor a transition."""
        found = declared(artifactNoncurrentVersionDays=days)
        rules = found.one(LIFECYCLE, "artifacts-lifecycle").inputs["rules"]
        assert rules == [
            {
                "id": "incomplete-uploads",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            },
            {
                "id": "noncurrent-versions",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "noncurrentVersionExpiration": {"noncurrentDays": int(days)},
                "expiration": {"expiredObjectDeleteMarker": True},
            },
        ]

    def test_destroyed_with_the_stack_only_on_request(self) -> None:
        found = declared(artifactForceDestroy="true")
        assert found.one("s3/bucket:Bucket", "artifacts-bucket").inputs["forceDestroy"] is True


class TestAccessLogs:
    """Written by S3 and load balancers of this account, each under its prefix, and not for ever."""

    def test_bucket(self) -> None:
        found = declared()
        (rule,) = found.one(ENCRYPTION, "logs-encryption").inputs["rules"]
        assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
        assert found.one("s3/bucket:Bucket", "logs-bucket").inputs["bucket"] == LOGS

    def test_logging(self) -> None:
        logging = declared().one("s3/bucketLogging:BucketLogging").inputs
        assert logging == {
            "bucket": "store-artifacts-bucket-id",
            "region": REGION,
            "targetBucket": "access-logs-bucket-id",
            "targetPrefix": "artifacts/",
        }

    def test_who_writes(self) -> None:
        found = declared().one("s3/bucketPolicy:BucketPolicy", "logs-policy").policy()
        of_bucket, of_balancer = found["Statement"][2:]
        assert of_bucket == {
            "Sid": "AccessLogsOfTheArtifacts",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": ["s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{LOGS}/artifacts/*"],
            "Condition": {
                "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{ARTIFACTS}"},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            },
        }
        assert of_balancer["Principal"] == {
            "Service": "logdelivery.elasticloadbalancing.amazonaws.com"
        }
        assert of_balancer["Resource"] == [f"arn:aws:s3:::{LOGS}/load-balancer/AWSLogs/{ACCOUNT}/*"]

    def test_age(self) -> None:
        rules = declared(logRetentionDays="30").one(LIFECYCLE, "logs-lifecycle").inputs["rules"]
        assert [rule.get("expiration") for rule in rules] == [None, {"days": 30}]

    @pytest.mark.parametrize(("values", "destroyed"), [({}, True), (PRODUCTION, False)])
    def test_kept_in_production(self, values: dict[str, str], destroyed: bool) -> None:
        bucket = declared(**values).one("s3/bucket:Bucket", "logs-bucket").inputs
        assert bucket["forceDestroy"] is destroyed


class TestReplication:
    """A copy elsewhere, under a key there, made by S3 through a role that can nothing else."""

    def test_everything_is_there(self) -> None:
        copy = replicated().one("s3/bucket:Bucket", "copy-bucket").inputs
        assert copy["region"] == "eu-west-1"
        assert copy["bucket"] == "mlops-platform-test-mlflow-replica-123456789012"
        key = replicated().one("kms/key:Key").inputs
        assert (key["region"], key["enableKeyRotation"]) == ("eu-west-1", True)

    def test_rule(self) -> None:
        config = replicated().one("s3/bucketReplicationConfig:BucketReplicationConfig").inputs
        (rule,) = config["rules"]
        assert config["bucket"] == "store-artifacts-bucket-id"
        assert rule["destination"]["bucket"].endswith("store-replication-copy-bucket")
        assert rule["destination"]["encryptionConfiguration"] == {
            "replicaKmsKeyId": "arn:aws:kms:::store-replication-key"
        }
        assert rule["sourceSelectionCriteria"] == {"sseKmsEncryptedObjects": {"status": "Enabled"}}
        assert rule["deleteMarkerReplication"] == {"status": "Enabled"}

    def test_role(self) -> None:
        policy = replicated().one("iam/rolePolicy:RolePolicy").policy()
        resources = {item["Sid"]: item["Resource"] for item in policy["Statement"]}
        copy = "arn:aws:s3:::mlops-platform-test-mlflow-replica-123456789012"
        assert resources == {
            "ReadTheSource": [f"arn:aws:s3:::{ARTIFACTS}"],
            "ReadItsVersions": [f"arn:aws:s3:::{ARTIFACTS}/*"],
            "WriteTheCopy": [f"{copy}/*"],
            "DecryptTheSource": [KEY_ARN],
            "EncryptTheCopy": ["arn:aws:kms:::store-replication-key"],
        }
        assert [item for item in policy["Statement"] if "*" in item["Action"]] == []

    def test_absent(self) -> None:
        found = declared()
        assert found.of("s3/bucketReplicationConfig:BucketReplicationConfig") == []
        assert found.of("iam/role:Role") == []
