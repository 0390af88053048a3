"""Who may talk to whom in namespace `mlflow`.

Owns three policies: nothing at all by default; into the server from named namespaces, load
balancers and Prometheus; out of our pods to DNS, the database, the server itself and HTTPS (object
store, secret store, token service). The kubelet's probes pass in any case. A cluster whose network
plug-in knows no policies accepts them and lets everything through: docs/kubernetes.md says how to
look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.meta.v1 import (
    LabelSelectorArgs,
    LabelSelectorRequirementArgs,
    ObjectMetaArgs,
)
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)

from infra.kubernetes.labels import MIGRATION, NAMESPACE, RETENTION, SERVER, labels, selector
from infra.kubernetes.wiring import KubernetesWiring

if TYPE_CHECKING:
    from infra.settings import PlatformSettings

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""A label that Kubernetes itself puts on every namespace."""

EVERYWHERE = "0.0.0.0/0"
INSTANCE_METADATA = "169.254.169.254/32"
"""Where a node tells who it is; a pod that asked could act with the node's rights."""

POD_IDENTITY_AGENT = "169.254.170.23/32"
"""Where EKS Pod Identity hands a pod its own credentials, on port 80."""


def network_policies(
    name: str,
    settings: PlatformSettings,
    wiring: KubernetesWiring,
    *,
    opts: pulumi.ResourceOptions,
) -> list[NetworkPolicy]:
    """Declare the three policies."""

    def policy(suffix: str, spec: NetworkPolicySpecArgs) -> NetworkPolicy:
        return NetworkPolicy(
            f"{name}-network-policy-{suffix}",
            metadata=ObjectMetaArgs(
                name=f"{SERVER}-{suffix}",
                namespace=NAMESPACE,
                labels=labels(settings.environment),
            ),
            spec=spec,
            opts=opts,
        )

    return [
        policy(
            "default-deny",
            NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(), policy_types=["Ingress", "Egress"]
            ),
        ),
        policy(
            "ingress",
            NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(match_labels=selector()),
                policy_types=["Ingress"],
                ingress=[
                    NetworkPolicyIngressRuleArgs(
                        from_=[
                            *_namespaces(client_namespaces(settings, wiring)),
                            *_networks(wiring.load_balancer_cidrs),
                        ],
                        ports=[_port(settings.server.port)],
                    )
                ],
            ),
        ),
        policy("egress", _egress(settings, wiring)),
    ]


def client_namespaces(settings: PlatformSettings, wiring: KubernetesWiring) -> list[str]:
    """Namespaces whose pods may call the server, each once."""
    kubernetes = settings.kubernetes
    names = [NAMESPACE, *wiring.client_namespaces, *kubernetes.client_namespaces]
    if kubernetes.ingress.class_name:
        names.append(kubernetes.ingress.namespace)
    if kubernetes.prometheus_operator:
        names.append(kubernetes.prometheus_namespace)
    return list(dict.fromkeys(names))


def _egress(settings: PlatformSettings, wiring: KubernetesWiring) -> NetworkPolicySpecArgs:
    rules = [
        NetworkPolicyEgressRuleArgs(
            to=[
                NetworkPolicyPeerArgs(
                    namespace_selector=LabelSelectorArgs(
                        match_labels={NAMESPACE_NAME: "kube-system"}
                    ),
                    pod_selector=LabelSelectorArgs(match_labels={"k8s-app": "kube-dns"}),
                )
            ],
            ports=[_port(53, "UDP"), _port(53)],
        ),
        NetworkPolicyEgressRuleArgs(
            to=[
                NetworkPolicyPeerArgs(
                    ip_block=IPBlockArgs(cidr=EVERYWHERE, except_=[INSTANCE_METADATA])
                )
            ],
            ports=[_port(443)],
        ),
        NetworkPolicyEgressRuleArgs(to=_networks([POD_IDENTITY_AGENT]), ports=[_port(80)]),
        NetworkPolicyEgressRuleArgs(
            to=[NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs(match_labels=selector()))],
            ports=[_port(settings.server.port)],
        ),
    ]
    if settings.database.engine == "postgresql":
        rules.append(
            NetworkPolicyEgressRuleArgs(
                to=_networks(wiring.database_cidrs or [EVERYWHERE]),
                ports=[_port(settings.database.port)],
            )
        )
    ours = LabelSelectorRequirementArgs(
        key="app", operator="In", values=[SERVER, MIGRATION, RETENTION]
    )
    return NetworkPolicySpecArgs(
        pod_selector=LabelSelectorArgs(match_expressions=[ours]),
        policy_types=["Egress"],
        egress=rules,
    )


def _namespaces(names: Iterable[str]) -> list[NetworkPolicyPeerArgs]:
    return [
        NetworkPolicyPeerArgs(
            namespace_selector=LabelSelectorArgs(match_labels={NAMESPACE_NAME: name})
        )
        for name in names
    ]


def _networks(cidrs: Sequence[pulumi.Input[str]]) -> list[NetworkPolicyPeerArgs]:
    return [NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=cidr)) for cidr in cidrs]


def _port(port: int, protocol: str = "TCP") -> NetworkPolicyPortArgs:
    return NetworkPolicyPortArgs(port=port, protocol=protocol)
