"""The logs of a stack on AWS: the pods' own, PostgreSQL's, and what CloudWatch keeps of containers.

Owns which are read. Pods are asked first, for they say what happens now; where no cluster answers,
the container logs in CloudWatch do, if the stack sends them there. PostgreSQL's are there always.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

from operations.doctor.aws_account import asking_aws, client, error_code
from operations.doctor.check import NotRun
from operations.doctor.kubernetes_logs import pod_logs
from operations.doctor.log_lines import Logs
from operations.doctor.patient import Patient

PAGES = 10
AT_ONCE = 10_000  # as many as CloudWatch gives


def logs_on_aws(patient: Patient) -> Logs:
    """Pods, else containers; and PostgreSQL.

    Raises:
        NotRun: none of them can be read, with the reason of each.
    """
    texts: dict[str, str] = {}
    reasons: list[str] = []
    try:
        texts |= pod_logs(patient).texts
    except NotRun as reason:
        reasons.append(str(reason))
        _add(texts, reasons, patient, "containers in CloudWatch", _container_group(patient))
    if patient.outputs.database_identifier:
        group = f"/aws/rds/instance/{patient.outputs.database_identifier}/postgresql"
        _add(texts, reasons, patient, "PostgreSQL in CloudWatch", group)
    if not texts:
        raise NotRun("; ".join(reasons))
    return Logs(texts, tuple(reasons))


def _container_group(patient: Patient) -> str:
    return f"/aws/containerinsights/{patient.outputs.cluster_name}/application"


def _add(
    texts: dict[str, str], reasons: list[str], patient: Patient, name: str, group: str
) -> None:
    """The last minutes of a log group, where there is one and we may read it."""
    try:
        found, is_whole = _events(patient, group)
    except NotRun as reason:
        reasons.append(str(reason))
        return
    if found is not None:
        # CloudWatch begins with the oldest: what was not read is told by the name.
        name += "" if is_whole else f" (its first {len(found):,} lines)"
        texts[name] = "\n".join(_line(event, patient) for event in found)


def _events(patient: Patient, group: str) -> tuple[list[dict[str, Any]] | None, bool]:
    """The last minutes of a group, None where there is none; and whether that is all of them."""
    from botocore.exceptions import ClientError

    begin = int((patient.place.clock.epoch() - patient.options.log_minutes * 60) * 1000)
    found: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    with asking_aws(patient):
        for _ in range(PAGES):
            try:
                answer = client(patient, "logs").filter_log_events(
                    logGroupName=group, startTime=begin, limit=AT_ONCE, **more
                )
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                return None, True  # the stack does not send them there
            found += answer["events"]
            if not answer.get("nextToken"):
                return found, True
            more = {"nextToken": answer["nextToken"]}
    return found, False


def _line(event: Mapping[str, Any], patient: Patient) -> str:
    """One line with its time; of a container's record, what the server wrote, if it is ours."""
    moment = datetime.datetime.fromtimestamp(event["timestamp"] / 1000, datetime.UTC)
    text = str(event["message"]).rstrip()
    try:
        record: Any = json.loads(text)
    except ValueError:
        record = None
    if isinstance(record, dict) and "log" in record:
        space = (record.get("kubernetes") or {}).get("namespace_name")
        text = str(record["log"]) if space == patient.outputs.kubernetes_namespace else ""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ} {text}"
