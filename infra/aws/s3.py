"""The artifact bucket, the bucket of its access logs, and its copy in another region.

Owns which buckets there are and what each is for; how a bucket is kept private stands in
`s3_private_bucket`, the copying in `s3_replication`. A bucket that `artifactStore` names is
somebody else's: nothing is declared for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.iam_policies import Statement
from infra.aws.s3_private_bucket import Lifecycle, PrivateBucket, PrivateBucketWiring
from infra.aws.s3_replication import Replication, ReplicationWiring
from infra.settings_model import PlatformSettings

LOAD_BALANCER_LOGS = "load-balancer"
ARTIFACT_LOGS = "artifacts"
"""Prefixes of the access logs in their bucket."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactBucketWiring:
    """Whose buckets they are, where, and the key of the artifacts."""

    account: str
    region: str
    key_arn: pulumi.Output[str]


class ArtifactBucket(pulumi.ComponentResource):
    """The bucket of artifacts."""

    bucket_name: str  # plain: it stands in the server's command
    arn: pulumi.Output[str]
    key_arn: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: ArtifactBucketWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the bucket and, where the settings want it, its copy."""
        super().__init__("mlflow-platform:aws:ArtifactBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        artifacts = PrivateBucket(
            f"{name}-artifacts",
            PrivateBucketWiring(
                bucket_name=naming.artifact_bucket_name(settings.environment, wiring.account),
                region=wiring.region,
                key_arn=wiring.key_arn,
                lifecycle=Lifecycle(
                    noncurrent_days=settings.cloud.artifact_noncurrent_version_days
                ),
                force_destroy=settings.cloud.artifact_force_destroy,
                protect=settings.cloud.is_production,
            ),
            opts=child,
        )
        if settings.aws.artifact_replication_region:
            Replication(
                f"{name}-replication",
                settings,
                ReplicationWiring(
                    account=wiring.account,
                    source=artifacts,
                    source_region=wiring.region,
                    source_key_arn=wiring.key_arn,
                ),
                opts=child,
            )
        self.bucket_name = artifacts.bucket_name
        self.arn = artifacts.arn
        self.key_arn = wiring.key_arn
        self.bucket = artifacts.bucket
        self.ready = artifacts.ready
        self.register_outputs({"arn": self.arn, "bucket_name": self.bucket_name})


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessLogsWiring:
    """Whose access is logged."""

    account: str
    region: str
    artifacts: ArtifactBucket | None  # None: the bucket is not ours


class AccessLogs(pulumi.ComponentResource):
    """The bucket of access logs; S3 and load balancers write into no bucket with a key of ours."""

    bucket_name: str
    ready: Sequence[pulumi.Resource]  # a load balancer tries to write before it takes the bucket

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: AccessLogsWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the bucket and the logging into it."""
        super().__init__("mlflow-platform:aws:AccessLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket_name = naming.bucket_name(settings.environment, "logs", wiring.account)
        logs = PrivateBucket(
            f"{name}-logs",
            PrivateBucketWiring(
                bucket_name=bucket_name,
                region=wiring.region,
                key_arn=None,
                lifecycle=Lifecycle(expire_days=settings.cloud.log_retention_days),
                force_destroy=not settings.cloud.is_production,
                protect=False,
                statements=delivery(
                    f"arn:aws:s3:::{bucket_name}",
                    account=wiring.account,
                    artifact_bucket=naming.artifact_bucket_name(
                        settings.environment, wiring.account
                    ),
                ),
            ),
            opts=child,
        )
        if wiring.artifacts is not None:
            aws.s3.BucketLogging(
                f"{name}-of-artifacts",
                bucket=wiring.artifacts.bucket.id,
                region=wiring.region,
                target_bucket=logs.bucket.id,
                target_prefix=f"{ARTIFACT_LOGS}/",
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(logs.ready)),
            )
        self.bucket_name = bucket_name
        self.ready = logs.ready
        self.register_outputs({"bucket_name": self.bucket_name})


def delivery(bucket_arn: str, *, account: str, artifact_bucket: str) -> list[Statement]:
    """S3 and load balancers of this account may write their logs, each under its prefix."""
    of_account = {"aws:SourceAccount": account}
    return [
        {
            "Sid": "AccessLogsOfTheArtifacts",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": ["s3:PutObject"],
            "Resource": [f"{bucket_arn}/{ARTIFACT_LOGS}/*"],
            "Condition": {
                "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{artifact_bucket}"},
                "StringEquals": of_account,
            },
        },
        {
            "Sid": "AccessLogsOfTheLoadBalancer",
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": ["s3:PutObject"],
            "Resource": [f"{bucket_arn}/{LOAD_BALANCER_LOGS}/AWSLogs/{account}/*"],
        },
    ]
