"""Roles, policies, keys and secrets behave, and refuse, as in IAM, KMS and Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.aws import account
from tests.simulated_cloud.desk import Desk, Refused

ROLE = "aws:iam/role:Role"
INLINE = "aws:iam/rolePolicy:RolePolicy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
POLICY = "aws:iam/policy:Policy"
OIDC = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"
KEY = "aws:kms/key:Key"
ALIAS = "aws:kms/alias:Alias"
SECRET = "aws:secretsmanager/secret:Secret"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"
TRUST = account.trust("ec2.amazonaws.com")


def document(**statement: Any) -> str:
    given = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"], **statement}
    return json.dumps({"Version": "2012-10-17", "Statement": [given]})


class TestRoles:
    """A role has a trust policy; what is attached to it keeps it."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk) -> None:
        role = aws.create(ROLE, name="server", assumeRolePolicy=TRUST, tags={"a": "b"})
        assert role["arn"] == "arn:aws:iam::123456789012:role/server"
        inline = aws.create(INLINE, name="mlflow-s3", role=role.id, policy=document())
        managed = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
        attachment = aws.create(ATTACHMENT, role=role.id, policyArn=managed)
        iam = cloud.client("iam")
        iam.put_role_policy(
            RoleName="server", PolicyName="mlflow-s3", PolicyDocument=document(Action=["s3:*"])
        )
        assert json.loads(inline.drift()["policy"])["Statement"][0]["Action"] == ["s3:*"]
        inline.repair(name="mlflow-s3", role=role.id, policy=document())
        iam.update_assume_role_policy(
            RoleName="server", PolicyDocument=account.trust("lambda.amazonaws.com")
        )
        assert set(role.drift()) == {"assumeRolePolicy"}
        role.repair(name="server", assumeRolePolicy=TRUST, tags={"a": "b"})
        with pytest.raises(Refused, match="DeleteConflict: Cannot delete entity, must detach all"):
            role.delete()
        attachment.delete()
        inline.delete()
        role.update(name="server", assumeRolePolicy=TRUST, maxSessionDuration=7200)
        role.delete()

    def test_two_of_one_name(self, aws: Desk) -> None:
        aws.create(ROLE, name="twice", assumeRolePolicy=TRUST)
        with pytest.raises(Refused, match="EntityAlreadyExists"):
            aws.create(ROLE, name="twice", assumeRolePolicy=TRUST)

    def test_a_policy_that_is_not_there(self, aws: Desk) -> None:
        role = account.role(aws, "ec2.amazonaws.com")
        with pytest.raises(Refused, match="does not exist or is not attachable"):
            aws.create(
                ATTACHMENT, role=role.id, policyArn="arn:aws:iam::aws:policy/AmazonEverything"
            )
        with pytest.raises(Refused, match=r'"policyArn" \(AmazonEverything\) is an invalid ARN'):
            aws.create(ATTACHMENT, role=role.id, policyArn="AmazonEverything")
        with pytest.raises(Refused, match="NoSuchEntity"):
            aws.create(INLINE, name="p", role="nobody", policy=document())

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"name": "with space"}, r"must match \[\\w\+=,\.@-\]"),
            ({"name": "n" * 65}, r"in the range \(1 - 64\)"),
            ({"maxSessionDuration": 60}, r"range \(3600 - 43200\), got 60"),
            ({"description": "d" * 1001}, "length of description"),
            ({"assumeRolePolicy": "{"}, "contains an invalid JSON policy"),
            ({"assumeRolePolicy": document()}, "Missing required field Principal"),
            (
                {"assumeRolePolicy": document(Principal="*")},
                "Has prohibited field Resource",
            ),
            ({"inlinePolicies": []}, "is not part of the simulated cloud"),
        ],
    )
    def test_refusals(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(ROLE, **{"name": "wrong", "assumeRolePolicy": TRUST, **inputs})

    @pytest.mark.parametrize(
        ("policy", "words"),
        [
            (document(Effect="Maybe"), "Effect must be Allow or Deny"),
            (document(Action=[]), "must contain actions"),
            (document(Resource=[]), "must contain resources"),
            (document(Sid="no-hyphens"), "must be alpha-numeric"),
            (document(Action=["s3:" + "x" * 11000]), "Maximum policy size of 10240"),
        ],
    )
    def test_documents(self, aws: Desk, policy: str, words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(INLINE, name="p", role="r", policy=policy)

    def test_policies_of_their_own(self, aws: Desk) -> None:
        role = account.role(aws, "ec2.amazonaws.com")
        policy = aws.create(POLICY, name="own", policy=document())
        attachment = aws.create(ATTACHMENT, role=role.id, policyArn=policy["arn"])
        policy.refresh().update(name="own", policy=document(Action=["s3:PutObject"]))
        with pytest.raises(Refused, match="Cannot delete a policy attached to entities"):
            policy.delete()
        attachment.delete()
        policy.delete()

    def test_token_issuers(self, aws: Desk) -> None:
        inputs = {"url": "https://oidc.example/id/A", "clientIdLists": ["sts.amazonaws.com"]}
        provider = aws.create(OIDC, **inputs)
        assert provider["arn"].endswith(":oidc-provider/oidc.example/id/A")
        with pytest.raises(Refused, match="EntityAlreadyExists"):
            aws.create(OIDC, **inputs)
        with pytest.raises(Refused, match="Invalid Open ID Connect Provider URL"):
            aws.create(OIDC, **{**inputs, "url": "http://oidc.example"})
        provider.delete()


class TestKeys:
    """A key waits before it goes; its policy leaves somebody who may change it."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk) -> None:
        inputs = {"description": "Artifacts.", "enableKeyRotation": True, "tags": {"a": "b"}}
        key = aws.create(KEY, **inputs, deletionWindowInDays=7)
        alias = aws.create(ALIAS, name="alias/mlflow", targetKeyId=key["keyId"])
        assert alias["targetKeyArn"] == key["arn"]
        kms = cloud.client("kms")
        kms.disable_key_rotation(KeyId=key.id)
        assert key.drift() == {"enableKeyRotation": False}
        key.repair(**inputs, deletionWindowInDays=7)
        alias.delete()
        key.delete()
        assert kms.describe_key(KeyId=key.id)["KeyMetadata"]["KeyState"] == "PendingDeletion"

    def test_an_alias_is_one_keys(self, aws: Desk) -> None:
        one, other = account.key(aws), account.key(aws)
        alias = aws.create(ALIAS, name="alias/one", targetKeyId=one["keyId"])
        with pytest.raises(Refused, match="AlreadyExistsException: An alias with the name"):
            aws.create(ALIAS, name="alias/one", targetKeyId=other["keyId"])
        alias.update(name="alias/one", targetKeyId=other["keyId"])
        other.delete()
        with pytest.raises(Refused, match="is pending deletion"):
            aws.create(ALIAS, name="alias/other", targetKeyId=other["keyId"])

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"deletionWindowInDays": 6}, r"range \(7 - 30\), got 6"),
            ({"deletionWindowInDays": 31}, r"range \(7 - 30\), got 31"),
            ({"policy": "{"}, "invalid JSON policy"),
            (
                {"policy": document(Principal="*", Action=["kms:Decrypt"])},
                "will not allow you to update the key policy in the future",
            ),
        ],
    )
    def test_refusals(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(KEY, **inputs)

    @pytest.mark.parametrize(
        ("name", "words"),
        [("mlflow", 'must begin with "alias/"'), ("alias/aws/s3", "reserved AWS CMK prefix")],
    )
    def test_alias_names(self, aws: Desk, name: str, words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(ALIAS, name=name, targetKeyId="k")


class TestSecrets:
    """A secret keeps its name until its window is over; its text is nowhere in clear."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk) -> None:
        inputs = {"name": "mlflow/database", "kmsKeyId": account.key(aws)["arn"]}
        secret = aws.create(SECRET, **inputs, recoveryWindowInDays=7)
        version = aws.create(VERSION, secretId=secret["arn"], secretString="hunter2-hunter2")
        assert version["secretString"] == "hunter2-hunter2"
        assert "hunter2" not in repr(version.state.outputs)
        assert version.replaced_by(secretId=secret["arn"], secretString="x") == {"secretString"}
        client = cloud.client("secretsmanager")
        client.put_secret_value(SecretId=secret["arn"], SecretString="somebody's")
        assert version.drift() == {"": "gone"}
        secret.update(**inputs, description="d", recoveryWindowInDays=7)
        secret.delete()
        with pytest.raises(Refused, match="already scheduled for deletion"):
            aws.create(SECRET, **inputs)

    def test_at_once(self, aws: Desk) -> None:
        for _ in range(2):
            aws.create(SECRET, name="mlflow/again", recoveryWindowInDays=0).delete()

    def test_two_of_one_name(self, aws: Desk) -> None:
        aws.create(SECRET, name="mlflow/twice")
        with pytest.raises(Refused, match="ResourceExistsException"):
            aws.create(SECRET, name="mlflow/twice")

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"recoveryWindowInDays": 3}, r"0 or in the range \(7 - 30\), got 3"),
            ({"name": "with space"}, "must contain alphanumeric characters"),
            ({"kmsKeyId": "none"}, "NotFoundException"),
        ],
    )
    def test_refusals(self, aws: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(SECRET, **{"name": "mlflow/wrong", **inputs})

    def test_versions_refused(self, aws: Desk) -> None:
        with pytest.raises(Refused, match="one of secret_binary,secret_string"):
            aws.create(VERSION, secretId="x")
        with pytest.raises(Refused, match="longer than 65536 bytes"):
            aws.create(VERSION, secretId="x", secretString="y" * 65537)
