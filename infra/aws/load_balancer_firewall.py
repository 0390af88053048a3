"""Who may connect to the load balancer, and what it may connect to.

Owns its security group: clients on 80 and 443, the server's pods on the server's port, and the
identity provider where people sign in. Nothing else goes in or out.
"""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.security_group import closed_group, from_networks, to_group, to_network
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
        networks, server_port = allowed_networks(settings), settings.server.port
        egress = [to_group(node_security_group_id, server_port, "The pods of the server")]
        if settings.authentication.kind == "oidc":
            # The load balancer itself turns a code into a token, at an address that may change.
            egress.append(to_network(EVERYWHERE, HTTPS, "The identity provider"))
        group = closed_group(
            f"{name}-group",
            f"{naming.base_name(settings.environment)}-load-balancer",
            "Clients to the load balancer, the load balancer to the server",
            vpc_id=vpc_id,
            ingress=[
                from_networks(networks, HTTPS, "Clients (https)"),
                from_networks(networks, HTTP, "Clients (http-redirect)"),
            ],
            egress=egress,
            opts=child,
        )
        self.security_group_id = group.id
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
        self.register_outputs({"security_group_id": self.security_group_id})


def allowed_networks(settings: PlatformSettings) -> tuple[str, ...]:
    """Who may open a connection: as set; else everybody, of the private world or of the whole."""
    if settings.cloud.ingress_allowed_cidrs:
        return settings.cloud.ingress_allowed_cidrs
    return (EVERYWHERE,) if settings.cloud.ingress == "public" else PRIVATE_NETWORKS
