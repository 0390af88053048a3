"""A small production stack that keeps every rule: one resource of each type that rules speak of.

The real stacks are held against the rules in `test_stacks`; here each resource is as small as a
rule lets it be, so that one change breaks one rule.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from policies.resource_graph import Resource, ResourceGraph

TAGS = {
    "project": "mlops-platform",
    "service": "mlflow",
    "environment": "prod",
    "managed-by": "pulumi",
}
LABELS = {
    "app.kubernetes.io/part-of": "mlops-platform",
    "app.kubernetes.io/managed-by": "pulumi",
    "environment": "prod",
}
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
BUCKET = "mlops-platform-prod-mlflow-artifacts-123456789012"

DELETED = object()
"""A change's value for a property that is not set."""


def urn_of(kind: str, name: str) -> str:
    return f"urn:pulumi:prod::mlflow-platform::{kind}::{name}"


def resource(
    kind: str,
    name: str,
    properties: Mapping[str, Any],
    *,
    protect: bool = False,
    comes_from: Mapping[str, tuple[str, ...]] | None = None,
) -> Resource:
    return Resource(
        type=kind,
        urn=urn_of(kind, name),
        properties=properties,
        protect=protect,
        comes_from=comes_from or {},
    )


def of_bucket(kind: str, name: str, properties: Mapping[str, Any]) -> Resource:
    """A companion of the artifact bucket, as a preview shows it: the bucket's id is unknown."""
    bucket = urn_of("aws:s3/bucket:Bucket", "artifacts")
    return resource(kind, name, properties, comes_from={"bucket": (bucket,)})


def container(**more: Any) -> dict[str, Any]:
    return {
        "name": "mlflow",
        "env": [{"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "db"}}}],
        "securityContext": {"allowPrivilegeEscalation": False},
        **more,
    }


TLS_ONLY = json.dumps(
    {
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
    }
)

AWS = (
    resource("pulumi:providers:aws", "aws", {"defaultTags": {"tags": TAGS}}),
    resource(
        "aws:rds/instance:Instance",
        "database",
        {
            "storageEncrypted": True,
            "kmsKeyId": KEY,
            "publiclyAccessible": False,
            "backupRetentionPeriod": 35,
            "skipFinalSnapshot": False,
            "deletionProtection": True,
            "tagsAll": TAGS,
        },
        protect=True,
    ),
    resource(
        "aws:rds/parameterGroup:ParameterGroup",
        "parameters",
        {"parameters": [{"name": "rds.force_ssl", "value": "1"}]},
    ),
    resource("aws:s3/bucket:Bucket", "artifacts", {"bucket": BUCKET}, protect=True),
    of_bucket(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "encryption",
        {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms"}}]},
    ),
    of_bucket(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "private",
        {
            "blockPublicAcls": True,
            "blockPublicPolicy": True,
            "ignorePublicAcls": True,
            "restrictPublicBuckets": True,
        },
    ),
    of_bucket("aws:s3/bucketPolicy:BucketPolicy", "policy", {"policy": TLS_ONLY}),
    of_bucket(
        "aws:s3/bucketVersioning:BucketVersioning",
        "versioning",
        {"versioningConfiguration": {"status": "Enabled"}},
    ),
    of_bucket(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "lifecycle",
        {
            "rules": [
                {
                    "id": "noncurrent",
                    "status": "Enabled",
                    "noncurrentVersionExpiration": {"noncurrentDays": 90},
                    "expiration": {"expiredObjectDeleteMarker": True},
                }
            ]
        },
    ),
    resource(
        "aws:kms/key:Key",
        "key",
        {"enableKeyRotation": True, "deletionWindowInDays": 30},
        protect=True,
    ),
    resource("aws:backup/vault:Vault", "vault", {"kmsKeyArn": KEY}),
    resource("aws:backup/plan:Plan", "plan", {"rules": [{"ruleName": "daily"}]}),
    resource(
        "aws:backup/selection:Selection",
        "selection",
        {},
        comes_from={"resources": (urn_of("aws:rds/instance:Instance", "database"),)},
    ),
    resource("aws:cloudwatch/logGroup:LogGroup", "logs", {"kmsKeyId": KEY}),
    resource("aws:secretsmanager/secret:Secret", "secret", {"kmsKeyId": KEY}),
    resource("aws:sns/topic:Topic", "topic", {"kmsMasterKeyId": KEY}),
    resource(
        "aws:eks/cluster:Cluster",
        "cluster",
        {
            "encryptionConfig": {"resources": ["secrets"]},
            "vpcConfig": {"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]},
            "deletionProtection": True,
        },
    ),
    resource(
        "aws:ec2/launchTemplate:LaunchTemplate",
        "template",
        {"blockDeviceMappings": [{"ebs": {"encrypted": "true"}}]},
    ),
    resource("aws:ec2/securityGroup:SecurityGroup", "group", {}),
    resource(
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "rule",
        {"cidrIpv4": "10.0.0.0/8", "fromPort": 443, "toPort": 443},
    ),
    resource(
        "aws:lb/loadBalancer:LoadBalancer",
        "balancer",
        {"internal": True, "enableDeletionProtection": True},
    ),
    resource(
        "aws:lb/listener:Listener",
        "http",
        {"protocol": "HTTP", "port": 80, "defaultActions": [{"type": "redirect"}]},
    ),
    resource(
        "aws:lb/listener:Listener",
        "https",
        {"protocol": "HTTPS", "port": 443, "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"},
    ),
)

GCP = (
    resource(
        "gcp:sql/databaseInstance:DatabaseInstance",
        "sql",
        {
            "encryptionKeyName": "data",
            "deletionProtection": True,
            "settings": {
                "deletionProtectionEnabled": True,
                "retainBackupsOnDelete": True,
                "userLabels": TAGS,
                "ipConfiguration": {
                    "ipv4Enabled": False,
                    "privateNetwork": "network",
                    "sslMode": "ENCRYPTED_ONLY",
                },
                "backupConfiguration": {
                    "enabled": True,
                    "pointInTimeRecoveryEnabled": True,
                    "backupRetentionSettings": {"retainedBackups": 30},
                },
            },
        },
        protect=True,
    ),
    resource(
        "gcp:storage/bucket:Bucket",
        "gcs",
        {
            "name": "mlops-platform-prod-mlflow-artifacts-210987654321",
            "publicAccessPrevention": "enforced",
            "uniformBucketLevelAccess": True,
            "encryption": {"defaultKmsKeyName": "data"},
            "versioning": {"enabled": True},
            "softDeletePolicy": {"retentionDurationSeconds": 2592000},
            "lifecycleRules": [
                {
                    "action": {"type": "Delete"},
                    "condition": {"daysSinceNoncurrentTime": 90, "withState": "ARCHIVED"},
                },
                {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}},
            ],
            "labels": TAGS,
        },
        protect=True,
    ),
    resource("gcp:kms/cryptoKey:CryptoKey", "data", {"rotationPeriod": "7776000s", "labels": TAGS}),
    resource(
        "gcp:cloudrunv2/service:Service",
        "run",
        {
            "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY",
            "invokerIamDisabled": False,
            "deletionProtection": True,
            "labels": TAGS,
            "template": {
                "encryptionKey": "data",
                "scaling": {"minInstanceCount": 2},
                "containers": [
                    {"envs": [{"name": "PGPASSWORD", "valueSource": {"secretKeyRef": {}}}]}
                ],
            },
        },
    ),
    resource(
        "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
        "invoker",
        {"role": "roles/run.invoker", "member": "group:ml-team@example.com"},
    ),
    resource(
        "gcp:compute/firewall:Firewall",
        "firewall",
        {"allows": [{"protocol": "tcp"}], "sourceRanges": ["10.0.0.0/8"]},
    ),
    resource("gcp:compute/sSLPolicy:SSLPolicy", "tls", {"minTlsVersion": "TLS_1_2"}),
    resource("gcp:compute/targetHttpsProxy:TargetHttpsProxy", "proxy", {"sslPolicy": "modern"}),
    resource(
        "gcp:compute/globalForwardingRule:GlobalForwardingRule", "forward", {"portRange": "443"}
    ),
)

KUBERNETES = (
    resource(
        "kubernetes:apps/v1:Deployment",
        "server",
        {
            "metadata": {"name": "mlflow", "namespace": "mlflow", "labels": LABELS},
            "spec": {"template": {"spec": {"containers": [container()]}}},
        },
    ),
    resource(
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        "autoscaler",
        {
            "metadata": {"labels": LABELS},
            "spec": {"minReplicas": 2, "scaleTargetRef": {"name": "mlflow"}},
        },
    ),
    resource(
        "kubernetes:policy/v1:PodDisruptionBudget", "budget", {"metadata": {"labels": LABELS}}
    ),
    resource(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "inwards",
        {
            "metadata": {"namespace": "mlflow", "labels": LABELS},
            "spec": {"policyTypes": ["Ingress"]},
        },
    ),
    resource(
        "kubernetes:core/v1:Service",
        "service",
        {"metadata": {"labels": LABELS}, "spec": {"type": "ClusterIP"}},
    ),
    resource(
        "kubernetes:networking.k8s.io/v1:Ingress",
        "ingress",
        {"metadata": {"labels": LABELS}, "spec": {"tls": [{"secretName": "tls"}]}},
    ),
)


def healthy(*, is_production: bool = True) -> ResourceGraph:
    """The stack."""
    return ResourceGraph(
        stack="prod",
        environment="prod",
        is_production=is_production,
        resources=(*AWS, *GCP, *KUBERNETES),
    )


def changed(graph: ResourceGraph, kind: str, path: str, value: object) -> ResourceGraph:
    """The same graph with one value of each resource of a type set, or DELETED.

    The path `protect` is the resource's option, and the empty path the resource itself.
    """
    if path == "":
        return replace(graph, resources=tuple(one for one in graph.resources if one.type != kind))
    return replace(
        graph,
        resources=tuple(
            _changed(one, path, value) if one.type == kind else one for one in graph.resources
        ),
    )


def _changed(one: Resource, path: str, value: object) -> Resource:
    if path == "protect":
        return replace(one, protect=bool(value))
    properties: dict[str, Any] = copy.deepcopy(dict(one.properties))
    target: Any = properties
    *way, last = path.split(".")
    for step in way:
        if isinstance(target, list):
            target = target[int(step)] if int(step) < len(target) else {}
        else:
            target = target.setdefault(step, {})
    if value is DELETED:
        target.pop(last, None)
    else:
        target[int(last) if isinstance(target, list) else last] = value
    return replace(one, properties=properties)
