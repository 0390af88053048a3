"""What is stored is encrypted, with a key that the platform controls where it has one."""

from __future__ import annotations

from policies.pod_templates import containers
from policies.resource_graph import UNKNOWN, Resource, ResourceGraph, mappings
from policies.resource_types import (
    AWS_BUCKET,
    AWS_BUCKET_ENCRYPTION,
    AWS_CLUSTER,
    AWS_DATABASE,
    AWS_KEY,
    GCP_BUCKET,
    GCP_DATABASE,
    GCP_KEY,
    GCP_SERVICE,
    KUBERNETES_WORKLOADS,
)
from policies.rule import Broken, Rule, require, require_given

AWS_KEYS = {
    "aws:backup/vault:Vault": "kmsKeyArn",
    "aws:cloudwatch/logGroup:LogGroup": "kmsKeyId",
    "aws:secretsmanager/secret:Secret": "kmsKeyId",
    "aws:sns/topic:Topic": "kmsMasterKeyId",
}
"""Where a service names the key that it encrypts with; without it, AWS takes one that anybody in
the account may use, or none."""

GCP_KEYS = {
    GCP_DATABASE[0]: "encryptionKeyName",
    GCP_BUCKET[0]: "encryption.defaultKmsKeyName",
    GCP_SERVICE[0]: "template.encryptionKey",
}

SECRET_WORDS = ("PASSWORD", "SECRET", "TOKEN", "PRIVATE_KEY", "ACCESS_KEY")
NO_SECRET = ("_FILE", "_PATH", "_NAME", "_SECONDS", "_URL", "_ENDPOINT", "_ARN", "_ID")
"""Ends of names that say where a secret is, or something else about it."""


def _database(graph: ResourceGraph) -> Broken:
    for database in graph.of(*AWS_DATABASE):
        if not database.may_be("storageEncrypted", True):
            yield (
                database,
                (
                    "`storageEncrypted` is not true: its disks and snapshots can be read by "
                    "whoever gets hold of them, and encrypting later means a new database; set true"
                ),
            )


def _bucket(graph: ResourceGraph) -> Broken:
    for bucket in graph.of(*AWS_BUCKET):
        companions = graph.belonging_to(bucket, "bucket", *AWS_BUCKET_ENCRYPTION)
        if not companions:
            yield bucket, "it has no encryption configuration: declare one with the stack's key"
        for companion in companions:
            path = "rules.0.applyServerSideEncryptionByDefault.sseAlgorithm"
            if not companion.may_be(path, "aws:kms", "aws:kms:dsse", "AES256"):
                yield companion, f"`{path}` names no algorithm of S3: set aws:kms"


def _aws_keys(graph: ResourceGraph) -> Broken:
    for resource in graph.of(*AWS_KEYS):
        if not resource.is_given(AWS_KEYS[resource.type]):
            yield (
                resource,
                (
                    f"`{AWS_KEYS[resource.type]}` is not set: who may read it is then not the "
                    "stack's to say; set the stack's key"
                ),
            )


def _cluster(graph: ResourceGraph) -> Broken:
    for cluster in graph.of(*AWS_CLUSTER):
        resources = cluster.get("encryptionConfig.resources")
        if resources is not UNKNOWN and "secrets" not in cluster.each("encryptionConfig.resources"):
            yield (
                cluster,
                (
                    "`encryptionConfig.resources` does not name secrets: the database's password "
                    "lies in the cluster's store without the stack's key; set [secrets]"
                ),
            )


def _volumes(graph: ResourceGraph) -> Broken:
    for template in graph.of("aws:ec2/launchTemplate:LaunchTemplate"):
        for number, _device in enumerate(template.each("blockDeviceMappings")):
            path = f"blockDeviceMappings.{number}.ebs.encrypted"
            if not template.may_be(path, True):
                yield template, f"`{path}` is not true: the nodes' disks are readable; set true"


def _gcp_keys(graph: ResourceGraph) -> Broken:
    if not any(graph.of(*GCP_KEY)):
        return  # Google's own keys encrypt everything
    for resource in graph.of(*GCP_KEYS):
        if not resource.is_given(GCP_KEYS[resource.type]):
            yield (
                resource,
                (
                    f"`{GCP_KEYS[resource.type]}` is not set though the stack has a key of its "
                    "own: revoking that key would not reach it; set the stack's key"
                ),
            )


def _plain_secrets(graph: ResourceGraph) -> Broken:
    for workload in graph.of(*KUBERNETES_WORKLOADS):
        for path, container in containers(workload):
            for variable in mappings(_list(container, "env")):
                if _is_plain_secret(variable):
                    yield (
                        workload,
                        (
                            f"variable {variable['name']} of {path} has a value in plain: "
                            "everybody who may read the object reads it; take it from a Secret "
                            "with `valueFrom`"
                        ),
                    )
    for service in graph.of(*GCP_SERVICE):
        for number, container in enumerate(mappings(service.each("template.containers"))):
            for variable in mappings(_list(container, "envs")):
                if _is_plain_secret(variable):
                    yield (
                        service,
                        (
                            f"variable {variable['name']} of template.containers.{number} has a "
                            "value in plain: everybody who may view the service reads it; take it "
                            "from Secret Manager with `valueSource`"
                        ),
                    )


def _list(container: object, key: str) -> list[object]:
    return Resource(type="", urn="", properties={"it": container}).each(f"it.{key}")


def _is_plain_secret(variable: object) -> bool:
    one = Resource(type="", urn="", properties={"it": variable})
    return names_a_secret(str(one.get("it.name") or "")) and one.is_given("it.value")


def names_a_secret(name: str) -> bool:
    """Whether a variable of that name holds a secret, by what it is called."""
    name = name.upper()
    return any(word in name for word in SECRET_WORDS) and not name.endswith(NO_SECRET)


RULES = (
    Rule(
        name="aws-database-encrypted",
        subject="encryption",
        says="Every RDS instance encrypts its storage.",
        broken=_database,
    ),
    Rule(
        name="aws-database-key",
        subject="encryption",
        says="Every RDS instance that is no copy is encrypted with a named key.",
        broken=lambda graph: (
            (database, "`kmsKeyId` is not set: RDS takes the account's own; set the stack's key")
            for database in graph.of(*AWS_DATABASE)
            if not database.is_given("kmsKeyId") and not database.is_given("replicateSourceDb")
        ),
    ),
    Rule(
        name="aws-bucket-encrypted",
        subject="encryption",
        says="Every S3 bucket has an encryption configuration.",
        broken=_bucket,
    ),
    Rule(
        name="aws-service-keys",
        subject="encryption",
        says="Vaults, log groups, secrets and topics are encrypted with a named key.",
        broken=_aws_keys,
    ),
    Rule(
        name="aws-cluster-secrets-encrypted",
        subject="encryption",
        says="EKS encrypts Kubernetes' secrets with a named key.",
        broken=_cluster,
    ),
    Rule(
        name="aws-volumes-encrypted",
        subject="encryption",
        says="The disks of the cluster's nodes are encrypted.",
        broken=_volumes,
    ),
    Rule(
        name="aws-key-rotation",
        subject="encryption",
        says="KMS keys are rotated.",
        broken=require(
            "enableKeyRotation",
            True,
            types=AWS_KEY,
            because="one leak opens everything that was ever written",
        ),
    ),
    Rule(
        name="gcp-own-key-everywhere",
        subject="encryption",
        says="Where the stack has a key of its own, database, bucket and service use it.",
        broken=_gcp_keys,
    ),
    Rule(
        name="gcp-key-rotation",
        subject="encryption",
        says="Cloud KMS keys are rotated.",
        broken=require_given(
            "rotationPeriod",
            types=GCP_KEY,
            because="one leak opens everything that was ever written; set 7776000s, ninety days",
        ),
    ),
    Rule(
        name="no-secret-in-plain",
        subject="encryption",
        says="No variable of a container holds a secret in plain.",
        broken=_plain_secrets,
    ),
)
