"""What a bucket has beside its name: versions, encryption, policy, lifecycle, logging, ownership.

Owns one class for each of these resources, all of one making: S3 gets the whole configuration,
gives it back, and forgets it. A bucket without it has lost it: that is drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.iam_names import check_document
from simulated_cloud.aws.iam_roles import see_role
from simulated_cloud.aws.kms import see_key
from simulated_cloud.aws.s3_lifecycle import check_rules
from simulated_cloud.aws.spelling import camel, pascal
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call


class BucketPart(AwsType):
    """A configuration of one bucket, whose name is the resource's id."""

    replace_on = frozenset({"bucket", "expectedBucketOwner"})
    kept = frozenset({"expectedBucketOwner"})
    operation: ClassVar[str] = ""
    """The calls are put_, get_ and delete_ with this."""
    deletion: ClassVar[str] = ""
    """The call that takes the configuration away, where it is called otherwise."""
    irregular: ClassVar[Mapping[str, str]] = {}

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Write the configuration."""
        raise NotImplementedError

    def get(self, answer: Any) -> Properties | None:
        """Return the properties that S3's answer says."""
        raise NotImplementedError

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Configure a bucket that is there."""
        aws.client("s3").head_bucket(Bucket=inputs["bucket"])
        self.put(aws, inputs)
        return inputs["bucket"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the configuration; the bucket without one has none."""
        s3 = aws.client("s3")
        try:
            answer = getattr(s3, f"get_{self.operation}")(Bucket=identity)
        except s3.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "NoSuchBucket" or code in self.missing or "NotFound" in code:
                return None
            raise
        found = self.get(answer)
        return None if found is None else {"bucket": identity, **found}

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the configuration anew."""
        self.put(aws, {**news, "bucket": identity})

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Take the configuration away, if the bucket still is."""
        s3 = aws.client("s3")
        if identity in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            getattr(s3, self.deletion or f"delete_{self.operation}")(Bucket=identity)


class BucketVersioning(BucketPart):
    """aws.s3.BucketVersioning; versions are suspended, never taken away."""

    token = "aws:s3/bucketVersioning:BucketVersioning"
    title = "S3 Bucket Versioning"
    operation = "bucket_versioning"
    unsupported = frozenset({"mfa"})
    irregular: ClassVar = {"mfaDelete": "MFADelete"}

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a status that is none."""
        status = (inputs.get("versioningConfiguration") or {}).get("status", "Enabled")
        if status not in ("Enabled", "Suspended", "Disabled"):
            yield InputProblem(
                "versioningConfiguration.status",
                f"expected status to be one of [Enabled Suspended Disabled], got {status}",
            )

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Set the status."""
        configuration = pascal(inputs["versioningConfiguration"], self.irregular)
        aws.client("s3").put_bucket_versioning(
            Bucket=inputs["bucket"], VersioningConfiguration=configuration
        )

    def get(self, answer: Any) -> Properties | None:
        """Return the status."""
        if not answer.get("Status"):
            return None
        return {"versioningConfiguration": {"status": answer["Status"]}}

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Suspend versioning; a bucket that is gone has none."""
        s3 = aws.client("s3")
        if identity in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            suspended = {"Status": "Suspended"}
            s3.put_bucket_versioning(Bucket=identity, VersioningConfiguration=suspended)
            backend_bucket(aws, identity).versioning_status = None


class BucketPublicAccessBlock(BucketPart):
    """aws.s3.BucketPublicAccessBlock."""

    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    title = "S3 Bucket Public Access Block"
    operation = "public_access_block"
    missing = frozenset({"NoSuchPublicAccessBlockConfiguration", "NoSuchBucket"})
    kept = frozenset({"skipDestroy", "expectedBucketOwner"})
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    defaults: ClassVar = dict.fromkeys(names, False)

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Write all four."""
        configuration = pascal({name: inputs[name] for name in self.names}, {})
        aws.client("s3").put_public_access_block(
            Bucket=inputs["bucket"], PublicAccessBlockConfiguration=configuration
        )

    def get(self, answer: Any) -> Properties | None:
        """Return all four."""
        return camel(answer["PublicAccessBlockConfiguration"], {})


class BucketServerSideEncryptionConfiguration(BucketPart):
    """aws.s3.BucketServerSideEncryptionConfiguration."""

    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    title = "S3 Bucket Server-side Encryption Configuration"
    operation = "bucket_encryption"
    missing = frozenset({"ServerSideEncryptionConfigurationNotFoundError", "NoSuchBucket"})
    irregular: ClassVar = {
        "sseAlgorithm": "SSEAlgorithm",
        "kmsMasterKeyId": "KMSMasterKeyID",
    }

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an algorithm that is none."""
        for rule in inputs.get("rules") or []:
            default = rule.get("applyServerSideEncryptionByDefault") or {}
            name = default.get("sseAlgorithm", "AES256")
            if name not in ("AES256", "aws:kms", "aws:kms:dsse"):
                yield InputProblem(
                    "rules",
                    "expected sse_algorithm to be one of [AES256 aws:kms aws:kms:dsse], got "
                    f"{name}",
                )
            elif name == "AES256" and default.get("kmsMasterKeyId"):
                yield InputProblem(
                    "rules",
                    "InvalidArgument: a KMSMasterKeyID is not applicable if the default sse "
                    "algorithm is not aws:kms or aws:kms:dsse",
                )

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Write the rules; their key must be there."""
        for rule in inputs["rules"]:
            default = rule.get("applyServerSideEncryptionByDefault") or {}
            see_key(aws, default.get("kmsMasterKeyId"))
        configuration = {"Rules": pascal(inputs["rules"], self.irregular)}
        aws.client("s3").put_bucket_encryption(
            Bucket=inputs["bucket"], ServerSideEncryptionConfiguration=configuration
        )

    def get(self, answer: Any) -> Properties | None:
        """Return the rules; a switch that is off is not told."""
        rules = camel(answer["ServerSideEncryptionConfiguration"]["Rules"], self.irregular)
        return {"rules": [{"bucketKeyEnabled": False, **rule} for rule in rules]}


class BucketPolicy(BucketPart):
    """aws.s3.BucketPolicy."""

    token = "aws:s3/bucketPolicy:BucketPolicy"
    title = "S3 Bucket Policy"
    operation = "bucket_policy"
    missing = frozenset({"NoSuchBucketPolicy", "NoSuchBucket"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what is no policy."""
        yield from check_document(inputs, "policy")

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Write the policy, which must speak of this bucket."""
        if f"arn:aws:s3:::{inputs['bucket']}" not in inputs["policy"]:
            raise Refusal("MalformedPolicy: Policy has invalid resource")
        aws.client("s3").put_bucket_policy(Bucket=inputs["bucket"], Policy=inputs["policy"])

    def get(self, answer: Any) -> Properties | None:
        """Return the policy."""
        return {"policy": answer["Policy"]}


class BucketLifecycleConfiguration(BucketPart):
    """aws.s3.BucketLifecycleConfiguration."""

    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    title = "S3 Bucket Lifecycle Configuration"
    operation = "bucket_lifecycle_configuration"
    deletion = "delete_bucket_lifecycle"
    missing = frozenset({"NoSuchLifecycleConfiguration", "NoSuchBucket"})
    kept = frozenset({"transitionDefaultMinimumObjectSize", "expectedBucketOwner"})
    irregular: ClassVar = {
        "id": "ID",
        "noncurrentVersionTransitions": "NoncurrentVersionTransitions",
    }

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what no rule may say."""
        yield from check_rules(inputs.get("rules") or [])

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Write the rules."""
        rules = pascal(inputs.get("rules") or [], self.irregular)
        aws.client("s3").put_bucket_lifecycle_configuration(
            Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules}
        )

    def get(self, answer: Any) -> Properties | None:
        """Return the rules."""
        return {"rules": camel(answer["Rules"], self.irregular)}


class BucketLogging(BucketPart):
    """aws.s3.BucketLogging."""

    token = "aws:s3/bucketLogging:BucketLogging"
    title = "S3 Bucket Logging"
    operation = "bucket_logging"
    unsupported = frozenset({"targetGrants", "targetObjectKeyFormat"})

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Log into a bucket that is there, in the same region, and lets S3 write."""
        s3, target = aws.client("s3"), inputs["targetBucket"]
        if target not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            raise Refusal(
                "InvalidTargetBucketForLogging: The target bucket for logging does not exist"
            )
        there = s3.get_bucket_location(Bucket=target)["LocationConstraint"] or "us-east-1"
        if there != aws.region:
            raise Refusal(
                "InvalidTargetBucketForLogging: The target bucket for logging must be in the same "
                f"region as the source bucket ({target} is in {there})"
            )
        enabled = {"TargetBucket": target, "TargetPrefix": inputs["targetPrefix"]}
        self._write(aws, inputs["bucket"], enabled)

    def get(self, answer: Any) -> Properties | None:
        """Return where the log goes."""
        enabled = answer.get("LoggingEnabled")
        if not enabled:
            return None
        return {"targetBucket": enabled["TargetBucket"], "targetPrefix": enabled["TargetPrefix"]}

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Stop logging."""
        s3 = aws.client("s3")
        if identity in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            self._write(aws, identity, None)

    @staticmethod
    def _write(aws: AwsCloud, bucket: str, enabled: dict[str, str] | None) -> None:
        # moto asks for permissions that a policy gives and it looks for in ACLs only.
        model = backend_bucket(aws, bucket)
        model.logging = enabled or {}


class BucketOwnershipControls(BucketPart):
    """aws.s3.BucketOwnershipControls."""

    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    title = "S3 Bucket Ownership Controls"
    operation = "bucket_ownership_controls"
    missing = frozenset({"OwnershipControlsNotFoundError", "NoSuchBucket"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an ownership that is none."""
        owner = (inputs.get("rule") or {}).get("objectOwnership", "ObjectWriter")
        allowed = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
        if owner not in allowed:
            yield InputProblem(
                "rule.objectOwnership",
                f"expected object_ownership to be one of [{' '.join(allowed)}], got {owner}",
            )

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Write the rule."""
        aws.client("s3").put_bucket_ownership_controls(
            Bucket=inputs["bucket"], OwnershipControls={"Rules": [pascal(inputs["rule"], {})]}
        )

    def get(self, answer: Any) -> Properties | None:
        """Return the rule."""
        return {"rule": camel(answer["OwnershipControls"]["Rules"][0], {})}


class BucketReplicationConfig(BucketPart):
    """aws.s3.BucketReplicationConfig."""

    token = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
    title = "S3 Bucket Replication Configuration"
    operation = "bucket_replication"
    missing = frozenset({"ReplicationConfigurationNotFoundError", "NoSuchBucket"})
    kept = frozenset({"token", "expectedBucketOwner"})
    irregular: ClassVar = {
        "id": "ID",
        "replicaKmsKeyId": "ReplicaKmsKeyID",
    }

    def put(self, aws: AwsCloud, inputs: Properties) -> None:
        """Write the rules; both buckets keep versions and the role exists."""
        s3 = aws.client("s3")
        see_role(aws, inputs["role"])
        if s3.get_bucket_versioning(Bucket=inputs["bucket"]).get("Status") != "Enabled":
            raise Refusal(
                "InvalidRequest: Versioning must be 'Enabled' on the bucket to apply a replication "
                "configuration"
            )
        for rule in inputs["rules"]:
            target = rule["destination"]["bucket"].removeprefix("arn:aws:s3:::")
            if s3.get_bucket_versioning(Bucket=target).get("Status") != "Enabled":
                raise Refusal("InvalidRequest: Destination bucket must have versioning enabled.")
        configuration = {"Role": inputs["role"], "Rules": pascal(inputs["rules"], self.irregular)}
        s3.put_bucket_replication(Bucket=inputs["bucket"], ReplicationConfiguration=configuration)

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the rules; moto keeps of deletions what was written and tells another thing."""
        found = super().find(aws, identity, known)
        if found is not None:
            written = backend_bucket(aws, identity).replication["Rule"]
            for rule, kept in zip(found["rules"], written, strict=True):
                deletions = kept.get("DeleteMarkerReplication") or {"Status": "Disabled"}
                rule["deleteMarkerReplication"] = camel(deletions, self.irregular)
        return found

    def get(self, answer: Any) -> Properties | None:
        """Return the rules."""
        configuration = answer["ReplicationConfiguration"]
        rules = camel(configuration["Rules"], self.irregular)
        return {"role": configuration["Role"], "rules": rules}


def backend_bucket(aws: AwsCloud, name: str) -> Any:
    """Return moto's model of a bucket."""
    from moto.backends import get_backend

    find: Any = get_backend
    return find("s3")[aws.account_id]["aws"].get_bucket(name)


TYPES = (
    BucketVersioning,
    BucketPublicAccessBlock,
    BucketServerSideEncryptionConfiguration,
    BucketPolicy,
    BucketLifecycleConfiguration,
    BucketLogging,
    BucketOwnershipControls,
    BucketReplicationConfig,
)
