"""AWS's own word on the database and the alarms, beside the resources' properties.

Owns what no property of a resource shows: changes that RDS keeps for the maintenance window, a
parameter group that waits for a restart, alarms that were switched off or are not there at all.
"""

from __future__ import annotations

from operations.aws_client import aws_client, aws_problem
from operations.drift_findings import Difference, Finding
from operations.drift_sight import NotVisible, Seen, Sight, finding
from operations.engine_steps import ABSENT, shown

LOOK = "aws"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
INSTANCE = "aws:rds/instance:Instance"
ALARMS_AT_ONCE = 100

BROKEN = (
    "failed",
    "inaccessible",
    "incompatible",
    "insufficient",
    "restore-error",
    "stop",
    "storage-full",
)
"""How a database's status begins when it does not come back by itself."""


def look(sight: Sight) -> Seen | None:
    """Ask AWS; None for a stack that is elsewhere.

    Raises:
        NotVisible: AWS does not answer here, or not to us.
    """
    if sight.outputs.target != "aws":
        return None
    if not sight.place.environ.get("AWS_ENDPOINT_URL"):
        sight.must_be_real()
    try:
        databases, findings = _databases(sight)
        alarms, missing = _alarms(sight)
    except aws_problem() as error:
        raise NotVisible(f"AWS did not answer: {error}") from None
    return Seen(
        looked_at=f"{alarms} alarms present and switched on; {databases} databases available",
        findings=(*findings, *missing),
    )


def _alarms(sight: Sight) -> tuple[int, list[Finding]]:
    """Every alarm that was deployed is there and may act."""
    client = aws_client(sight.place, "cloudwatch")
    by_name = {shown(state.at("name")): (step, state) for step, state in sight.deployed(ALARM)}
    names = sorted(by_name)
    there: dict[str, bool] = {}
    for start in range(0, len(names), ALARMS_AT_ONCE):
        answer = client.describe_alarms(AlarmNames=names[start : start + ALARMS_AT_ONCE])
        for alarm in answer["MetricAlarms"]:
            there[alarm["AlarmName"]] = bool(alarm.get("ActionsEnabled", True))
    findings: list[Finding] = []
    for name in names:
        step, state = by_name[name]
        if name not in there:
            findings.append(
                Finding(
                    severity="warning",
                    look=LOOK,
                    kind=ALARM,
                    subject=step.name,
                    identity=state.id,
                    what="gone",
                )
            )
        elif not there[name] and state.at("actionsEnabled") is not False:
            switched = [Difference(property="actionsEnabled", expected="true", found="false")]
            findings += finding(LOOK, step.name, switched, kind=ALARM, identity=state.id)
    return len(there), findings


def _databases(sight: Sight) -> tuple[int, list[Finding]]:
    """Nothing waits for a maintenance window or a restart."""
    client = aws_client(sight.place, "rds")
    findings: list[Finding] = []
    number = 0
    for step, state in sight.deployed(INSTANCE):
        identifier = state.at("identifier")
        if identifier is ABSENT:
            continue
        try:
            answer = client.describe_db_instances(DBInstanceIdentifier=shown(identifier))
        except client.exceptions.DBInstanceNotFoundFault:
            continue  # the engine says that it is gone
        instance = answer["DBInstances"][0]
        number += 1
        waiting = [
            Difference(property=f"pending {name}", expected="nothing waits", found=shown(value))
            for name, value in sorted(instance.get("PendingModifiedValues", {}).items())
            if value and name != "MasterUserPassword"
        ]
        findings += finding(
            LOOK,
            step.name,
            waiting,
            severity="info",
            kind="waits for the maintenance window",
            note="RDS changes it then; until then the database runs as before",
        )
        differences = [
            Difference(
                property=f"parameter group {group['DBParameterGroupName']}",
                expected="in-sync",
                found=group["ParameterApplyStatus"],
            )
            for group in instance.get("DBParameterGroups", [])
            if group["ParameterApplyStatus"] != "in-sync"
        ]
        status = instance["DBInstanceStatus"]
        if status.startswith(BROKEN):
            differences.append(Difference(property="status", expected="available", found=status))
        findings += finding(LOOK, step.name, differences, kind="database on RDS", identity="")
    return number, findings
