"""S3 buckets.

Owns names (of the whole world's, and AWS's rules for them) and that a bucket with anything in it is
deleted only where the program says `forceDestroy`. What a bucket has beside its name is in
`s3_configuration.py`, a resource each.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_RESERVED = (("xn--", "sthree-", "amzn-s3-demo-"), ("-s3alias", "--ol-s3", ".mrap", "--x-s3"))


class Bucket(AwsType):
    """aws.s3.Bucket."""

    token = "aws:s3/bucket:Bucket"
    title = "S3 Bucket"
    missing = frozenset({"NoSuchBucket", "404"})
    defaults: ClassVar = {"forceDestroy": False, "objectLockEnabled": False}
    replace_on = frozenset({"bucket", "bucketPrefix", "objectLockEnabled", "region"})
    name_property = "bucket"
    name_length = 63
    kept = frozenset({"forceDestroy"})
    unsupported = frozenset(
        {
            *("accelerationStatus", "acl", "bucketPrefix", "corsRules", "grants", "policy"),
            *("lifecycleRules", "loggings", "objectLockConfiguration", "requestPayer"),
            *("replicationConfiguration", "serverSideEncryptionConfiguration", "versioning"),
            "website",
        }
    )

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name that no bucket may have."""
        yield from check_bucket_name(inputs.get("bucket"))

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the bucket; its name is free in the whole world, which here is this account."""
        s3, name = aws.client("s3"), inputs["bucket"]
        if name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            raise Refusal(
                "BucketAlreadyOwnedByYou: Your previous request to create the named bucket "
                f"succeeded and you already own it. ({name})"
            )
        place = {"LocationConstraint": aws.region}
        arguments: dict[str, Any] = {}
        if aws.region != "us-east-1":
            arguments["CreateBucketConfiguration"] = place
        if inputs["objectLockEnabled"]:
            arguments["ObjectLockEnabledForBucket"] = True
        s3.create_bucket(Bucket=name, **arguments)
        if inputs.get("tagsAll"):
            self.retag(aws, name, inputs, [], inputs["tagsAll"])
        return name

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the bucket."""
        s3 = aws.client("s3")
        place = s3.get_bucket_location(Bucket=identity)["LocationConstraint"] or "us-east-1"
        return {
            "arn": f"arn:aws:s3:::{identity}",
            "bucket": identity,
            "bucketDomainName": f"{identity}.s3.amazonaws.com",
            "bucketRegion": place,
            "bucketRegionalDomainName": f"{identity}.s3.{place}.amazonaws.com",
            "hostedZoneId": "Z21DNDUVLTQW6Q",
            "tagsAll": _tags(s3, identity),
        }

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags, all of them: S3 adds none to the others."""
        s3 = aws.client("s3")
        if tags:
            s3.put_bucket_tagging(Bucket=identity, Tagging={"TagSet": key_value(tags)})
        else:
            s3.delete_bucket_tagging(Bucket=identity)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete an empty bucket, or empty it first where that was asked for."""
        s3 = aws.client("s3")
        s3.head_bucket(Bucket=identity)
        entries = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=identity)
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        ]
        if entries and not state.get("forceDestroy"):
            raise Refusal(
                "BucketNotEmpty: The bucket you tried to delete is not empty. You must delete all "
                "versions in the bucket."
            )
        for start in range(0, len(entries), 1000):
            portion = {"Objects": entries[start : start + 1000]}
            s3.delete_objects(Bucket=identity, Delete=portion)
        s3.delete_bucket(Bucket=identity)


def check_bucket_name(name: str | None) -> Iterable[InputProblem]:
    """Yield what is wrong with a bucket's name."""
    if name is None:
        return
    problem = ""
    if not 3 <= len(name) <= 63:
        problem = "must be between 3 and 63 characters long"
    elif not _NAME.fullmatch(name):
        problem = (
            "may have lowercase letters, digits, hyphens and single dots only, and begin and end "
            "with a letter or a digit"
        )
    elif name.startswith(_RESERVED[0]) or name.endswith(_RESERVED[1]):
        problem = "begins or ends as AWS's own do"
    else:
        try:
            ipaddress.IPv4Address(name)
            problem = "must not be formatted as an IP address"
        except ValueError:
            return
    yield InputProblem(
        "bucket", f"InvalidBucketName: The specified bucket is not valid: {name} {problem}"
    )


def _tags(s3: Any, bucket: str) -> dict[str, str]:
    try:
        return from_key_value(s3.get_bucket_tagging(Bucket=bucket)["TagSet"])
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise


TYPES = (Bucket,)
