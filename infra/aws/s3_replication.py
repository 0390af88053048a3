"""A copy of every artifact in another region, made by S3 as it is written.

Owns the bucket and key there, the role that copies and the rule. A region's loss costs minutes of
artifacts then; a deletion here is a deletion there too, so this is no backup (`backup` is).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.encryption import account_statement
from infra.aws.iam_policies import PolicyDocument, document, service_trust
from infra.aws.s3_private_bucket import Lifecycle, PrivateBucket, PrivateBucketWiring
from infra.settings_model import PlatformSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplicationWiring:
    """What is copied."""

    account: str
    source: PrivateBucket
    source_region: str
    source_key_arn: pulumi.Output[str]


class Replication(pulumi.ComponentResource):
    """The copy of the artifact bucket."""

    bucket_name: str

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: ReplicationWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare bucket, key, role and rule."""
        super().__init__("mlflow-platform:aws:Replication", name, None, opts)
        self._name = name
        self._settings = settings
        self._wiring = wiring
        self._region = settings.aws.artifact_replication_region
        key = self._key()
        copy = self._bucket(key)
        role = self._role(copy, key)
        self._rule(copy, key, role)
        self.bucket_name = copy.bucket_name
        self.register_outputs({"bucket_name": self.bucket_name})

    def _key(self) -> aws.kms.Key:
        return aws.kms.Key(
            f"{self._name}-key",
            region=self._region,
            description=f"Copied artifacts of {naming.base_name(self._settings.environment)}.",
            enable_key_rotation=True,
            deletion_window_in_days=self._settings.aws.encryption.key_deletion_days,
            policy=json.dumps(document([account_statement(self._wiring.account)])),
            opts=pulumi.ResourceOptions(parent=self, protect=self._settings.cloud.is_production),
        )

    def _bucket(self, key: aws.kms.Key) -> PrivateBucket:
        cloud = self._settings.cloud
        return PrivateBucket(
            f"{self._name}-copy",
            PrivateBucketWiring(
                bucket_name=naming.bucket_name(
                    self._settings.environment, "replica", self._wiring.account
                ),
                region=self._region,
                key_arn=key.arn,
                lifecycle=Lifecycle(noncurrent_days=cloud.artifact_noncurrent_version_days),
                force_destroy=cloud.artifact_force_destroy,
                protect=cloud.is_production,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _role(self, copy: PrivateBucket, key: aws.kms.Key) -> aws.iam.Role:
        name = f"{naming.base_name(self._settings.environment)}-replication"
        role = aws.iam.Role(
            f"{self._name}-role",
            name=name,
            assume_role_policy=json.dumps(service_trust("s3.amazonaws.com")),
            opts=pulumi.ResourceOptions(parent=self),
        )
        source, source_region = self._wiring.source, self._wiring.source_region
        self._permission = aws.iam.RolePolicy(
            f"{self._name}-copying",
            name="copy-artifacts",
            role=role.name,
            policy=pulumi.Output.all(self._wiring.source_key_arn, key.arn).apply(
                lambda keys: json.dumps(
                    copying(
                        source=f"arn:aws:s3:::{source.bucket_name}",
                        source_region=source_region,
                        source_key=keys[0],
                        copy=f"arn:aws:s3:::{copy.bucket_name}",
                        copy_region=self._region,
                        copy_key=keys[1],
                    )
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return role

    def _rule(self, copy: PrivateBucket, key: aws.kms.Key, role: aws.iam.Role) -> None:
        enabled = "Enabled"
        aws.s3.BucketReplicationConfig(
            f"{self._name}-rule",
            bucket=self._wiring.source.bucket.id,
            region=self._wiring.source_region,
            role=role.arn,
            rules=[
                aws.s3.BucketReplicationConfigRuleArgs(
                    id="every-artifact",
                    status=enabled,
                    priority=1,
                    filter=aws.s3.BucketReplicationConfigRuleFilterArgs(prefix=""),
                    delete_marker_replication=aws.s3.BucketReplicationConfigRuleDeleteMarkerReplicationArgs(
                        status=enabled
                    ),
                    source_selection_criteria=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaArgs(
                        sse_kms_encrypted_objects=aws.s3.BucketReplicationConfigRuleSourceSelectionCriteriaSseKmsEncryptedObjectsArgs(
                            status=enabled
                        )
                    ),
                    destination=aws.s3.BucketReplicationConfigRuleDestinationArgs(
                        bucket=copy.arn,
                        storage_class="STANDARD_IA",
                        encryption_configuration=aws.s3.BucketReplicationConfigRuleDestinationEncryptionConfigurationArgs(
                            replica_kms_key_id=key.arn
                        ),
                    ),
                )
            ],
            # S3 takes a rule only between two versioned buckets.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*self._wiring.source.ready, *copy.ready, self._permission]
            ),
        )


def copying(
    *,
    source: str,
    source_region: str,
    source_key: str,
    copy: str,
    copy_region: str,
    copy_key: str,
) -> PolicyDocument:
    """What S3 needs to copy: read here, write there, each with its key and through S3 alone."""
    return document(
        [
            {
                "Sid": "ReadTheSource",
                "Effect": "Allow",
                "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"],
                "Resource": [source],
            },
            {
                "Sid": "ReadItsVersions",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObjectVersionForReplication",
                    "s3:GetObjectVersionAcl",
                    "s3:GetObjectVersionTagging",
                ],
                "Resource": [f"{source}/*"],
            },
            {
                "Sid": "WriteTheCopy",
                "Effect": "Allow",
                "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"],
                "Resource": [f"{copy}/*"],
            },
            {
                "Sid": "DecryptTheSource",
                "Effect": "Allow",
                "Action": ["kms:Decrypt"],
                "Resource": [source_key],
                "Condition": {
                    "StringEquals": {"kms:ViaService": f"s3.{source_region}.amazonaws.com"}
                },
            },
            {
                "Sid": "EncryptTheCopy",
                "Effect": "Allow",
                "Action": ["kms:Encrypt", "kms:GenerateDataKey"],
                "Resource": [copy_key],
                "Condition": {
                    "StringEquals": {"kms:ViaService": f"s3.{copy_region}.amazonaws.com"}
                },
            },
        ]
    )
