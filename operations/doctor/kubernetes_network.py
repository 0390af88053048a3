"""Service, DNS, NetworkPolicy, identity and password: how pods are reached and what they are given.

Owns what stands between a pod that runs and a client or a cloud. A NetworkPolicy is read, not
tried: whether a cluster enforces it is the cluster's affair (docs/kubernetes.md).
"""

from __future__ import annotations

import base64
from typing import Any

from operations.doctor.check import Answer, Check, NotRun, counted, failed, passed
from operations.doctor.kubernetes_access import asking
from operations.doctor.kubernetes_api import in_namespace
from operations.doctor.patient import Patient

ROLE = "eks.amazonaws.com/role-arn"
NAMESPACE_NAME = "kubernetes.io/metadata.name"
SERVER = {"app": "mlflow"}
CREDENTIALS = "mlflow-db-credentials"
DEPLOY = "Deploy the stack again (`make up`), which puts it back."


def service(patient: Patient) -> Answer:
    """Does the Service lead to ready pods?"""
    with asking(patient) as cluster:
        found = cluster.find(in_namespace(patient, "api/v1", "services", "mlflow"))
        slices = cluster.items(
            in_namespace(patient, "apis/discovery.k8s.io/v1", "endpointslices"),
            labelSelector="kubernetes.io/service-name=mlflow",
        )
    if found is None:
        return failed(
            "there is no Service mlflow",
            cause="it was deleted: its name leads nowhere",
            next_step=DEPLOY,
        )
    selector = found["spec"].get("selector") or {}
    port = patient.settings.server.port
    ports = [item["port"] for item in found["spec"]["ports"]]
    endpoints = [item for part in slices for item in part.get("endpoints") or []]
    ready = [item for item in endpoints if item.get("conditions", {}).get("ready")]
    if selector != SERVER:
        return failed(
            f"Service mlflow selects {selector}",
            cause="its selector was changed: it leads to other pods than the server's",
            next_step=DEPLOY,
        )
    if port not in ports:
        return failed(
            f"Service mlflow has port {ports}, the server {port}",
            cause="the Service's port was changed",
            next_step=DEPLOY,
        )
    if not ready:
        return failed(
            f"Service mlflow leads to no ready pod ({len(endpoints)} that are not)",
            cause="no server is ready: callers get connection refused or 503",
            next_step="See kubernetes.pods and kubernetes.rollout.",
        )
    return passed(f"Service mlflow leads to {counted(len(ready), 'ready pod')} on port {port}")


def dns(patient: Patient) -> Answer:
    """Does the cluster's DNS run?"""
    with asking(patient) as cluster:
        found = cluster.items(
            "/api/v1/namespaces/kube-system/pods", labelSelector="k8s-app=kube-dns"
        )
    if not found:
        raise NotRun("no pod in kube-system has the label k8s-app=kube-dns")
    ready = [
        pod
        for pod in found
        for item in pod.get("status", {}).get("conditions", [])
        if item["type"] == "Ready" and item["status"] == "True"
    ]
    if not ready:
        return failed(
            f"{counted(len(found), 'pod')} of the cluster's DNS, none ready",
            cause="no name resolves in the cluster: database, S3 and the Service are not found",
            next_step="kubectl describe pods -n kube-system -l k8s-app=kube-dns",
        )
    return passed(f"{len(ready)} of {len(found)} pods of the cluster's DNS are ready")


def network_policy(patient: Patient) -> Answer:
    """Do the policies let in who may, and out what must?"""
    settings = patient.settings
    with asking(patient) as cluster:
        found = cluster.items(in_namespace(patient, "apis/networking.k8s.io/v1", "networkpolicies"))
    patient.exhibits.add("kubernetes/network_policies.json", [item["spec"] for item in found])
    inward = [item["spec"] for item in found if _is_for(item["spec"], "Ingress")]
    outward = [item["spec"] for item in found if _is_for(item["spec"], "Egress")]
    wrong: list[str] = []
    if inward:
        rules = [rule for spec in inward for rule in spec.get("ingress") or []]
        open_to = {
            name
            for rule in rules
            if _has_port(rule, settings.server.port)
            for name in _namespaces(rule)
        }
        space = patient.outputs.kubernetes_namespace or "mlflow"
        wanted = [space, *settings.kubernetes.client_namespaces]
        shut = [name for name in wanted if name not in open_to and "*" not in open_to]
        wrong += [f"nobody in namespace {name} is let in" for name in shut]
    if outward:
        rules = [rule for spec in outward for rule in spec.get("egress") or []]
        needed = {"DNS": 53, "the object store": 443}
        if settings.database.engine == "postgresql":
            needed["the database"] = settings.database.port
        wrong += [
            f"nothing is let out to {what} (port {port})"
            for what, port in needed.items()
            if not any(_has_port(rule, port) for rule in rules)
        ]
    if wrong:
        return failed(
            "; ".join(wrong),
            cause="a NetworkPolicy was changed or deleted while others still deny: calls time out",
            next_step=f"{DEPLOY} A namespace that is to be let in stands in clientNamespaces.",
        )
    if not inward:
        return failed(
            "no NetworkPolicy is about the server's pods",
            cause="the policies were deleted: every pod of the cluster reaches the server",
            next_step=DEPLOY,
        )
    names = ", ".join(sorted(item["metadata"]["name"] for item in found))
    return passed(f"{names}: clients are let in, database, DNS and object store let out")


def _is_for(spec: dict[str, Any], direction: str) -> bool:
    """Whether a policy restricts the server's pods in that direction."""
    selector = spec.get("podSelector") or {}
    labels = selector.get("matchLabels") or {}
    if any(SERVER.get(key) != value for key, value in labels.items()):
        return False
    for item in selector.get("matchExpressions") or []:
        own, values = SERVER.get(item["key"]), item.get("values") or []
        inside = {"In": own in values, "NotIn": own not in values}.get(item["operator"])
        exists = {"Exists": own is not None, "DoesNotExist": own is None}.get(item["operator"])
        if not (inside if inside is not None else exists):
            return False
    return direction in (spec.get("policyTypes") or ["Ingress"])


def _has_port(rule: dict[str, Any], port: int) -> bool:
    ports = rule.get("ports")
    if not ports:
        return True
    return any(
        item.get("port") in (port, None) or item.get("port", 0) <= port <= item.get("endPort", 0)
        for item in ports
        if not isinstance(item.get("port"), str)
    )


def _namespaces(rule: dict[str, Any]) -> list[str]:
    """Names of namespaces that a rule lets in; `*` where it lets in any."""
    if not rule.get("from"):
        return ["*"]
    names: list[str] = []
    for peer in rule["from"]:
        selector = peer.get("namespaceSelector")
        if selector is None:
            continue
        labels = selector.get("matchLabels") or {}
        if not labels and not selector.get("matchExpressions"):
            names.append("*")
        elif NAMESPACE_NAME in labels:
            names.append(labels[NAMESPACE_NAME])
    return names


def identity(patient: Patient) -> Answer:
    """Has the service account the role?"""
    wanted = patient.outputs.server_role_arn
    with asking(patient) as cluster:
        found = cluster.find(in_namespace(patient, "api/v1", "serviceaccounts", "mlflow"))
    if found is None:
        return failed(
            "there is no ServiceAccount mlflow",
            cause="it was deleted: new pods cannot start, running ones lose AWS within the hour",
            next_step=DEPLOY,
        )
    role = (found["metadata"].get("annotations") or {}).get(ROLE)
    if wanted and role != wanted:
        return failed(
            f"ServiceAccount mlflow names the role {role or '(none)'}, the stack's is {wanted}",
            cause="the annotation was removed or changed: pods get no rights on the bucket",
            next_step=f"{DEPLOY} Then `kubectl rollout restart -n mlflow deployment/mlflow`: a pod "
            "gets its role when it starts.",
        )
    return passed(f"ServiceAccount mlflow names {role}")


def secret(patient: Patient) -> Answer:
    """Is the password that pods read the stack's?"""
    with asking(patient) as cluster:
        found = cluster.find(in_namespace(patient, "api/v1", "secrets", CREDENTIALS))
    if found is None:
        if patient.settings.cloud.database.authentication == "iam":
            raise NotRun("the server logs in with its identity, no password")
        return failed(
            f"there is no Secret {CREDENTIALS}",
            cause="it was deleted, or the External Secrets operator does not make it: new pods "
            "cannot start",
            next_step=f"{DEPLOY} With the operator: kubectl describe externalsecret -n mlflow",
        )
    data: dict[str, str] = found.get("data") or {}
    if "password" not in data:
        return failed(
            f"Secret {CREDENTIALS} has {sorted(data)} and no password",
            cause="the Secret was changed by hand",
            next_step=DEPLOY,
        )
    password = base64.b64decode(data["password"]).decode("utf-8", "replace")
    patient.place.masker.remember(password, data["password"])
    wanted = patient.outputs.database_password or _in_secrets_manager(patient)
    if wanted is None:
        raise NotRun("what the password should be is not known here")
    if password != wanted:
        return failed(
            f"Secret {CREDENTIALS} holds another password than the stack's",
            cause="the password was changed or rotated, and the cluster's copy was not: pods that "
            "start now are refused by the database",
            next_step=f"{DEPLOY} With the External Secrets operator: wait for its hour, or delete "
            "the Secret; then `kubectl rollout restart -n mlflow deployment/mlflow`.",
        )
    return passed(f"Secret {CREDENTIALS} holds the stack's password")


def _in_secrets_manager(patient: Patient) -> str | None:
    arn = patient.outputs.database_secret_arn
    if patient.outputs.target != "aws" or not arn:
        return None
    from operations.doctor.aws_way import read_secret

    found = read_secret(patient, arn)
    return found if isinstance(found, str) else None


CHECKS = (
    Check(
        name="kubernetes.service",
        question="Does the Service lead to ready pods?",
        ask=service,
        explained_by=("kubernetes.api", "kubernetes.pods", "kubernetes.rollout"),
    ),
    Check(name="kubernetes.dns", question="Does the cluster's DNS run?", ask=dns),
    Check(
        name="kubernetes.network_policy",
        question="Do the NetworkPolicies let clients in, and out what the server needs?",
        ask=network_policy,
        explained_by=("kubernetes.api",),
    ),
    Check(
        name="kubernetes.identity",
        question="Has the server's service account its role?",
        ask=identity,
        explained_by=("kubernetes.api",),
    ),
    Check(
        name="kubernetes.secret",
        question="Is the password that pods read the stack's?",
        ask=secret,
        explained_by=("kubernetes.api", "aws.secret"),
    ),
)
