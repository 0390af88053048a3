"""Rollout, migration, autoscaler and nodes: does Kubernetes get done what it was given to do?

Owns what its controllers say of their own work: why a rollout stands still, why the migration
failed, what the autoscaler and the nodes complain of.
"""

from __future__ import annotations

from operations.doctor.check import Answer, Check, NotRun, counted, failed, passed
from operations.doctor.kubernetes_access import asking
from operations.doctor.kubernetes_api import in_namespace
from operations.doctor.patient import Patient


def rollout(patient: Patient) -> Answer:
    """Is the rollout done, with as many servers as wanted?"""
    with asking(patient) as cluster:
        found = cluster.find(in_namespace(patient, "apis/apps/v1", "deployments", "mlflow"))
    if found is None:
        return failed(
            "there is no Deployment mlflow",
            cause="it was deleted",
            next_step="Deploy the stack again (`make up`).",
        )
    patient.exhibits.add("kubernetes/deployment_status.json", found.get("status", {}))
    status, wanted = found.get("status", {}), int(found["spec"].get("replicas", 1))
    ready, updated = int(status.get("readyReplicas", 0)), int(status.get("updatedReplicas", 0))
    seen = f"{ready} of {wanted} servers ready, {updated} of the newest version"
    if wanted == 0:
        return failed(
            "the Deployment is scaled to no server",
            cause="somebody scaled it down by hand; the autoscaler leaves 0 alone",
            next_step="kubectl scale deployment/mlflow -n mlflow --replicas="
            f"{patient.settings.kubernetes.replicas_minimum}",
        )
    for condition in status.get("conditions", []):
        if condition["status"] == "False" and condition["type"] in ("Progressing", "Available"):
            return failed(
                f"{seen}; {condition['reason']}: {patient.foreign(str(condition['message']))}",
                cause="the rollout stands still: new pods do not become ready",
                next_step="See kubernetes.pods; `kubectl rollout undo -n mlflow deployment/mlflow` "
                "brings the previous version back.",
            )
    if found["spec"].get("paused"):
        return failed(
            f"{seen}; the rollout is paused",
            cause="somebody paused it: changes do not reach the pods",
            next_step="kubectl rollout resume -n mlflow deployment/mlflow",
        )
    behind = int(status.get("observedGeneration", 0)) < int(found["metadata"]["generation"])
    if ready < wanted or updated < wanted or behind:
        return failed(
            seen,
            cause="a rollout is under way, or a pod is not ready",
            next_step="kubectl rollout status -n mlflow deployment/mlflow; see kubernetes.pods.",
        )
    return passed(seen)


def migration(patient: Patient) -> Answer:
    """Did the last migration succeed?"""
    with asking(patient) as cluster:
        found = cluster.items(
            in_namespace(patient, "apis/batch/v1", "jobs"), labelSelector="app=mlflow-migration"
        )
    if not found:
        raise NotRun("there is no Job of a migration (finished ones may have been removed)")
    last = max(found, key=lambda job: str(job["metadata"]["creationTimestamp"]))
    name, status = last["metadata"]["name"], last.get("status", {})
    if status.get("succeeded"):
        return passed(f"Job {name} succeeded")
    conditions = [item for item in status.get("conditions", []) if item["type"] == "Failed"]
    if conditions or status.get("failed"):
        said = conditions[0].get("message") if conditions else f"{status['failed']} pods failed"
        return failed(
            f"Job {name}: {patient.foreign(str(said))}",
            cause="the schema was not brought to where the new server wants it; the servers of "
            "before go on",
            next_step=f"kubectl logs -n mlflow job/{name} --all-containers; mend what it says, "
            "delete the Job, deploy again.",
        )
    return passed(f"Job {name} is under way")


def autoscaler(patient: Patient) -> Answer:
    """Can the autoscaler do its work?"""
    with asking(patient) as cluster:
        path = in_namespace(patient, "apis/autoscaling/v2", "horizontalpodautoscalers", "mlflow")
        found = cluster.find(path)
    if found is None:
        raise NotRun("there is no HorizontalPodAutoscaler mlflow")
    spec, status = found["spec"], found.get("status", {})
    seen = (
        f"{status.get('currentReplicas', 0)} servers, between {spec.get('minReplicas')} and "
        f"{spec['maxReplicas']}"
    )
    conditions = {item["type"]: item for item in status.get("conditions", [])}
    active = conditions.get("ScalingActive", {})
    if active.get("status") == "False" and active.get("reason") != "ScalingDisabled":
        return failed(
            f"{seen}; {active.get('reason')}: {patient.foreign(str(active.get('message')))}",
            cause="the autoscaler gets no measurements: the metrics server is missing or down",
            next_step="kubectl get apiservice v1beta1.metrics.k8s.io; kubectl top pods -n mlflow",
        )
    limited = conditions.get("ScalingLimited", {})
    if limited.get("status") == "True" and limited.get("reason") == "TooManyReplicas":
        return failed(
            f"{seen}: it would start more",
            cause="as many servers run as serverReplicas allows, and that is not enough",
            next_step="Look at database.slow first; then raise serverReplicas together with "
            "databaseMaxConnections.",
        )
    return passed(seen)


def nodes(patient: Patient) -> Answer:
    """Are the nodes ready and free of pressure?"""
    with asking(patient) as cluster:
        found = cluster.items("/api/v1/nodes")
    wrong = [
        f"{node['metadata']['name']}: {item['type']} is {item['status']} ({item.get('reason')})"
        for node in found
        for item in node.get("status", {}).get("conditions", [])
        if (item["type"] == "Ready") != (item["status"] == "True")
    ]
    if wrong or not found:
        return failed(
            "; ".join(wrong) or "the cluster has no node",
            cause="a node failed or is under pressure",
            next_step="kubectl describe node; node repair replaces it within half an hour "
            "(docs/runbooks/mlflow-connection.md#clusternodefailed).",
        )
    return passed(f"{counted(len(found), 'node')} ready")


CHECKS = (
    Check(name="kubernetes.nodes", question="Are the nodes ready?", ask=nodes),
    Check(
        name="kubernetes.migration",
        question="Did the last migration of the schema succeed?",
        ask=migration,
        explained_by=("kubernetes.api", "aws.database", "kubernetes.secret"),
    ),
    Check(
        name="kubernetes.rollout",
        question="Is the rollout done, with as many servers as wanted?",
        ask=rollout,
        explained_by=("kubernetes.api", "kubernetes.pods", "kubernetes.nodes"),
    ),
    Check(name="kubernetes.autoscaler", question="Can the autoscaler do its work?", ask=autoscaler),
)
