"""A bucket as every bucket of the platform is: private, encrypted, TLS only.

Owns what they share, and the two things in which they differ: the key (access logs take none of
ours) and the lifecycle. An artifact bucket's lifecycle never touches what is live: a model is as
old as it is, and still in production.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.iam_policies import Statement, document

INCOMPLETE_UPLOAD_DAYS = 7
"""A multipart upload that nobody finished is paid for and shown by no listing."""

OLDEST_TLS = "1.2"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lifecycle:
    """When objects go."""

    noncurrent_days: int | None = None  # after they were overwritten or deleted; None: unversioned
    expire_days: int | None = None  # after they were written: of logs, never of artifacts


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivateBucketWiring:
    """What tells one bucket from another."""

    bucket_name: str
    region: str
    key_arn: pulumi.Input[str] | None  # None: S3's own keys
    lifecycle: Lifecycle
    force_destroy: bool
    protect: bool
    statements: Sequence[Statement] = ()  # who else may do what; TLS is demanded of everybody


class PrivateBucket(pulumi.ComponentResource):
    """A bucket with everything that keeps it private."""

    bucket: aws.s3.Bucket
    arn: pulumi.Output[str]
    bucket_name: str
    ready: Sequence[pulumi.Resource]  # what a first write, or a replication, waits for

    def __init__(
        self, name: str, wiring: PrivateBucketWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the bucket."""
        super().__init__("mlflow-platform:aws:PrivateBucket", name, None, opts)
        self._name = name
        self._wiring = wiring
        self.bucket_name = wiring.bucket_name
        self.bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=wiring.bucket_name,
            region=wiring.region,
            force_destroy=wiring.force_destroy,
            opts=pulumi.ResourceOptions(parent=self, protect=wiring.protect),
        )
        self.arn = self.bucket.arn
        private = self._no_public_access()
        encrypted = self._encryption()
        versioned = self._versioning()
        self._lifecycle(versioned)
        policy = self._policy(private)
        self.ready = (encrypted, *versioned, policy)
        self.register_outputs({"arn": self.arn})

    @property
    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _no_public_access(self) -> aws.s3.BucketPublicAccessBlock:
        aws.s3.BucketOwnershipControls(
            f"{self._name}-ownership",
            bucket=self.bucket.id,
            region=self._wiring.region,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=self._child,
        )
        return aws.s3.BucketPublicAccessBlock(
            f"{self._name}-private",
            bucket=self.bucket.id,
            region=self._wiring.region,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )

    def _encryption(self) -> pulumi.Resource:
        kms = self._wiring.key_arn is not None
        return aws.s3.BucketServerSideEncryptionConfiguration(
            f"{self._name}-encryption",
            bucket=self.bucket.id,
            region=self._wiring.region,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="aws:kms" if kms else "AES256",
                        kms_master_key_id=self._wiring.key_arn,
                    ),
                    # One call to KMS for many objects: a fraction of the price and no throttling.
                    bucket_key_enabled=kms,
                )
            ],
            opts=self._child,
        )

    def _versioning(self) -> list[pulumi.Resource]:
        if self._wiring.lifecycle.noncurrent_days is None:
            return []
        return [
            aws.s3.BucketVersioning(
                f"{self._name}-versioning",
                bucket=self.bucket.id,
                region=self._wiring.region,
                versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(
                    status="Enabled"
                ),
                opts=self._child,
            )
        ]

    def _lifecycle(self, versioned: list[pulumi.Resource]) -> None:
        aws.s3.BucketLifecycleConfiguration(
            f"{self._name}-lifecycle",
            bucket=self.bucket.id,
            region=self._wiring.region,
            rules=lifecycle_rules(self._wiring.lifecycle),
            # A rule over noncurrent versions is refused while there are none.
            opts=pulumi.ResourceOptions(parent=self, depends_on=versioned),
        )

    def _policy(self, private: pulumi.Resource) -> aws.s3.BucketPolicy:
        statements = self._wiring.statements
        arn = f"arn:aws:s3:::{self._wiring.bucket_name}"
        return aws.s3.BucketPolicy(
            f"{self._name}-policy",
            bucket=self.bucket.id,
            region=self._wiring.region,
            policy=json.dumps(document([*tls_only(arn), *statements])),
            # S3 refuses two changes of a bucket's access at the same moment.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[private]),
        )


def lifecycle_rules(lifecycle: Lifecycle) -> list[aws.s3.BucketLifecycleConfigurationRuleArgs]:
    """Rules over what nobody can see any more; an age for live objects only where one is given."""
    rules = [
        aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="incomplete-uploads",
            status="Enabled",
            filter=_everything(),
            abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                days_after_initiation=INCOMPLETE_UPLOAD_DAYS
            ),
        )
    ]
    if lifecycle.noncurrent_days is not None:
        rules.append(
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="noncurrent-versions",
                status="Enabled",
                filter=_everything(),
                noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                    noncurrent_days=lifecycle.noncurrent_days
                ),
                # The mark of a deletion whose versions have all gone: nothing that was live.
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(
                    expired_object_delete_marker=True
                ),
            )
        )
    if lifecycle.expire_days is not None:
        rules.append(
            aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="age",
                status="Enabled",
                filter=_everything(),
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(
                    days=lifecycle.expire_days
                ),
            )
        )
    return rules


def tls_only(bucket_arn: str) -> list[Statement]:
    """Nobody, with whatever rights, speaks to the bucket in clear or with an outdated TLS."""
    resources = [bucket_arn, f"{bucket_arn}/*"]
    return [
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["s3:*"],
            "Resource": resources,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "RecentTlsOnly",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": ["s3:*"],
            "Resource": resources,
            "Condition": {"NumericLessThan": {"s3:TlsVersion": OLDEST_TLS}},
        },
    ]


def _everything() -> aws.s3.BucketLifecycleConfigurationRuleFilterArgs:
    return aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
