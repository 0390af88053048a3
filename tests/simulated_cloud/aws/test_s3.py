"""Buckets and what belongs to them behave, and refuse, as S3's do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.aws import account
from tests.simulated_cloud.desk import Desk, Refused, Resource

BUCKET = "aws:s3/bucket:Bucket"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
)
ENABLED = {"versioningConfiguration": {"status": "Enabled"}}


@pytest.fixture
def bucket(aws: Desk) -> Resource:
    return aws.create(BUCKET, bucket=account.unique("mlflow-artifacts"))


class TestBucket:
    """A bucket has a name and tags; it goes when it is empty."""

    def test_life(self, cloud: SimulatedCloud, bucket: Resource) -> None:
        assert bucket["arn"] == f"arn:aws:s3:::{bucket.id}"
        assert bucket["bucketRegion"] == "eu-central-1"
        bucket.update(bucket=bucket.id, tags={"a": "b"})
        s3 = cloud.client("s3")
        s3.put_object(Bucket=bucket.id, Key="model", Body=b"1")
        with pytest.raises(Refused, match="BucketNotEmpty"):
            bucket.delete()
        bucket.update(bucket=bucket.id, tags={"a": "b"}, forceDestroy=True)
        bucket.delete()

    def test_a_changed_name(self, bucket: Resource) -> None:
        assert bucket.replaced_by(bucket="another") == {"bucket"}

    def test_a_name_that_is_taken(self, aws: Desk, bucket: Resource) -> None:
        with pytest.raises(Refused, match="BucketAlreadyOwnedByYou"):
            aws.create(BUCKET, bucket=bucket.id)

    @pytest.mark.parametrize(
        "name",
        ["ab", "Upper", "under_score", "-dash", "dots..two", "192.168.1.1", "xn--a", "a" * 64],
    )
    def test_names(self, aws: Desk, name: str) -> None:
        with pytest.raises(Refused, match="InvalidBucketName: The specified bucket is not valid"):
            aws.create(BUCKET, bucket=name)

    def test_what_the_old_bucket_took(self, aws: Desk) -> None:
        with pytest.raises(Refused, match="`acl` is not part of the simulated cloud"):
            aws.create(BUCKET, bucket="some-bucket", acl="private")


class TestConfigurations:
    """Each configuration is a resource: lost ones and changed ones are drift."""

    def test_versions(self, cloud: SimulatedCloud, aws: Desk, bucket: Resource) -> None:
        versioning = aws.create(VERSIONING, bucket=bucket.id, **ENABLED)
        cloud.client("s3").put_bucket_versioning(
            Bucket=bucket.id, VersioningConfiguration={"Status": "Suspended"}
        )
        assert versioning.drift() == {"versioningConfiguration": {"status": "Suspended"}}
        versioning.repair(bucket=bucket.id, **ENABLED)
        versioning.delete()

    def test_encryption(self, cloud: SimulatedCloud, aws: Desk, bucket: Resource) -> None:
        rule = {
            "applyServerSideEncryptionByDefault": {
                "sseAlgorithm": "aws:kms",
                "kmsMasterKeyId": account.key(aws)["arn"],
            },
            "bucketKeyEnabled": True,
        }
        encryption = aws.create(ENCRYPTION, bucket=bucket.id, rules=[rule])
        cloud.client("s3").delete_bucket_encryption(Bucket=bucket.id)
        assert encryption.drift() == {"": "gone"}

    def test_public_access(self, cloud: SimulatedCloud, aws: Desk, bucket: Resource) -> None:
        names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls")
        inputs = {"bucket": bucket.id, **dict.fromkeys((*names, "restrictPublicBuckets"), True)}
        block = aws.create("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", **inputs)
        cloud.client("s3").put_public_access_block(
            Bucket=bucket.id, PublicAccessBlockConfiguration={"BlockPublicAcls": False}
        )
        assert set(block.drift()) == {*names, "restrictPublicBuckets"}
        block.repair(**inputs)
        block.delete()

    def test_policy(self, cloud: SimulatedCloud, aws: Desk, bucket: Resource) -> None:
        arn = f"arn:aws:s3:::{bucket.id}"
        deny = {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:*"],
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        text = json.dumps({"Version": "2012-10-17", "Statement": [deny]}, indent=2)
        token = "aws:s3/bucketPolicy:BucketPolicy"
        policy = aws.create(token, bucket=bucket.id, policy=text)
        # The same, otherwise written: no drift.
        same = {"Statement": {**deny, "Resource": [f"{arn}/*", arn], "Action": "s3:*"}}
        s3 = cloud.client("s3")
        s3.put_bucket_policy(Bucket=bucket.id, Policy=json.dumps({"Version": "2012-10-17", **same}))
        assert policy.drift() == {}
        s3.delete_bucket_policy(Bucket=bucket.id)
        assert policy.drift() == {"": "gone"}
        with pytest.raises(Refused, match="MalformedPolicy: Policy has invalid resource"):
            aws.create(token, bucket=bucket.id, policy=text.replace(bucket.id, "other"))
        with pytest.raises(Refused, match="contains an invalid JSON policy"):
            aws.create(token, bucket=bucket.id, policy="{")

    def test_lifecycle(self, cloud: SimulatedCloud, aws: Desk, bucket: Resource) -> None:
        rules = [
            {
                "id": "incomplete",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
            },
            {
                "id": "noncurrent",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "noncurrentVersionExpiration": {"noncurrentDays": 30},
                "expiration": {"expiredObjectDeleteMarker": True},
            },
        ]
        lifecycle = aws.create(LIFECYCLE, bucket=bucket.id, rules=rules)
        age = {
            "ID": "age",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"Days": 1},
        }
        cloud.client("s3").put_bucket_lifecycle_configuration(
            Bucket=bucket.id, LifecycleConfiguration={"Rules": [age]}
        )
        assert [rule["id"] for rule in lifecycle.drift()["rules"]] == ["age"]
        lifecycle.repair(bucket=bucket.id, rules=rules)
        lifecycle.delete()

    def test_ownership(self, aws: Desk, bucket: Resource) -> None:
        token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
        rule = {"objectOwnership": "BucketOwnerEnforced"}
        aws.create(token, bucket=bucket.id, rule=rule).delete()
        with pytest.raises(Refused, match="expected object_ownership to be one of"):
            aws.create(token, bucket=bucket.id, rule={"objectOwnership": "Mine"})

    def test_logging(self, aws: Desk, bucket: Resource) -> None:
        token = "aws:s3/bucketLogging:BucketLogging"
        target = aws.create(BUCKET, bucket=account.unique("logs"))
        inputs = {"bucket": bucket.id, "targetPrefix": "artifacts/"}
        aws.create(token, **inputs, targetBucket=target.id).delete()
        with pytest.raises(Refused, match="The target bucket for logging does not exist"):
            aws.create(token, **inputs, targetBucket="nowhere-at-all")
        there = aws.create(BUCKET, bucket=account.unique("there"), region="us-east-1")
        with pytest.raises(Refused, match="must be in the same region"):
            aws.create(token, **inputs, targetBucket=there.id)

    def test_replication(self, aws: Desk, bucket: Resource) -> None:
        token = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
        copy = aws.create(BUCKET, bucket=account.unique("copy"), region="eu-west-1")
        rule = {
            "id": "everything",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "priority": 1,
            "deleteMarkerReplication": {"status": "Enabled"},
            "destination": {"bucket": copy["arn"]},
        }
        inputs = {
            "bucket": bucket.id,
            "role": account.role(aws, "s3.amazonaws.com")["arn"],
            "rules": [rule],
        }
        with pytest.raises(Refused, match="Versioning must be 'Enabled' on the bucket"):
            aws.create(token, **inputs)
        aws.create(VERSIONING, bucket=bucket.id, **ENABLED)
        with pytest.raises(Refused, match="Destination bucket must have versioning enabled"):
            aws.create(token, **inputs)
        aws.create(VERSIONING, bucket=copy.id, region="eu-west-1", **ENABLED)
        aws.create(token, **inputs).delete()

    @pytest.mark.parametrize(
        ("rule", "words"),
        [
            ({}, "At least one action needs to be specified"),
            ({"expiration": {"days": 0}}, "must be a positive integer, got 0"),
            (
                {"expiration": {"days": 1, "expiredObjectDeleteMarker": True}},
                "an expiration has one of days, expiredObjectDeleteMarker",
            ),
            ({"status": "On", "expiration": {"days": 1}}, "expected status to be one of"),
            (
                {"transitions": [{"days": 1, "storageClass": "STANDARD_IA"}]},
                "must be greater than or equal to 30 for storageClass",
            ),
            (
                {
                    "expiration": {"days": 30},
                    "transitions": [{"days": 30, "storageClass": "GLACIER"}],
                },
                "must be greater than 'Days' in the Transition action",
            ),
        ],
    )
    def test_lifecycles_refused(
        self, aws: Desk, bucket: Resource, rule: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(
                LIFECYCLE,
                bucket=bucket.id,
                rules=[{"id": "r", "status": "Enabled", "filter": {"prefix": ""}, **rule}],
            )

    def test_rules_of_one_name(self, aws: Desk, bucket: Resource) -> None:
        rule = {"id": "r", "status": "Enabled", "expiration": {"days": 1}}
        with pytest.raises(Refused, match="Rule ID must be unique"):
            aws.create(LIFECYCLE, bucket=bucket.id, rules=[rule, rule])

    @pytest.mark.parametrize(
        ("default", "words"),
        [
            ({"sseAlgorithm": "rot13"}, "expected sse_algorithm to be one of"),
            ({"sseAlgorithm": "AES256", "kmsMasterKeyId": "k"}, "is not applicable"),
            ({"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "none"}, "NotFoundException"),
        ],
    )
    def test_encryption_refused(
        self, aws: Desk, bucket: Resource, default: dict[str, Any], words: str
    ) -> None:
        rule = {"applyServerSideEncryptionByDefault": default}
        with pytest.raises(Refused, match=words):
            aws.create(ENCRYPTION, bucket=bucket.id, rules=[rule])
