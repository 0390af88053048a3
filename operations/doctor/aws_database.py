"""RDS: the instance's status, its events, its storage and connections, its certificate.

Owns what RDS and CloudWatch say of the database from outside, where nobody can log in to it.
"""

from __future__ import annotations

import datetime
from typing import Any

from operations.doctor.aws_account import asking_aws, client, error_code
from operations.doctor.check import Answer, Check, NotRun, counted, failed, passed
from operations.doctor.patient import Patient

USABLE = frozenset(
    {
        "available",
        "backing-up",
        "configuring-enhanced-monitoring",
        "configuring-iam-database-auth",
        "configuring-log-exports",
        "storage-optimization",
        "storage-config-upgrade",
    }
)

WAIT = (
    "Wait until it is available (`aws rds wait db-instance-available --db-instance-identifier "
    "{name}`); its events say why it began."
)

STATUSES: dict[str, tuple[str, str]] = {
    "stopped": (
        "the instance was stopped by hand or by a schedule",
        "aws rds start-db-instance --db-instance-identifier {name}",
    ),
    "stopping": ("the instance is being stopped", "Wait, then start it again: {name}."),
    "starting": ("the instance is starting", WAIT),
    "rebooting": ("the instance restarts", WAIT),
    "creating": ("the instance is still being made", WAIT),
    "modifying": ("the instance is being changed, which may restart it", WAIT),
    "maintenance": ("maintenance is under way", WAIT),
    "upgrading": ("the engine is being upgraded", WAIT),
    "renaming": ("the instance gets another name", WAIT),
    "resetting-master-credentials": ("the password is being changed", WAIT),
    "deleting": (
        "somebody deletes the instance",
        "Find its last snapshot (`aws rds describe-db-snapshots`), restore it beside (backup.md).",
    ),
    "storage-full": (
        "the disk is full: nothing is written any more",
        "Raise databaseStorageGib and databaseMaxStorageGib and deploy; docs/runbooks/database.md.",
    ),
    "failed": (
        "the instance failed and RDS cannot mend it",
        "Restore to a moment before (docs/runbooks/backup.md) and open a case with AWS.",
    ),
    "inaccessible-encryption-credentials": (
        "RDS may not use the key: it was disabled or its policy changed",
        "Enable the key and start the instance: `aws kms enable-key`; see aws.key.",
    ),
    "inaccessible-encryption-credentials-recoverable": (
        "RDS may not use the key: it was disabled or its policy changed",
        "Enable the key within seven days and start the instance: `aws kms enable-key`.",
    ),
    "incompatible-parameters": (
        "a parameter does not fit the instance, mostly more memory than it has",
        "Undo the last change of the parameter group or of databaseInstanceClass.",
    ),
    "incompatible-network": (
        "the subnets have no address left, or DNS is off in the VPC",
        "Look at the subnet group and the VPC.",
    ),
}

TROUBLING = frozenset(
    {"availability", "failover", "failure", "low storage", "recovery", "security"}
)

EVENT_MINUTES = 60

CERTIFICATE_DAYS = 30


def instance(patient: Patient) -> dict[str, Any]:
    """RDS's description of the instance, asked once.

    Raises:
        NotRun: the stack has none, or AWS does not answer.
        ClientError: RDS knows none of that name.
    """
    name = patient.outputs.database_identifier
    if not name:
        raise NotRun("the database is not this stack's (backendStoreUri)")
    rds = client(patient, "rds")
    described = patient.once(
        "aws instance",
        lambda: rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0],
    )
    patient.exhibits.add("aws/rds_instance.json", described)
    return described


def status(patient: Patient) -> Answer:
    """Is the instance there, available, and where the stack says?"""
    from botocore.exceptions import ClientError

    name = patient.outputs.database_identifier
    with asking_aws(patient):
        try:
            found = instance(patient)
        except ClientError as error:
            if error_code(error) not in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
                raise
            return failed(
                f"RDS knows no instance {name} in {patient.outputs.region}",
                cause="the instance was deleted or renamed",
                next_step="`aws rds describe-db-snapshots`, then restore beside "
                "(docs/runbooks/backup.md); `aws rds describe-events --duration 10080` says when.",
            )
    word = str(found["DBInstanceStatus"])
    if word not in USABLE:
        cause, step = STATUSES.get(word, (f"RDS calls the instance {word}", WAIT))
        return failed(f"{name} is {word}", cause=cause, next_step=step.format(name=name))
    host = (found.get("Endpoint") or {}).get("Address")
    if host and patient.outputs.database_host and host != patient.outputs.database_host:
        return failed(
            f"{name} answers at {host}, the stack says {patient.outputs.database_host}",
            cause="the instance was made again (a restore, a rename) without the stack",
            next_step="Deploy the stack again (`make up`): the servers get the new address.",
        )
    pending = ", ".join(sorted(found.get("PendingModifiedValues") or {}))
    more = f"; waits for the maintenance window: {pending}" if pending else ""
    return passed(
        f"{name} is {word}, {found['DBInstanceClass']}, PostgreSQL "
        f"{found.get('EngineVersion')}{more}"
    )


def events(patient: Patient) -> Answer:
    """Did RDS report trouble?"""
    name = patient.outputs.database_identifier
    if not name:
        raise NotRun("the database is not this stack's (backendStoreUri)")
    minutes = max(EVENT_MINUTES, patient.options.log_minutes)
    with asking_aws(patient):
        found: list[dict[str, Any]] = client(patient, "rds").describe_events(
            SourceIdentifier=name, SourceType="db-instance", Duration=minutes
        )["Events"]
    patient.exhibits.add("aws/rds_events.json", found)
    bad = [item for item in found if TROUBLING & set(item.get("EventCategories") or ())]
    if bad:
        last = bad[-1]
        return failed(
            f"{counted(len(bad), 'event')} in the last {minutes} min, the last at "
            f"{last['Date']:%H:%M} UTC: {patient.foreign(str(last['Message']))}",
            cause=f"RDS reports {', '.join(last['EventCategories'])}",
            next_step="A restart or failover ends by itself within minutes; low storage: raise "
            "databaseMaxStorageGib; failure: docs/runbooks/database.md.",
        )
    return passed(
        f"{counted(len(found), 'event')} in the last {minutes} min, none of them troubling"
    )


def storage(patient: Patient) -> Answer:
    """Is storage left?"""
    percent = patient.settings.cloud.alarms.database_free_storage_percent
    with asking_aws(patient):
        allocated = float(_known(patient)["AllocatedStorage"])
        found = _metric(patient, "FreeStorageSpace", "Minimum")
    free_gib = found / 2**30
    most = float(_known(patient).get("MaxAllocatedStorage") or allocated)
    seen = f"{free_gib:.1f} of {allocated:.0f} GiB free (it may grow to {most:.0f})"
    if free_gib < allocated * percent / 100 and most <= allocated:
        return failed(
            seen,
            cause="the database fills its disk and cannot grow by itself any more",
            next_step="Raise databaseMaxStorageGib and deploy; then retention "
            "(docs/runbooks/mlflow-management.md).",
        )
    return passed(seen)


def connections(patient: Patient) -> Answer:
    """Are connections left, as CloudWatch counts them?"""
    settings = patient.settings
    percent = settings.cloud.alarms.database_connections_percent
    most = settings.database.max_connections
    with asking_aws(patient):
        found = _metric(patient, "DatabaseConnections", "Maximum")
    seen = f"{found:.0f} of {most} connections"
    if found >= most * percent / 100:
        return failed(
            f"{seen}: {percent} % or more",
            cause="somebody holds more connections than the budget grants",
            next_step="pg_stat_activity by application_name says who "
            "(docs/runbooks/database.md#databaseconnectionshigh).",
        )
    return passed(f"{seen}; {patient.outputs.connection_budget}")


def certificate(patient: Patient) -> Answer:
    """How long is the instance's certificate valid?"""
    with asking_aws(patient):
        found = _known(patient)
    details = found.get("CertificateDetails") or {}
    ends = details.get("ValidTill")
    if not ends:
        raise NotRun(
            f"RDS does not say until when (authority {found.get('CACertificateIdentifier')})"
        )
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    days = (ends - now).total_seconds() / 86_400
    seen = f"{details.get('CAIdentifier')}, valid until {ends:%Y-%m-%d}"
    if days < CERTIFICATE_DAYS:
        return failed(
            f"{seen}: {days:.0f} days",
            cause="the instance's certificate ends soon, or has",
            next_step="aws rds modify-db-instance --apply-immediately --db-instance-identifier "
            f"{patient.outputs.database_identifier} --ca-certificate-identifier rds-ca-rsa2048-g1",
        )
    return passed(f"{seen} ({days:.0f} days)")


def _known(patient: Patient) -> dict[str, Any]:
    """The instance; `NotRun` where `aws.database` has said already that there is none."""
    from botocore.exceptions import ClientError

    try:
        return instance(patient)
    except ClientError:
        raise NotRun("RDS does not describe the instance: see aws.database") from None


def _metric(patient: Patient, name: str, statistic: str) -> float:
    """The last quarter of an hour of a metric of the instance, as one number."""
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    points: list[dict[str, Any]] = client(patient, "cloudwatch").get_metric_statistics(
        Namespace="AWS/RDS",
        MetricName=name,
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": patient.outputs.database_identifier}],
        StartTime=now - datetime.timedelta(minutes=15),
        EndTime=now + datetime.timedelta(minutes=1),
        Period=60,
        Statistics=[statistic],
    )["Datapoints"]
    if not points:
        raise NotRun(f"CloudWatch has no {name} of the last 15 min")
    values = [float(point[statistic]) for point in points]
    return min(values) if statistic == "Minimum" else max(values)


CHECKS = (
    Check(
        name="aws.database",
        question="Is the RDS instance there, available, and where the stack says?",
        ask=status,
        explained_by=("aws.account", "aws.key"),
    ),
    Check(
        name="aws.events",
        question="Did RDS report trouble?",
        ask=events,
        explained_by=("aws.database",),
    ),
    Check(name="aws.storage", question="Has the database storage left?", ask=storage),
    Check(
        name="aws.connections",
        question="Has the database connections left, as CloudWatch counts them?",
        ask=connections,
    ),
    Check(
        name="aws.database_certificate",
        question="Is the instance's certificate valid for long enough?",
        ask=certificate,
    ),
)
