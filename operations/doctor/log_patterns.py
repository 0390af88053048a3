"""What the platform's logs say when something is wrong: the patterns of the runbooks.

Owns which words point where: `OperationalError` to the database, `ClientError` to the artifact
store, `TimeoutError` to the network or to a full connection pool, and what PostgreSQL and the
kernel say themselves. Where the logs are, is `log_sources`' business.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

from operations.doctor.check import Answer, Check, NotRun, counted, failed, passed
from operations.doctor.log_lines import LogLine, since
from operations.doctor.log_sources import read_logs
from operations.doctor.patient import Patient

_OURS = re.compile(r"mlflow-platform (operations|doctor)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Words in a log, and what they mean."""

    name: str
    question: str
    words: re.Pattern[str]
    cause: str
    next_step: str
    explained_by: tuple[str, ...]
    unless: re.Pattern[str] | None = None  # lines that another pattern explains better
    database: bool | None = False  # whether PostgreSQL writes it; None: it or the server


_QUEUE_POOL = re.compile(r"QueuePool limit of size")

PATTERNS = (
    Pattern(
        "logs.operational_error",
        "Does the server's log have OperationalError: trouble with the database?",
        re.compile(r"OperationalError"),
        "the server lost its database, could not reach it or was refused",
        "The words after OperationalError say which; then the database's findings.",
        (
            "aws.database",
            "gcp.database",
            "database.login",
            "aws.security_group",
            "aws.secret",
            "kubernetes.secret",
            "machine.password",
            "database.schema",
        ),
    ),
    Pattern(
        "logs.client_error",
        "Does the server's log have ClientError: trouble with the artifact store?",
        re.compile(
            r"ClientError|botocore\.(errorfactory|exceptions)\.|An error occurred \(\w+\) when "
            r"calling|S3UploadFailedError|AccessDenied|google\.api_core\.exceptions\.(Forbidden|NotFound)"
        ),
        "the artifact store refused the server: role, policy, key or bucket",
        "The words after ClientError name the call and the reason; then the findings on role, "
        "policies and bucket.",
        ("aws.bucket", "aws.bucket_policy", "aws.server_role", "aws.key", "gcp.bucket"),
    ),
    Pattern(
        "logs.pool",
        "Does the server's log say that a connection pool was full?",
        _QUEUE_POOL,
        "every connection of a worker's pool was in use for 30 s: callers got HTTP 400, and "
        "metrics of clients without a retry were lost",
        "See database.waiting and database.slow for what holds connections; compare the pool in "
        "force with the settings: `python -m operations latency`.",
        ("database.waiting", "database.connections", "database.slow"),
    ),
    Pattern(
        "logs.timeout_error",
        "Does the server's log have TimeoutError: trouble with the network or DNS?",
        re.compile(r"TimeoutError|ReadTimeout|ConnectTimeout|Temporary failure in name resolution"),
        "something did not answer in time: the network, DNS, or what it leads to",
        "See which address stands in the lines; check DNS, NetworkPolicy and security groups.",
        ("kubernetes.dns", "kubernetes.network_policy", "aws.security_group", "database.login"),
        unless=_QUEUE_POOL,
    ),
    Pattern(
        "logs.no_room",
        "Do the logs speak of a full disk or of no memory?",
        re.compile(
            r"No space left on device|Out of memory|MemoryError|OOMKilled|"
            r"could not resize shared memory|WORKER TIMEOUT|Disk quota exceeded"
        ),
        "a disk is full or memory ran out",
        "Free or add storage (`df -h`); compare the server's memory with its settings.",
        ("machine.disk", "kubernetes.pods", "aws.storage", "gcp.storage"),
        database=None,
    ),
    Pattern(
        "logs.database_fatal",
        "Does the database's own log refuse or lose connections?",
        re.compile(
            r"(FATAL|PANIC):\s+(?!terminating connection due to administrator command|"
            r"the database system is (starting up|shutting down))"
        ),
        "PostgreSQL refused connections or could not go on",
        "Its words name the user or the file; see database.login and database.connections.",
        (
            "machine.password",
            "database.login",
            "aws.secret",
            "machine.disk",
            "database.connections",
        ),
        database=True,
    ),
)


def look_for(pattern: Pattern, patient: Patient) -> Answer:
    """Whether the words stand in the logs of the last minutes."""
    logs = read_logs(patient)
    names = [
        name
        for database in (True, False)
        if pattern.database in (database, None)
        for name in logs.named(database=database)
    ]
    if not names:
        whose = "PostgreSQL's" if pattern.database else "the server's"
        reasons = "; ".join(logs.reasons)
        raise NotRun(f"{whose} log is not to be had here" + (f": {reasons}" if reasons else ""))
    minutes = patient.options.log_minutes
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    recent = since(logs.lines(), now - datetime.timedelta(minutes=minutes))
    found = [line for line in recent if line.source in names and _speaks_of(pattern, line)]
    if not found:
        return passed(f"not in {', '.join(names)} of the last {minutes} min")
    last = found[-1]
    when = f"{last.moment:%H:%M:%S} UTC" if last.moment else "at an unknown time"
    return failed(
        f"{counted(len(found), 'line')} in the last {minutes} min, the last at {when} in "
        f"{last.source}: {patient.foreign(last.text)}",
        cause=pattern.cause,
        next_step=pattern.next_step,
    )


def _speaks_of(pattern: Pattern, line: LogLine) -> bool:
    if line.is_code or not pattern.words.search(line.text) or _OURS.search(line.text):
        return False
    return pattern.unless is None or not pattern.unless.search(line.text)


def _check(pattern: Pattern) -> Check:
    return Check(
        name=pattern.name,
        question=pattern.question,
        ask=lambda patient: look_for(pattern, patient),
        explained_by=pattern.explained_by,
    )


CHECKS = tuple(_check(pattern) for pattern in PATTERNS)
