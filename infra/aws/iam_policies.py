"""IAM policy documents, as plain functions from names and ARNs to typed dictionaries.

Owns every statement that the platform's roles carry and who may assume them. It makes no resource
(`iam`, `eks` and `backup` do) and knows no Pulumi, so a test compares whole documents. A wildcard
as a resource stands only where AWS takes nothing else, with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

Condition = Mapping[str, Mapping[str, str | list[str]]]

IRSA_AUDIENCE = "sts.amazonaws.com"
"""Audience of the tokens that EKS projects into a pod for IAM roles for service accounts."""

MANAGED_POLICY = "arn:aws:iam::aws:policy/{}"
"""ARN of one of AWS's own policies, by its name (with `service-role/` where it has that path)."""


class Statement(TypedDict):
    """One statement, with the capitals IAM gives its keys."""

    Sid: str
    Effect: Literal["Allow", "Deny"]
    Action: list[str]
    Resource: NotRequired[list[str]]
    Principal: NotRequired[dict[str, str]]
    Condition: NotRequired[Condition]


class PolicyDocument(TypedDict):
    """A policy as IAM takes it."""

    Version: Literal["2012-10-17"]
    Statement: list[Statement]


def document(statements: Sequence[Statement]) -> PolicyDocument:
    """The policy that consists of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def service_trust(service: str) -> PolicyDocument:
    """An AWS service, such as `ec2.amazonaws.com`, may assume the role."""
    return document(
        [
            {
                "Sid": "AssumedByTheService",
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": ["sts:AssumeRole"],
            }
        ]
    )


def service_account_trust(
    provider_arn: str, issuer_url: str, namespace: str, service_account: str
) -> PolicyDocument:
    """One Kubernetes service account of one cluster may assume the role, and nobody else.

    Without the condition on `sub` every pod of the cluster could; without the one on `aud`, every
    token of the cluster's issuer would do.
    """
    issuer = issuer_url.removeprefix("https://")
    return document(
        [
            {
                "Sid": "AssumedByTheServiceAccount",
                "Effect": "Allow",
                "Principal": {"Federated": provider_arn},
                "Action": ["sts:AssumeRoleWithWebIdentity"],
                "Condition": {
                    "StringEquals": {
                        f"{issuer}:sub": f"system:serviceaccount:{namespace}:{service_account}",
                        f"{issuer}:aud": IRSA_AUDIENCE,
                    }
                },
            }
        ]
    )


def artifact_access(bucket_arn: str, *, may_delete: bool) -> PolicyDocument:
    """What MLflow's S3 artifact repository calls on the bucket, multipart uploads included.

    Deleting is the server's alone (`mlflow gc`, the API's delete): a training job that is broken or
    broken into cannot remove anybody's model. Versions are never deleted: what is deleted by
    mistake comes back from the version below the delete marker.
    """
    objects = ["s3:GetObject", "s3:PutObject"]
    if may_delete:
        objects.append("s3:DeleteObject")
    return document(
        [
            {
                "Sid": "FindArtifacts",
                "Effect": "Allow",
                "Action": [
                    "s3:ListBucket",
                    "s3:GetBucketLocation",
                    "s3:ListBucketMultipartUploads",
                ],
                "Resource": [bucket_arn],
            },
            {
                "Sid": "ReadAndWriteArtifacts",
                "Effect": "Allow",
                "Action": [*objects, "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                "Resource": [f"{bucket_arn}/*"],
            },
        ]
    )


def key_use(key_arn: str, *, region: str, service: Literal["s3", "secretsmanager"]) -> Statement:
    """Use of a KMS key, through one AWS service only.

    S3 needs both actions for an encrypted bucket: writing asks for a data key, and reading, like
    the last step of a multipart upload, decrypts. Whoever reads a secret only decrypts.
    """
    actions = ["kms:Decrypt"]
    if service == "s3":
        actions.append("kms:GenerateDataKey")
    return {
        "Sid": f"UseTheKeyThrough{'S3' if service == 's3' else 'SecretsManager'}",
        "Effect": "Allow",
        "Action": actions,
        "Resource": [key_arn],
        "Condition": {"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}},
    }


def database_login(
    *, region: str, account: str, database_resource_id: str, user: str
) -> PolicyDocument:
    """Logging in to PostgreSQL with a token instead of a password, as one user of one instance.

    The instance is named by its resource id (`db-ABC…`), which survives a rename and dies with it.
    """
    arn = f"arn:aws:rds-db:{region}:{account}:dbuser:{database_resource_id}/{user}"
    return document(
        [
            {
                "Sid": "LogInToTheDatabase",
                "Effect": "Allow",
                "Action": ["rds-db:connect"],
                "Resource": [arn],
            }
        ]
    )


def secret_read(
    secret_arns: Sequence[str], *, key_arn: str | None = None, region: str = ""
) -> PolicyDocument:
    """Reading these secrets, and decrypting them where they have a key of ours."""
    statements: list[Statement] = [
        {
            "Sid": "ReadSecrets",
            "Effect": "Allow",
            "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            "Resource": sorted(secret_arns),
        }
    ]
    if key_arn:
        statements.append(key_use(key_arn, region=region, service="secretsmanager"))
    return document(statements)


def target_registration(target_group_arn: str) -> PolicyDocument:
    """What the AWS Load Balancer Controller needs to serve a TargetGroupBinding, and no more.

    Load balancer, listeners and security groups are made by this program: the controller's own,
    published policy would let it make and delete any of the account's.
    """
    return document(
        [
            {
                "Sid": "FindTargets",
                "Effect": "Allow",
                "Action": [
                    "ec2:DescribeAvailabilityZones",
                    "ec2:DescribeInstances",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcs",
                    "elasticloadbalancing:DescribeTargetGroups",
                    "elasticloadbalancing:DescribeTargetHealth",
                    "elasticloadbalancing:DescribeLoadBalancers",
                ],
                # These actions support no resource-level permission: AWS takes only "*".
                "Resource": ["*"],
            },
            {
                "Sid": "RegisterTargets",
                "Effect": "Allow",
                "Action": [
                    "elasticloadbalancing:RegisterTargets",
                    "elasticloadbalancing:DeregisterTargets",
                ],
                "Resource": [target_group_arn],
            },
        ]
    )


def alarm_topic(topic_arn: str, account: str) -> PolicyDocument:
    """CloudWatch's alarms of this account publish to the topic; nobody does without TLS."""
    return document(
        [
            {
                "Sid": "AlarmsOfThisAccountPublish",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": ["sns:Publish"],
                "Resource": [topic_arn],
                "Condition": {"StringEquals": {"aws:SourceAccount": account}},
            },
            {
                "Sid": "NothingInClear",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": ["sns:Publish"],
                "Resource": [topic_arn],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ]
    )
