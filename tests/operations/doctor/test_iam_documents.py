"""What an IAM document allows is read as IAM writes it: texts or lists, wildcards, denials."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.doctor.iam_documents import allows, demands_tls, denies, parse, trusted

OBJECT = "arn:aws:s3:::bucket/run/model.pkl"
ROLE = "arn:aws:iam::123456789012:role/server"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/oidc.eks/id/A"
SUBJECT = "system:serviceaccount:mlflow:mlflow"


def document(**statement: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}


class TestAllows:
    """An action is allowed by a statement that names it and its resource, unless one denies it."""

    @pytest.mark.parametrize(
        ("statement", "expected"),
        [
            ({"Action": "s3:GetObject"}, True),
            ({"Action": ["s3:PutObject", "s3:Get*"]}, True),
            ({"Action": "s3:getobject"}, True),  # IAM's actions have no case
            ({"Action": "s3:PutObject"}, False),
            ({"NotAction": "s3:DeleteObject"}, True),
            ({"NotAction": "s3:*"}, False),
            ({"Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"}, True),
            ({"Action": "s3:*", "Resource": "arn:aws:s3:::bucket"}, False),
            ({"Action": "s3:*", "Resource": ["arn:aws:s3:::other/*"]}, False),
            ({"Action": "s3:*", "Resource": "arn:aws:s3:::[b]ucket/*"}, False),
        ],
    )
    def test_one_statement(self, statement: dict[str, Any], expected: bool) -> None:
        assert allows([document(**statement)], "s3:GetObject", OBJECT) is expected

    def test_a_denial_wins(self) -> None:
        both = [document(Action="s3:*"), document(Effect="Deny", Action="s3:GetObject")]
        assert not allows(both, "s3:GetObject", OBJECT)
        assert allows(both, "s3:PutObject", OBJECT)

    def test_a_conditional_denial_is_not_counted(self) -> None:
        without_tls = {"Bool": {"aws:SecureTransport": "false"}}
        both = [document(Action="s3:*"), document(Effect="Deny", Action="*", Condition=without_tls)]
        assert allows(both, "s3:GetObject", OBJECT)
        assert demands_tls(both[1])
        assert not demands_tls(both[0])

    def test_nothing_allows_nothing(self) -> None:
        assert not allows([], "s3:GetObject", OBJECT)
        assert not allows([{}], "s3:GetObject", OBJECT)

    @given(st.text(alphabet="s3:GetObjcPu*?[]", min_size=1, max_size=20))
    def test_any_pattern_is_read(self, pattern: str) -> None:
        assert allows([document(Action=pattern)], pattern, OBJECT) or "[" in pattern


class TestDenies:
    """A bucket's policy denies whom it names, or everybody."""

    @pytest.mark.parametrize(
        ("principal", "expected"),
        [
            ({"AWS": ROLE}, True),
            ({"AWS": ["arn:aws:iam::1:root", ROLE]}, True),
            ("*", True),
            ({"AWS": "*"}, True),
            ({"AWS": "arn:aws:iam::1:root"}, False),
            ({"Service": "logging.s3.amazonaws.com"}, False),
        ],
    )
    def test_principal(self, principal: Any, expected: bool) -> None:
        policy = document(Effect="Deny", Action="s3:*", Principal=principal)
        assert denies(policy, "s3:GetObject", OBJECT, [ROLE]) is expected


class TestTrusted:
    """A role's trust admits one service account of one cluster."""

    def trust(self, **condition: Any) -> dict[str, Any]:
        return document(
            Action="sts:AssumeRoleWithWebIdentity",
            Principal={"Federated": PROVIDER},
            Condition=condition,
        )

    def test_the_one(self) -> None:
        exact = self.trust(StringEquals={"oidc.eks/id/A:sub": SUBJECT, "oidc.eks/id/A:aud": "sts"})
        assert trusted(exact, federated=PROVIDER, subject=SUBJECT)
        assert not trusted(exact, federated=f"{PROVIDER}B", subject=SUBJECT)
        assert not trusted(exact, federated=PROVIDER, subject=f"{SUBJECT}2")

    def test_a_pattern(self) -> None:
        like = self.trust(StringLike={"oidc.eks/id/A:sub": "system:serviceaccount:mlflow:*"})
        assert trusted(like, federated=PROVIDER, subject=SUBJECT)

    def test_another_action(self) -> None:
        other = document(Action="sts:AssumeRole", Principal={"Federated": PROVIDER})
        assert not trusted(other, federated=PROVIDER, subject=SUBJECT)


class TestParse:
    """AWS gives documents as texts, quoted for URLs, or parsed."""

    def test_all_three(self) -> None:
        plain = document(Action="s3:*")
        assert parse(plain) == parse(json.dumps(plain)) == parse(quote(json.dumps(plain))) == plain

    def test_one_statement_without_a_list(self) -> None:
        single = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        assert allows([single], "s3:GetObject", OBJECT)
