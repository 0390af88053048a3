"""Who may connect to the load balancer, and what it may connect to.

Owns its security group: clients on 80 and 443, the server's pods on the server's port, and the
identity provider where people sign in. Nothing else goes in or out.
"""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.settings_model import PlatformSettings

HTTP, HTTPS = 80, 443

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
EVERYWHERE = "0.0.0.0/0"


class LoadBalancerFirewall(pulumi.ComponentResource):
    """The load balancer's security group, and the way from it to the pods."""

    security_group_id: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        *,
        vpc_id: pulumi.Input[str],
        node_security_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the security group with its rules."""
        super().__init__("mlflow-platform:aws:LoadBalancerFirewall", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{name}-group",
            name=f"{naming.base_name(settings.environment)}-load-balancer",
            description="Clients to the load balancer, the load balancer to the server",
            vpc_id=vpc_id,
            opts=child,
        )
        self.security_group_id = group.id
        for port, purpose in ((HTTPS, "https"), (HTTP, "http-redirect")):
            for network in allowed_networks(settings):
                aws.vpc.SecurityGroupIngressRule(
                    f"{name}-{purpose}-{network}",
                    security_group_id=group.id,
                    description=f"Clients ({purpose})",
                    cidr_ipv4=None if ":" in network else network,
                    cidr_ipv6=network if ":" in network else None,
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    opts=child,
                )
        server_port = settings.server.port
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-to-server",
            security_group_id=group.id,
            description="The pods of the server",
            referenced_security_group_id=node_security_group_id,
            ip_protocol="tcp",
            from_port=server_port,
            to_port=server_port,
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-into-server",
            security_group_id=node_security_group_id,
            description="The load balancer",
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=server_port,
            to_port=server_port,
            opts=child,
        )
        if settings.authentication.kind == "oidc":
            # The load balancer itself turns a code into a token, at an address that may change.
            aws.vpc.SecurityGroupEgressRule(
                f"{name}-to-identity-provider",
                security_group_id=group.id,
                description="The identity provider",
                cidr_ipv4=EVERYWHERE,
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                opts=child,
            )
        self.register_outputs({"security_group_id": self.security_group_id})


def allowed_networks(settings: PlatformSettings) -> tuple[str, ...]:
    """Who may open a connection: as set; else everybody, of the private world or of the whole."""
    if settings.cloud.ingress_allowed_cidrs:
        return settings.cloud.ingress_allowed_cidrs
    return (EVERYWHERE,) if settings.cloud.ingress == "public" else PRIVATE_NETWORKS
