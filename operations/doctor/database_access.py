"""Does the database let us in, and is there room in it?

Owns logging in as the server's own user, what a refusal means, and the connections against the
budget. From outside a private network a cloud's database cannot be reached: that is said, and is no
finding; the server's real query then says what the database does for the server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from operations.database_login import APPLICATION_NAME, NotReachable
from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import Patient

ALARM_PERCENT = 80

FREE_FOR_US = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """What PostgreSQL or the network says, what it means, what to do."""

    pattern: re.Pattern[str]
    cause: str
    next_step: str
    by_distance: bool = False  # a private network looks like this from outside


def _refusal(pattern: str, cause: str, next_step: str, *, by_distance: bool = False) -> Refusal:
    return Refusal(re.compile(pattern, re.IGNORECASE), cause, next_step, by_distance)


REFUSALS = (
    _refusal(
        r"password authentication failed|no password supplied|fe_sendauth",
        "the password that the stack knows is not the database's: one of them was changed alone",
        "Deploy the stack again (`make up`), which sets the database's password to its own; where "
        "the secret store is right, roll the servers so that they read it.",
    ),
    _refusal(
        r"too many clients|remaining connection slots|too many connections for",
        "all connections of the database are taken",
        "Find who holds them (pg_stat_activity by application_name, as a superuser), end what is "
        "not MLflow's; then compare the pools in force (`python -m operations latency`) with "
        "databaseMaxConnections.",
    ),
    _refusal(
        r"database .* does not exist",
        "the database of that name is gone",
        "Check databaseName. If it was dropped: restore a backup (docs/runbooks/backup.md).",
    ),
    _refusal(
        r"role .* does not exist",
        "the server's user is gone from the database",
        "Deploy the stack again (`make up`), which makes it.",
    ),
    _refusal(
        r"the database system is (starting up|shutting down|in recovery)|not yet accepting",
        "the database restarts or recovers",
        "Wait a minute and ask again; if it stays, read the database's log.",
    ),
    _refusal(
        r"no pg_hba\.conf entry|SSL off|does not support SSL|SSL connection is required",
        "the database lets nobody in from here, or not in this way (TLS)",
        "Compare sslmode in backendStoreUri with what the server demands (rds.force_ssl, "
        "pg_hba.conf).",
    ),
    _refusal(
        r"could not translate host name|name or service not known|failed to resolve|"
        r"no address associated|nodename nor servname|name resolution",
        "the database's name leads nowhere: it was deleted or renamed, or DNS does not work",
        "Compare databaseHost (`python -m local_engine stack output` or `pulumi stack output`) "
        "with the instance's endpoint.",
        by_distance=True,
    ),
    _refusal(
        r"connection refused",
        "no PostgreSQL listens there: it is stopped, crashed or still starting",
        "On this machine: `make up` starts it, its log says why it ended. On a cloud: the "
        "instance's status and events.",
    ),
    _refusal(
        r"timeout expired|timed out|network is unreachable|no route to host|connection timeout",
        "packets to the database go nowhere: security group, firewall, route, or it hangs",
        "Check the security group's rule from the server to the database, and the instance's "
        "status.",
        by_distance=True,
    ),
    _refusal(
        r"invalid response to SSL negotiation|expected authentication request",
        "something else than PostgreSQL answers there, such as a proxy",
        "Compare databaseHost and databasePort with the instance's endpoint.",
        by_distance=True,
    ),
    _refusal(
        r"server closed the connection|connection reset|terminating connection",
        "the database ended the connection: it restarts or fails over",
        "Wait a minute and ask again; if it stays, read the database's log and events.",
    ),
)


def login(patient: Patient) -> Answer:
    """Does the database let the server's user in?"""
    try:
        patient.login()
    except NotReachable as reason:
        raise NotRun(str(reason)) from None
    where = f"{patient.login().host}:{patient.login().port}"
    try:
        patient.knock()
    except NotReachable as reason:
        return _refused(patient, where, str(reason))
    with patient.database() as connection:
        connection.execute("SELECT 1").fetchone()
        found = connection.execute("SHOW server_version").fetchone()
    return passed(f"{where} lets {patient.login().user!r} in, PostgreSQL {found[0]}")


def _refused(patient: Patient, where: str, said: str) -> Answer:
    known = next((item for item in REFUSALS if item.pattern.search(said)), None)
    on_a_cloud = patient.outputs.target != "local"
    if known is not None and known.by_distance and on_a_cloud:
        raise NotRun(
            f"{where} is in the cloud's private network and cannot be reached from here ({said}): "
            "the server's own query is asked instead"
        )
    if known is None:
        return failed(
            f"{where}: {said}",
            cause="not known; PostgreSQL's words are above",
            next_step="Read the database's log at this time.",
        )
    return failed(f"{where}: {said}", cause=known.cause, next_step=known.next_step)


COUNTS = """
SELECT coalesce(nullif(application_name, ''), 'unnamed'), coalesce(state, 'unknown'), count(*)
FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""


def connections(patient: Patient) -> Answer:
    """Are connections left, and is their number the one that the pools were checked against?"""
    with patient.database() as connection:
        rows = connection.execute(COUNTS).fetchall()
        most = int(connection.execute("SHOW max_connections").fetchone()[0])
        kept = int(connection.execute("SHOW superuser_reserved_connections").fetchone()[0])
    patient.exhibits.add(
        "database/connections.json",
        [{"application": str(a), "state": str(s), "connections": int(n)} for a, s, n in rows],
    )
    by_whom: dict[str, int] = {}
    for application, _, count in rows:
        if application != APPLICATION_NAME:
            by_whom[str(application)] = by_whom.get(str(application), 0) + int(count)
    used, usable = sum(by_whom.values()), most - kept
    names = ", ".join(f"{count} {name}" for name, count in list(by_whom.items())[:4]) or "none"
    seen = f"{used} of {usable} usable connections ({names})"
    settings = patient.settings
    budget, percent = settings.connection_budget, settings.cloud.alarms.database_connections_percent
    limit = percent or ALARM_PERCENT
    if used >= usable * limit / 100:
        return failed(
            f"{seen}: {limit} % or more",
            cause="somebody holds more connections than the budget grants: other programs on this "
            "database, servers of an old rollout, or a leak",
            next_step="End what is not MLflow's. Raise databaseMaxConnections only together with "
            "the instance: each connection costs memory.",
        )
    if budget is not None and budget.wanted > most - settings.database.reserved_connections:
        return failed(
            f"max_connections is {most}, the settings' pools want up to {budget.wanted} beside "
            f"{settings.database.reserved_connections} reserved",
            cause="the database allows fewer connections than the stack was checked for "
            f"(databaseMaxConnections: {settings.database.max_connections})",
            next_step="A changed parameter may wait for a restart of the database; else deploy the "
            "stack again (`make up`).",
        )
    return passed(f"{seen}; {patient.outputs.connection_budget}")


CHECKS = (
    Check(
        name="database.login",
        question="Does the database let the server's user in?",
        ask=login,
        explained_by=(
            "aws.database",
            "gcp.database",
            "machine.disk",
            "machine.processes",
            "aws.secret",
            "machine.password",
        ),
    ),
    Check(
        name="database.connections",
        question="Are connections left, and as many allowed as the pools were checked for?",
        ask=connections,
    ),
)
