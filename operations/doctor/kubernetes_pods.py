"""Pods and rollout, Jobs and nodes: does what should run, run?

Owns what Kubernetes says of its own work: why a pod waits, why a rollout stands still, why the
migration failed, what the autoscaler and the nodes complain of. Its events are quoted, because they
say in words what a state only names.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.kubernetes_api import Cluster, Refused, cluster_of, in_namespace
from operations.doctor.patient import Patient

RESTARTS = 3

WAITING: dict[str, tuple[str, str]] = {
    "CrashLoopBackOff": (
        "the server ends soon after each start",
        "kubectl logs -n mlflow -l app=mlflow --previous --tail=200 says why.",
    ),
    "ImagePullBackOff": (
        "the image cannot be pulled: no such tag, or the registry is out of reach",
        "Check serverImage and the registry; push the image again.",
    ),
    "ErrImagePull": (
        "the image cannot be pulled: no such tag, or the registry is out of reach",
        "Check serverImage and the registry; push the image again.",
    ),
    "CreateContainerConfigError": (
        "a Secret or ConfigMap that the pod reads is missing",
        "See kubernetes.secret; deploy the stack again (`make up`).",
    ),
    "OOMKilled": (
        "the server took more memory than its limit",
        "Raise serverMemoryMib, or lower serverWorkers; then deploy.",
    ),
    "Unschedulable": (
        "no node has room for the pod, or none may take it",
        "kubectl describe pod -n mlflow -l app=mlflow; raise nodeMaximum, or lower what it asks.",
    ),
    "NotReady": (
        "the server runs and its readiness probe, a real query, fails",
        "Look at the database's findings, then at the server's log.",
    ),
}


@contextmanager
def asking(patient: Patient) -> Generator[Cluster]:
    """The cluster; what keeps it from answering is `kubernetes.api`'s to say.

    Raises:
        NotRun: it does not answer or does not let us.
    """
    try:
        yield cluster_of(patient)
    except Refused as refusal:
        raise NotRun(f"the cluster's API refuses: {patient.foreign(str(refusal))}") from None
    except OSError:
        raise NotRun("the cluster's API does not answer: see kubernetes.api") from None


def api(patient: Patient) -> Answer:
    """Does the cluster's API answer, and is the server's namespace there?"""
    if not patient.options.kubeconfig and not patient.outputs.cluster_name:
        raise NotRun("the stack has no cluster")
    try:
        cluster = cluster_of(patient)
    except NotRun as reason:
        return failed(
            str(reason),
            cause="the way to the cluster is not known, so nothing in it can be asked",
            next_step="Sign in to AWS, or name a kubeconfig with --kubeconfig.",
        )
    space = patient.outputs.kubernetes_namespace or "mlflow"
    try:
        release = cluster.get("/version").get("gitVersion")
        found = cluster.find(f"/api/v1/namespaces/{space}")
    except Refused as refusal:
        return failed(
            f"{cluster.server}: HTTP {refusal.code} {patient.foreign(str(refusal))}",
            cause="the cluster does not know us, or gives us no right to look",
            next_step="Be among clusterAdminArns, or use the role that deploys; then "
            "`aws eks update-kubeconfig`.",
        )
    except OSError as error:
        return failed(
            f"{cluster.server} does not answer ({error.strerror or type(error).__name__}: "
            f"{patient.foreign(str(error))})",
            cause="the cluster is gone, or its API is private and this machine is outside",
            next_step="Ask from inside the VPC, or add this address to clusterPublicEndpointCidrs; "
            "or name another kubeconfig with --kubeconfig.",
        )
    if found is None:
        return failed(
            f"the cluster has no namespace {space}",
            cause="the namespace was deleted with everything in it, or this is another cluster",
            next_step="Deploy the stack again (`make up`); database and artifacts are not in the "
            "cluster.",
        )
    return passed(f"{cluster.server} is Kubernetes {release} and has namespace {space}")


def pods(patient: Patient) -> Answer:
    """Are the server's pods there, ready, and not restarting?"""
    with asking(patient) as cluster:
        found = cluster.items(in_namespace(patient, "api/v1", "pods"), labelSelector="app=mlflow")
        events = cluster.items(in_namespace(patient, "api/v1", "events"))
    patient.exhibits.add("kubernetes/pods.json", [_shown(pod) for pod in found])
    patient.exhibits.add("kubernetes/events.json", [_told(event) for event in events])
    if not found:
        return failed(
            "no pod has the label app=mlflow",
            cause="the Deployment is gone, is scaled to none, or may make no pod (a quota)",
            next_step="kubectl describe deployment -n mlflow mlflow; `make up` brings it back.",
        )
    for pod in found:
        trouble = _trouble(pod)
        if trouble is None:
            continue
        name = pod["metadata"]["name"]
        cause, step = WAITING.get(
            trouble, (f"Kubernetes calls it {trouble}", f"kubectl describe pod -n mlflow {name}")
        )
        said = _last_words(events, name)
        return failed(
            f"pod {name}: {trouble}" + (f" ({patient.foreign(said)})" if said else ""),
            cause=cause,
            next_step=step,
        )
    restarts = {
        pod["metadata"]["name"]: sum(c.get("restartCount", 0) for c in _containers(pod))
        for pod in found
    }
    worst = max(restarts, key=lambda name: restarts[name])
    if restarts[worst] > RESTARTS:
        return failed(
            f"pod {worst} was restarted {restarts[worst]} times: {_ended(found, worst)}",
            cause="its liveness probe fails, or it ends by itself, again and again",
            next_step=f"kubectl logs -n mlflow {worst} --previous --tail=200",
        )
    return passed(f"{len(found)} pods are ready, {sum(restarts.values())} restarts")


def _trouble(pod: dict[str, Any]) -> str | None:
    """What is wrong with a pod, in Kubernetes' own word; None when it is ready or is going."""
    if pod["metadata"].get("deletionTimestamp"):
        return None
    status = pod.get("status", {})
    for container in _containers(pod):
        waiting = container.get("state", {}).get("waiting", {}).get("reason")
        if waiting and waiting not in ("ContainerCreating", "PodInitializing"):
            return str(waiting)
        ended = container.get("state", {}).get("terminated") or {}
        if ended.get("exitCode"):
            return str(ended.get("reason") or "Error")
    conditions = {item["type"]: item for item in status.get("conditions", [])}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return str(scheduled.get("reason") or "Unschedulable")
    if status.get("phase") == "Failed":
        return str(status.get("reason") or "Failed")
    if conditions.get("Ready", {}).get("status") != "True":
        return "NotReady" if status.get("phase") == "Running" else str(status.get("phase"))
    return None


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    status = pod.get("status", {})
    return [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]


def _ended(found: list[dict[str, Any]], name: str) -> str:
    pod = next(item for item in found if item["metadata"]["name"] == name)
    for container in _containers(pod):
        last = container.get("lastState", {}).get("terminated")
        if last:
            return f"last ended with {last.get('exitCode')} ({last.get('reason')})"
    return "why is not known"


def _last_words(events: list[dict[str, Any]], name: str) -> str | None:
    words = [
        str(event.get("message"))
        for event in events
        if event.get("type") == "Warning" and event.get("involvedObject", {}).get("name") == name
    ]
    return words[-1] if words else None


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
    return passed(f"{len(found)} nodes are ready")


def _shown(pod: dict[str, Any]) -> dict[str, Any]:
    """A pod without its environment, which may hold anything."""
    return {"name": pod["metadata"]["name"], "status": pod.get("status", {})}


def _told(event: dict[str, Any]) -> dict[str, Any]:
    subject = event.get("involvedObject", {})
    return {
        "about": f"{subject.get('kind')}/{subject.get('name')}",
        **{key: event.get(key) for key in ("type", "reason", "message", "lastTimestamp", "count")},
    }


CHECKS = (
    Check(
        name="kubernetes.api",
        question="Does the cluster's API answer, and is the server's namespace there?",
        ask=api,
        explained_by=("aws.account",),
    ),
    Check(name="kubernetes.nodes", question="Are the nodes ready?", ask=nodes),
    Check(
        name="kubernetes.migration",
        question="Did the last migration of the schema succeed?",
        ask=migration,
        explained_by=("kubernetes.api", "aws.database", "kubernetes.secret"),
    ),
    Check(
        name="kubernetes.pods",
        question="Are the server's pods there, ready, and not restarting?",
        ask=pods,
        explained_by=(
            "kubernetes.api",
            "kubernetes.nodes",
            "kubernetes.secret",
            "aws.database",
            "aws.secret",
        ),
    ),
    Check(
        name="kubernetes.rollout",
        question="Is the rollout done, with as many servers as wanted?",
        ask=rollout,
        explained_by=("kubernetes.api", "kubernetes.pods", "kubernetes.nodes"),
    ),
    Check(name="kubernetes.autoscaler", question="Can the autoscaler do its work?", ask=autoscaler),
)
