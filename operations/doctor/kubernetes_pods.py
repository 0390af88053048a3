"""The server's pods: are they there, ready, within their memory, and not restarting?

Owns what Kubernetes says of a pod: why it waits, why it ended, what it uses. Its events are quoted,
because they say in words what a state only names.
"""

from __future__ import annotations

from typing import Any

from operations.doctor.check import Answer, Check, NotRun, counted, failed, passed
from operations.doctor.kubernetes_access import asking
from operations.doctor.kubernetes_api import in_namespace
from operations.doctor.patient import Patient

RESTARTS = 3
FULL_SHARE = 0.92

UNITS = {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "m": 0.001,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}

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
    return passed(
        f"{counted(len(found), 'pod')} ready, {counted(sum(restarts.values()), 'restart')}"
    )


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


def usage(patient: Patient) -> Answer:
    """Have the pods memory left?"""
    with asking(patient) as cluster:
        found = cluster.items(in_namespace(patient, "api/v1", "pods"), labelSelector="app=mlflow")
        path = in_namespace(patient, "apis/metrics.k8s.io/v1beta1", "pods")
        measured = cluster.find(f"{path}?labelSelector=app%3Dmlflow")
    if measured is None:
        raise NotRun("the cluster has no metrics server")
    limits = {
        (pod["metadata"]["name"], container["name"]): _bytes(limit)
        for pod in found
        for container in pod.get("spec", {}).get("containers", [])
        if (limit := container.get("resources", {}).get("limits", {}).get("memory"))
    }
    seen: list[str] = []
    for pod in measured.get("items") or []:
        name = pod["metadata"]["name"]
        for container in pod["containers"]:
            limit = limits.get((name, container["name"]))
            if limit is None:
                continue
            used = _bytes(container["usage"]["memory"])
            seen.append(f"{name} {used / limit:.0%} of {limit // 2**20} MiB")
            if used > limit * FULL_SHARE:
                return failed(
                    seen[-1],
                    cause="the server is about to be killed for its memory",
                    next_step=WAITING["OOMKilled"][1],
                )
    if not seen:
        raise NotRun("nothing was measured yet, or no pod has a limit")
    return passed(", ".join(seen))


def _bytes(quantity: str) -> int:
    """An amount of memory as Kubernetes writes it: `512Mi`, `1Gi`, `123456789`, `900k`."""
    for suffix, factor in UNITS.items():
        if quantity.endswith(suffix):
            return int(float(quantity.removesuffix(suffix)) * factor)
    return int(float(quantity))


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
        name="kubernetes.usage",
        question="Have the server's pods memory left?",
        ask=usage,
        explained_by=("kubernetes.api",),
    ),
)
