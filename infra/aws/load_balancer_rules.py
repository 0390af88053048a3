"""What the load balancer does with a request, as plain values.

Owns which hosts it lets through, and which steps a request takes (sign-in, then the server).
`load_balancer` makes the resources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pulumi
import pulumi_aws as aws

from infra.server_address import tracking_uri
from infra.settings_model import PlatformSettings
from infra.settings_model_aws import OidcSettings

HOSTS_PER_RULE = 5
"""Values that AWS takes in the conditions of one rule, wildcards aside."""

SESSION_SECONDS = 12 * 3600
"""A working day: then people sign in again, and who has left the company is out."""


def public_hosts(settings: PlatformSettings) -> tuple[str, ...]:
    """Names under which clients reach the server from outside the cluster; empty: any.

    The server's own allow-list, less the names that mean nothing outside. What is let through here
    and refused by MLflow, or the other way round, would be a 403 that nobody understands.
    """
    names = [urlsplit(tracking_uri(settings)).hostname or "", *settings.server.allowed_hosts]
    if "*" in names:
        return ()
    hosts = dict.fromkeys(_without_port(name).lower() for name in names)
    return tuple(host for host in hosts if "." in host and not host.endswith((".svc", ".local")))


def in_rules(hosts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The hosts in portions that one rule takes."""
    for start in range(0, len(hosts), HOSTS_PER_RULE):
        yield hosts[start : start + HOSTS_PER_RULE]


def forwarding(
    settings: PlatformSettings, target_group_arn: pulumi.Input[str]
) -> list[aws.lb.ListenerRuleActionArgs]:
    """Sign in where authentication is `oidc`, then to a pod."""
    actions: list[aws.lb.ListenerRuleActionArgs] = []
    if settings.authentication.kind == "oidc":
        actions.append(
            aws.lb.ListenerRuleActionArgs(
                type="authenticate-oidc",
                order=1,
                authenticate_oidc=_sign_in(settings.aws.load_balancer.oidc),
            )
        )
    actions.append(
        aws.lb.ListenerRuleActionArgs(
            type="forward", order=len(actions) + 1, target_group_arn=target_group_arn
        )
    )
    return actions


def _sign_in(oidc: OidcSettings) -> aws.lb.ListenerRuleActionAuthenticateOidcArgs:
    return aws.lb.ListenerRuleActionAuthenticateOidcArgs(
        issuer=oidc.issuer,
        authorization_endpoint=oidc.authorization_endpoint,
        token_endpoint=oidc.token_endpoint,
        user_info_endpoint=oidc.user_info_endpoint,
        client_id=oidc.client_id,
        client_secret=pulumi.Output.secret(oidc.client_secret),
        scope="openid email",
        on_unauthenticated_request="authenticate",
        session_timeout=SESSION_SECONDS,
    )


def _without_port(name: str) -> str:
    return urlsplit(f"//{name}").hostname or name
