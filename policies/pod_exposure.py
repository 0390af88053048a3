"""Nothing in a cluster answers outside it by itself, or stands on its node with rights to gain."""

from __future__ import annotations

from policies.pod_templates import containers, pod_path
from policies.resource_graph import UNKNOWN, Resource, ResourceGraph
from policies.resource_types import KUBERNETES_WORKLOADS
from policies.rule import Broken, Rule, shown


def _services(graph: ResourceGraph) -> Broken:
    for service in graph.of("kubernetes:core/v1:Service"):
        kind = service.get("spec.type")
        if kind in ("LoadBalancer", "NodePort"):
            yield (
                service,
                (
                    f"`spec.type` is {shown(kind)}: it answers outside the cluster, past TLS and "
                    "sign-in; set 'ClusterIP' and let the ingress lead to it"
                ),
            )


def _pods(graph: ResourceGraph) -> Broken:
    for workload in graph.of(*KUBERNETES_WORKLOADS):
        for setting in ("hostNetwork", "hostPID", "hostIPC"):
            if workload.get(f"{pod_path(workload)}.{setting}") is True:
                yield (
                    workload,
                    (
                        f"`{pod_path(workload)}.{setting}` is true: the pod stands on the node "
                        "itself; leave it out"
                    ),
                )
        for path, container in containers(workload):
            one = Resource(type="", urn="", properties=container)
            if one.get("securityContext.privileged") is True:
                yield workload, f"`{path}.securityContext.privileged` is true: leave it out"
            if not one.may_be("securityContext.allowPrivilegeEscalation", False):
                yield (
                    workload,
                    (
                        f"`{path}.securityContext.allowPrivilegeEscalation` is "
                        f"{shown(one.get('securityContext.allowPrivilegeEscalation'))}: a process "
                        "may gain rights that its pod lacks; set false"
                    ),
                )


def _network_policies(graph: ResourceGraph) -> Broken:
    guarded = {
        policy.get("metadata.namespace")
        for policy in graph.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
        if "Ingress" in policy.each("spec.policyTypes")
    }
    for deployment in graph.of("kubernetes:apps/v1:Deployment"):
        namespace = deployment.get("metadata.namespace")
        if namespace is not UNKNOWN and namespace not in guarded:
            yield (
                deployment,
                (
                    f"namespace {shown(namespace)} has no NetworkPolicy for what comes in: every "
                    "pod of the cluster may call it; declare one"
                ),
            )


RULES = (
    Rule(
        name="kubernetes-service-inside",
        subject="public exposure",
        says="No Kubernetes Service answers outside the cluster by itself.",
        broken=_services,
    ),
    Rule(
        name="kubernetes-pod-confined",
        subject="public exposure",
        says="No pod shares the node's network or processes, or may gain rights.",
        broken=_pods,
    ),
    Rule(
        name="kubernetes-network-policy",
        subject="public exposure",
        says="A namespace with a server has a NetworkPolicy for what comes in.",
        broken=_network_policies,
    ),
)
