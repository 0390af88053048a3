"""Stacks on AWS as the tests of its components write them."""

from __future__ import annotations

from infra.settings import PlatformSettings
from tests.infra.aws.declared import ACCOUNT, REGION
from tests.infra.stacks import stack

CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/11111111-2222-3333-4444-555555555555"

INTERNAL = {
    "ingress": "internal",
    "trackingUri": "https://mlflow.example.com",
    "certificateArn": CERTIFICATE,
}
PUBLIC = {**INTERNAL, "ingress": "public", "authentication": "basic", "serverWorkers": "1"}
OIDC = {
    "authentication": "oidc",
    "oidcIssuer": "https://login.example.com",
    "oidcAuthorizationEndpoint": "https://login.example.com/authorize",
    "oidcTokenEndpoint": "https://login.example.com/token",
    "oidcUserInfoEndpoint": "https://login.example.com/userinfo",
    "oidcClientId": "mlflow",
    "oidcClientSecret": "correct horse battery staple",
}

PRODUCTION = {
    "protection": "production",
    "natGateways": "per-zone",
    "serverReplicas": "2",
    "serverReplicasMinimum": "2",
    "serverWorkers": "1",
    "alarmEmails": '["oncall@example.com"]',
}


def aws_stack(values: dict[str, str] | None = None, /, **more: str) -> PlatformSettings:
    """A stack on AWS that sets these keys."""
    return stack({"target": "aws", "serverHost": "0.0.0.0", **(values or {}), **more})
