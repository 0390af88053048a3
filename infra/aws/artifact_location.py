"""Where artifacts are kept on AWS: a bucket of ours, or the one that `artifactStore` names.

Owns what the rest of the platform is told of either, so that nobody asks which one it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import pulumi

from infra.aws.iam import ArtifactStoreAccess
from infra.aws.s3 import ArtifactBucket


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactLocation:
    """The artifact store."""

    root: str  # what the server is told: s3://…
    bucket_name: str
    bucket_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str] | None  # None: the bucket's key is not ours
    is_ours: bool
    ready: Sequence[pulumi.Resource]

    def access(self, region: str) -> ArtifactStoreAccess:
        """What roles are given."""
        return ArtifactStoreAccess(region=region, bucket_arn=self.bucket_arn, key_arn=self.key_arn)


def made_artifacts(bucket: ArtifactBucket) -> ArtifactLocation:
    """The bucket of this stack."""
    return ArtifactLocation(
        root=f"s3://{bucket.bucket_name}",
        bucket_name=bucket.bucket_name,
        bucket_arn=bucket.arn,
        key_arn=bucket.key_arn,
        is_ours=True,
        ready=bucket.ready,
    )


def adopted_artifacts(store: str) -> ArtifactLocation:
    """The bucket in `s3://bucket/path`."""
    bucket = urlsplit(store).hostname or ""
    return ArtifactLocation(
        root=store,
        bucket_name=bucket,
        bucket_arn=f"arn:aws:s3:::{bucket}",
        key_arn=None,
        is_ours=False,
        ready=(),
    )
