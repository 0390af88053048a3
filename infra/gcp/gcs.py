"""The artifact bucket.

Owns the bucket and who may read and write in it. Live artifacts are never deleted by age: the one
lifecycle rule is about versions that were overwritten or deleted, and about uploads that nobody
finished. What is deleted beyond that can be restored for the days of soft delete.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.settings import PlatformSettings

OBJECT_USER = "roles/storage.objectUser"
"""Read, write, list and delete objects; no rights on the bucket itself or on IAM."""

BUCKET_VIEWER = "roles/storage.bucketViewer"
"""Ask whether the bucket is there, as MLflow's client does before it writes."""

DAYS_OF_UNFINISHED_UPLOADS = 7
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactBucketWiring:
    """Name, place and key of the bucket, and who uses it."""

    bucket_name: str
    region: str
    labels: dict[str, str]
    server: pulumi.Input[str]  # IAM member
    training: pulumi.Input[str]  # IAM member
    key_id: pulumi.Input[str] | None  # None: Google's own keys
    key_grants: list[pulumi.Resource]


class ArtifactBucket(pulumi.ComponentResource):
    """Models and files of every run."""

    bucket_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: ArtifactBucketWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the bucket and grant its users theirs."""
        super().__init__("mlflow-platform:gcp:ArtifactBucket", name, None, opts)
        cloud = settings.cloud
        bucket = gcp.storage.Bucket(
            f"{name}-bucket",
            name=wiring.bucket_name,
            location=wiring.region.upper(),
            storage_class="STANDARD",
            labels=wiring.labels,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning=gcp.storage.BucketVersioningArgs(enabled=True),
            soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(
                retention_duration_seconds=settings.gcp.artifact_soft_delete_days * SECONDS_PER_DAY
            ),
            lifecycle_rules=lifecycle_rules(cloud.artifact_noncurrent_version_days),
            encryption=None
            if wiring.key_id is None
            else gcp.storage.BucketEncryptionArgs(default_kms_key_name=wiring.key_id),
            force_destroy=cloud.artifact_force_destroy,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=wiring.key_grants,
                protect=cloud.is_production,
            ),
        )
        users = {"server": wiring.server, "training": wiring.training}
        users |= {f"writer-{member}": member for member in settings.gcp.artifact_writers}
        for who, member in users.items():
            for role in (OBJECT_USER, BUCKET_VIEWER):
                gcp.storage.BucketIAMMember(
                    f"{name}-{who}-{role.rpartition('.')[2]}",
                    bucket=bucket.name,
                    role=role,
                    member=member,
                    opts=pulumi.ResourceOptions(parent=self),
                )
        self.bucket_name = bucket.name
        self.register_outputs({"bucket_name": self.bucket_name})


def lifecycle_rules(noncurrent_days: int) -> list[gcp.storage.BucketLifecycleRuleArgs]:
    """What is deleted by age: old versions and unfinished uploads, never a live artifact."""
    return [
        gcp.storage.BucketLifecycleRuleArgs(
            action=gcp.storage.BucketLifecycleRuleActionArgs(type="Delete"),
            condition=gcp.storage.BucketLifecycleRuleConditionArgs(
                days_since_noncurrent_time=noncurrent_days, with_state="ARCHIVED"
            ),
        ),
        gcp.storage.BucketLifecycleRuleArgs(
            action=gcp.storage.BucketLifecycleRuleActionArgs(type="AbortIncompleteMultipartUpload"),
            condition=gcp.storage.BucketLifecycleRuleConditionArgs(age=DAYS_OF_UNFINISHED_UPLOADS),
        ),
    ]
