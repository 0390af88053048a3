"""Cloud SQL: the instance's state, its operations, storage, connections and certificate.

Owns what Google says of the database from outside, where nobody can log in to it.
"""

from __future__ import annotations

import datetime
from typing import Any

from operations.doctor.check import Answer, Check, NotRun, counted, failed, passed
from operations.doctor.gcp_account import asking_google, moment_of, project_path
from operations.doctor.patient import Patient

EVENT_MINUTES = 60
FULL_SHARE = 0.9
CERTIFICATE_DAYS = 60

STATES: dict[str, tuple[str, str]] = {
    "SUSPENDED": (
        "Google has suspended the instance: billing, or its key is disabled",
        "Look at the project's billing and at the key (gcloud kms keys versions list).",
    ),
    "PENDING_DELETE": (
        "somebody deletes the instance",
        "Restore its last backup into a new instance (docs/runbooks/backup.md).",
    ),
    "MAINTENANCE": ("maintenance is under way", "Wait a few minutes and ask again."),
    "PENDING_CREATE": ("the instance is still being made", "Wait and ask again."),
    "FAILED": (
        "the instance could not be made, or could not be mended",
        "Restore to a moment before (docs/runbooks/backup.md), and open a case with Google.",
    ),
}


def instance(patient: Patient) -> dict[str, Any] | None:
    """Cloud SQL's description of the instance, asked once; None where there is none.

    Raises:
        NotRun: the stack has none, or Google does not answer.
    """
    name = patient.outputs.database_identifier
    if not name:
        raise NotRun("the database is not this stack's (backendStoreUri)")
    with asking_google(patient) as google:
        found = patient.once(
            "google instance",
            lambda: google.get("sqladmin", f"v1/{project_path(patient)}/instances/{name}"),
        )
    if found is not None:
        patient.exhibits.add("gcp/sql_instance.json", found)
    return None if found is None else dict(found)


def _known(patient: Patient) -> dict[str, Any]:
    found = instance(patient)
    if found is None:
        raise NotRun("Cloud SQL does not describe the instance: see gcp.database")
    return found


def status(patient: Patient) -> Answer:
    """Is the instance there, running, and where the stack says?"""
    name, found = patient.outputs.database_identifier, instance(patient)
    if found is None:
        return failed(
            f"Cloud SQL knows no instance {name} in {patient.outputs.account}",
            cause="the instance was deleted or renamed",
            next_step="Backups of a deleted instance stay for some days: gcloud sql backups list; "
            "restore into a new one (docs/runbooks/backup.md).",
        )
    state = str(found.get("state"))
    if state != "RUNNABLE":
        cause, step = STATES.get(state, (f"Cloud SQL calls it {state}", "Wait and ask again."))
        return failed(f"{name} is {state}", cause=cause, next_step=step)
    settings = found.get("settings") or {}
    if settings.get("activationPolicy") == "NEVER":
        return failed(
            f"{name} is stopped (activationPolicy NEVER)",
            cause="the instance was stopped by hand or by a schedule",
            next_step=f"gcloud sql instances patch {name} --activation-policy=ALWAYS",
        )
    addresses = [item.get("ipAddress") for item in found.get("ipAddresses") or []]
    host = patient.outputs.database_host
    if host and addresses and host not in addresses:
        return failed(
            f"{name} answers at {', '.join(addresses)}, the stack says {host}",
            cause="the instance was made again (a restore, a rename) without the stack",
            next_step="Deploy the stack again (`make up`): the servers get the new address.",
        )
    return passed(f"{name} is {state}, {settings.get('tier')}, {found.get('databaseVersion')}")


def events(patient: Patient) -> Answer:
    """Did an operation fail, or restart the database?"""
    name = patient.outputs.database_identifier
    if not name:
        raise NotRun("the database is not this stack's (backendStoreUri)")
    minutes = max(EVENT_MINUTES, patient.options.log_minutes)
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    with asking_google(patient) as google:
        answer = google.get(
            "sqladmin", f"v1/{project_path(patient)}/operations", instance=name, maxResults="30"
        )
    found: list[Any] = list((answer or {}).get("items") or [])  # pyright: ignore[reportCallIssue, reportArgumentType]
    patient.exhibits.add("gcp/sql_operations.json", found)
    begin = now - datetime.timedelta(minutes=minutes)
    recent = [item for item in found if (moment_of(item.get("startTime")) or now) >= begin]
    broken = [item for item in recent if item.get("error")]
    restarts = [item for item in recent if item.get("operationType") in ("RESTART", "FAILOVER")]
    for item in (*broken, *restarts):
        errors = (item.get("error") or {}).get("errors") or [{}]
        said = errors[0].get("message") or errors[0].get("code") or item.get("status")
        return failed(
            f"{item['operationType']} at {item.get('startTime')} by {item.get('user')}: "
            f"{patient.foreign(str(said))}",
            cause="an operation on the instance failed"
            if broken
            else "the database was restarted or failed over",
            next_step="A restart ends by itself within minutes; a failed change stays undone: "
            "`gcloud sql operations list` has them all.",
        )
    return passed(
        f"{counted(len(recent), 'operation')} in the last {minutes} min, none of them troubling"
    )


def storage(patient: Patient) -> Answer:
    """Is storage left?"""
    settings = _known(patient).get("settings") or {}
    used = _metric(patient, "cloudsql.googleapis.com/database/disk/utilization")
    grows = bool(settings.get("storageAutoResize"))
    limit = int(settings.get("storageAutoResizeLimit") or 0)
    size = int(settings.get("dataDiskSizeGb") or 0)
    full = used >= FULL_SHARE and (not grows or 0 < limit <= size)
    seen = f"{used:.0%} of {size} GB used" + (f", grows up to {limit or 'any'} GB" if grows else "")
    if full:
        return failed(
            seen,
            cause="the database fills its disk and cannot grow by itself any more",
            next_step="Raise databaseMaxStorageGib and deploy; then retention "
            "(docs/runbooks/mlflow-management.md).",
        )
    return passed(seen)


def connections(patient: Patient) -> Answer:
    """Are as many connections allowed as the pools were checked for, and are any left?"""
    wanted = patient.settings.database.max_connections
    flags = {
        item.get("name"): item.get("value")
        for item in (_known(patient).get("settings") or {}).get("databaseFlags") or []
    }
    most = int(flags.get("max_connections") or 0)
    if most < wanted:
        return failed(
            f"max_connections is {most or 'not set'}, the stack was checked for {wanted}",
            cause="the instance's flag was changed or removed",
            next_step="Deploy the stack again (`make up`), which sets it; the database restarts.",
        )
    used = _metric(patient, "cloudsql.googleapis.com/database/postgresql/num_backends")
    percent = patient.settings.cloud.alarms.database_connections_percent
    if used >= most * percent / 100:
        return failed(
            f"{used:.0f} of {most} connections: {percent} % or more",
            cause="somebody holds more connections than the budget grants",
            next_step="pg_stat_activity by application_name says who "
            "(docs/runbooks/database.md#databaseconnectionshigh).",
        )
    return passed(f"{used:.0f} of {most} connections; {patient.outputs.connection_budget}")


def certificate(patient: Patient) -> Answer:
    """How long is the instance's certificate authority valid?"""
    ends = moment_of((_known(patient).get("serverCaCert") or {}).get("expirationTime"))
    if ends is None:
        raise NotRun("Cloud SQL does not say until when")
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    days = (ends - now).total_seconds() / 86_400
    name = patient.outputs.database_identifier
    if days < CERTIFICATE_DAYS:
        return failed(
            f"the server CA of {name} ends on {ends:%Y-%m-%d}, in {days:.0f} days",
            cause="the instance's certificate authority ends soon, or has",
            next_step=f"gcloud sql ssl server-ca-certs create --instance={name}; then rotate.",
        )
    return passed(f"the server CA is valid until {ends:%Y-%m-%d} ({days:.0f} days)")


def _metric(patient: Patient, name: str) -> float:
    """The newest value of a metric of the instance in the last quarter of an hour."""
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    identifier = f"{patient.outputs.account}:{patient.outputs.database_identifier}"
    with asking_google(patient) as google:
        answer: Any = google.get(
            "monitoring",
            f"v3/{project_path(patient)}/timeSeries",
            filter=f'metric.type="{name}" AND resource.labels.database_id="{identifier}"',
            **{
                "interval.startTime": (now - datetime.timedelta(minutes=15)).isoformat(),
                "interval.endTime": now.isoformat(),
            },
        )
    values: list[float] = []
    for series in (answer or {}).get("timeSeries") or []:
        newest = (series.get("points") or [{}])[0].get("value") or {}
        values += [float(value) for value in newest.values()]
    if not values:
        raise NotRun(f"Cloud Monitoring has no {name.rpartition('/')[2]} of the last 15 min")
    # Connections are counted for each database: the sum is the instance's.
    return sum(values)


CHECKS = (
    Check(
        name="gcp.database",
        question="Is the Cloud SQL instance there, running, and where the stack says?",
        ask=status,
        explained_by=("gcp.account",),
    ),
    Check(
        name="gcp.events",
        question="Did an operation fail, or restart the database?",
        ask=events,
        explained_by=("gcp.database",),
    ),
    Check(name="gcp.storage", question="Has the database storage left?", ask=storage),
    Check(
        name="gcp.connections",
        question="Are connections left, and as many allowed as the pools were checked for?",
        ask=connections,
    ),
    Check(
        name="gcp.database_certificate",
        question="Is the instance's certificate authority valid for long enough?",
        ask=certificate,
    ),
)
