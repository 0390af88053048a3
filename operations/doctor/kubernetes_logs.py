"""The logs of the server's pods, through the cluster's API.

Owns which pods are asked and how much of each: the last lines of the last minutes, and of a
container that was restarted what it said before it ended.
"""

from __future__ import annotations

from operations.doctor.check import NotRun
from operations.doctor.kubernetes_access import asking
from operations.doctor.kubernetes_api import Refused, in_namespace
from operations.doctor.log_lines import Logs
from operations.doctor.patient import Patient

LINES = "2000"
MOST_PODS = 6


def pod_logs(patient: Patient) -> Logs:
    """The pods' logs, by their names.

    Raises:
        NotRun: there is no pod, or none shows its log.
    """
    texts: dict[str, str] = {}
    reasons: list[str] = []
    with asking(patient) as cluster:
        path = in_namespace(patient, "api/v1", "pods")
        pods = cluster.items(path, labelSelector="app=mlflow")
        for pod in pods[:MOST_PODS]:
            name = pod["metadata"]["name"]
            statuses = pod.get("status", {}).get("containerStatuses") or []
            restarted = any(item.get("restartCount") for item in statuses)
            for previous in ("false", "true") if restarted else ("false",):
                try:
                    texts[name if previous == "false" else f"{name} (before)"] = cluster.text(
                        f"{path}/{name}/log",
                        tailLines=LINES,
                        timestamps="true",
                        previous=previous,
                    )
                except Refused as refusal:
                    reasons.append(patient.foreign(str(refusal)))
    if not texts:
        raise NotRun(reasons[0] if reasons else "there is no pod of the server's to ask")
    return Logs(texts, tuple(reasons))
