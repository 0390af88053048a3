"""The server as a client meets it: its version, and the switches whose effect shows outside.

Owns five questions, each a GET that changes nothing: which MLflow answers, whether it asks for a
password, whether it serves artifacts, whether it shows metrics, and whether it answers under the
prefix. What the settings say is expected; a load balancer that answers in its place is said.
"""

from __future__ import annotations

from http import HTTPStatus

from operations.drift_findings import Difference
from operations.drift_sight import NotVisible, Seen, Sight, finding
from smoke_tests.connecting import Door
from smoke_tests.http_connection import Answer
from smoke_tests.json_document import find_text, parse_document
from smoke_tests.retrying import Patience
from smoke_tests.transport_problem import TransportProblem

LOOK = "server"
SECONDS = 15
NOBODY = "drift-nobody-has-this-name"

_PATIENCE = Patience(waits=(), health_timeout_seconds=SECONDS, request_timeout_seconds=SECONDS)


def look(sight: Sight) -> Seen:
    """Ask the server.

    Raises:
        NotVisible: it does not answer from here.
    """
    sight.must_be_real()
    door = sight.place.door(_PATIENCE)
    health = _get(door, "/health", signed=True)
    if health.status != HTTPStatus.OK:
        raise NotVisible(
            f"{sight.place.target.uri}/health answers {health.status}, so this is not MLflow's own "
            "answer: see `python -m operations doctor`"
        )
    version = _get(door, "/version", signed=True).body.decode("utf-8", "replace").strip()
    found = {
        "MLflow's version": version,
        "asks for a password": _asks_for_a_password(door),
        "serves artifacts": _serves_artifacts(door),
        "shows /metrics": _yes(_get(door, "/metrics", signed=True).status == HTTPStatus.OK),
    }
    settings = sight.settings
    expected = {
        "MLflow's version": sight.outputs.mlflow_version,
        "asks for a password": _yes(settings.authentication.kind == "basic"),
        "serves artifacts": _yes(settings.server.serve_artifacts),
        "shows /metrics": _yes(settings.telemetry.prometheus),
    }
    findings = [
        item
        for name, wanted in expected.items()
        if found[name] != wanted
        for item in finding(
            LOOK,
            name,
            [Difference(property=name, expected=wanted, found=found[name])],
            severity="critical" if name == "asks for a password" else "warning",
        )
    ]
    return Seen(
        looked_at=f"MLflow {version}; "
        + ", ".join(f"{n}: {v}" for n, v in list(found.items())[1:]),
        findings=tuple(findings),
    )


def _asks_for_a_password(door: Door) -> str:
    answer = _get(door, "/api/2.0/mlflow/experiments/get?experiment_id=0", signed=False)
    return _yes(answer.status == HTTPStatus.UNAUTHORIZED)


def _serves_artifacts(door: Door) -> str:
    """A server that does not is asked in vain: it answers 503 and says so."""
    answer = _get(door, f"/api/2.0/mlflow-artifacts/artifacts?path={NOBODY}", signed=True)
    told = find_text(parse_document(answer.body), "message") or answer.body.decode(
        "utf-8", "replace"
    )
    disabled = answer.status == HTTPStatus.SERVICE_UNAVAILABLE and "serve-artifacts" in told
    return _yes(not disabled and answer.status != HTTPStatus.NOT_FOUND)


def _get(door: Door, path: str, *, signed: bool) -> Answer:
    _, connection = door.connect()
    url = door.target.uri + path
    none: dict[str, str] = {}
    headers = door.authentication.headers("GET", url, None) if signed else none
    try:
        return connection.request("GET", path, headers=headers, body=None, timeout=SECONDS)
    except TransportProblem as problem:
        raise NotVisible(str(problem)) from None
    finally:
        connection.close()


def _yes(value: bool) -> str:
    return "yes" if value else "no"
