"""Does the server answer, work, and have the version that was deployed?

Owns what is asked of the server over HTTP, as the user that the smoke tests are. `/health` and
`/version` answer while the database is down, so they prove that a process lives; whether the
platform works is asked by a real query, and in `server_artifacts`.
"""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import REQUEST_SECONDS, Patient
from smoke_tests.http_connection import Answer as HttpAnswer
from smoke_tests.http_connection import HttpConnection
from smoke_tests.tracking_server import CallFailed, TrackingServer
from smoke_tests.transport_problem import TransportProblem, Trouble

IN_CLUSTER = (".svc", ".svc.cluster.local")

SLOW_MS = 5000
"""`slowResponseMs` where no stack says otherwise."""


@contextmanager
def asking(patient: Patient) -> Generator[tuple[TrackingServer, HttpConnection]]:
    """A connection to the server.

    Raises:
        NotRun: the server's name means something inside its cluster only.
    """
    target = patient.place.target
    if target.host.endswith(IN_CLUSTER) and not _resolves(target.host, target.port or 80):
        raise NotRun(
            f"{target.host} is a name inside the cluster: run `kubectl port-forward -n mlflow "
            "svc/mlflow 5000` and ask `doctor --url http://127.0.0.1:5000` too"
        )
    server, connection = patient.door.connect()
    try:
        yield server, connection
    finally:
        connection.close()


def name(patient: Patient) -> Answer:
    """Does the server's name lead anywhere?"""
    target = patient.place.target
    if target.host.endswith(IN_CLUSTER):
        raise NotRun(f"{target.host} is a name inside the cluster")
    try:
        found = socket.getaddrinfo(target.host, target.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        wanted = patient.outputs.load_balancer_dns_name if patient.place.outputs else None
        return failed(
            f"{target.host} has no address ({error.strerror})",
            cause="the DNS record is missing or gone, or this machine's resolver does not know it",
            next_step=f"Make {target.host} an alias of {wanted} in your DNS zone."
            if wanted
            else f"`dig {target.host}`; check the record, and the spelling of trackingUri.",
        )
    addresses = sorted({str(item[4][0]) for item in found})
    return passed(f"{target.host} is {', '.join(addresses)}")


def health(patient: Patient) -> Answer:
    """Does a server process answer?"""
    with asking(patient) as (server, _):
        try:
            seconds = server.health()
        except CallFailed as failure:
            return failed(
                failure.problem,
                cause="no server process answers there",
                next_step=failure.remedy,
            )
    return passed(f"{patient.place.target.uri}/health answered OK in {seconds * 1000:.0f} ms")


def query(patient: Patient) -> Answer:
    """Does a question that needs the database get its answer, and in time?"""
    limit_ms = patient.settings.telemetry.slow_response_ms if patient.place.stack else SLOW_MS
    with asking(patient) as (server, _):
        began = patient.place.clock.monotonic()
        try:
            server.search("experiments/search", {"max_results": 1})
        except CallFailed as failure:
            return _unanswered(failure)
        took_ms = (patient.place.clock.monotonic() - began) * 1000
    if took_ms > limit_ms:
        return failed(
            f"experiments/search took {took_ms:.0f} ms, slowResponseMs is {limit_ms}",
            cause="the server or its database is overloaded, or far away",
            next_step="`python -m operations latency` tells the two apart; then look at slow "
            "queries and connections.",
        )
    return passed(f"experiments/search answered in {took_ms:.0f} ms")


def _unanswered(failure: CallFailed) -> Answer:
    if failure.problem.startswith(("HTTP 401", "HTTP 403")):
        return failed(
            failure.problem,
            cause="the server, or what stands in front of it, does not let this user in",
            next_step=failure.remedy,
        )
    return failed(
        failure.problem,
        cause="the process may live, but what it needs for an answer (its database) does not",
        next_step="Look at the database's findings, then at the server's log.",
    )


def versions(patient: Patient) -> Answer:
    """Does the server have the version that was deployed, and do clients here fit it?"""
    found = _get(patient, "/version").body.decode("utf-8", "replace").strip()
    if not found or len(found) > 40 or not found[0].isdigit():
        return failed(
            f"/version answered {patient.foreign(found)[:80]!r}",
            cause="something else than MLflow answers there, such as a login page",
            next_step="Check the tracking URI, and what stands in front of the server.",
        )
    deployed = patient.place.outputs.mlflow_version if patient.place.outputs else None
    if deployed and deployed != found:
        return failed(
            f"the server is MLflow {found}, the stack deployed {deployed}",
            cause="a rollout did not finish, an older server still answers, or the image's tag "
            "holds another version than it says",
            next_step="`kubectl rollout status -n mlflow deployment/mlflow`; else deploy the stack "
            "again (`make up`).",
        )
    ours = _installed()
    if ours and ours.split(".")[0] != found.split(".")[0]:
        return failed(
            f"the server is MLflow {found}, the client here is {ours}",
            cause="client and server are a major version apart",
            next_step=f"Install mlflow=={found.split('.')[0]}.* where jobs run.",
        )
    return passed(f"server {found}" + (f", client here {ours}" if ours else ""))


def _get(patient: Patient, path: str) -> HttpAnswer:
    return send(patient, "GET", path, None)


def send(patient: Patient, method: str, path: str, body: bytes | None) -> HttpAnswer:
    """One request as the user that the smoke tests are; a timeout is an answer, 504."""
    with asking(patient) as (_, connection):
        url = patient.place.target.uri + path
        headers = {
            "User-Agent": "mlflow-platform-doctor/1",
            **patient.door.authentication.headers(method, url, body),
        }
        try:
            return connection.request(
                method, path, headers=headers, body=body, timeout=REQUEST_SECONDS
            )
        except TransportProblem as trouble:
            if trouble.trouble is Trouble.TIMEOUT and path != "/version":
                return HttpAnswer(
                    status=504, reason=str(trouble), headers={}, body=b"", seconds=REQUEST_SECONDS
                )
            raise NotRun(f"the server does not answer ({trouble})") from None


def _installed() -> str | None:
    try:
        return version("mlflow")
    except PackageNotFoundError:
        return None


def _resolves(host: str, port: int) -> bool:
    try:
        socket.getaddrinfo(host, port)
    except OSError:
        return False
    return True


def is_named(uri: str) -> bool:
    """Whether the address has a name that DNS has to know."""
    host = urlsplit(uri).hostname or ""
    return not (host == "localhost" or host.replace(".", "").isdigit() or ":" in host)


CHECKS = (
    Check(
        name="server.health",
        question="Does a server process answer?",
        ask=health,
        explained_by=(
            "server.name",
            "machine.processes",
            "kubernetes.rollout",
            "kubernetes.service",
            "gcp.service",
        ),
    ),
    Check(
        name="server.query",
        question="Does a question that needs the database get its answer, and in time?",
        ask=query,
        explained_by=(
            "server.health",
            "aws.database",
            "gcp.database",
            "aws.secret",
            "kubernetes.secret",
            "machine.password",
            "database.login",
            "aws.security_group",
            "database.waiting",
            "database.connections",
            "database.schema",
            "logs.pool",
        ),
        timeout_seconds=25,
    ),
    Check(
        name="server.versions",
        question="Is the server's version the deployed one, and does the client here fit it?",
        ask=versions,
        explained_by=("kubernetes.rollout",),
    ),
)

NAME = Check(name="server.name", question="Does the server's name lead to an address?", ask=name)
