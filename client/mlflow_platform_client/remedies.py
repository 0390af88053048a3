"""What to do about a failed step of the preflight.

Owns the way from an error, and the words a server or a store said, to one piece of advice. The most
specific sign counts: a database that may only be read looks like any other HTTP 500 but for its
words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlflow_platform_client.client_settings import ClientSettings
from mlflow_platform_client.errors import (
    ArtifactStoreFailed,
    AuthenticationFailed,
    RequestRejected,
    ServerFailed,
    ServerUnreachable,
    TrackingError,
)

NOT_MLFLOW = (
    "Something else than MLflow answers there: check host, port and path of the tracking URI; the "
    "path must be the server's --static-prefix, and a login page means that a proxy wants to know "
    "who you are."
)
_READ_LOG = "Read the server's log at this time: it names the cause."


@dataclass(frozen=True, slots=True)
class _Sign:
    """Words that give a cause away."""

    pattern: str
    advice: str
    is_about_storage: bool = False


_SIGNS = (
    _Sign(
        r"read-only transaction|readonly database|read-only mode|ReadOnlySqlTransaction",
        "The server's database accepts no writes: it is a replica, was set to "
        "default_transaction_read_only, or its disk is full. Point the server at the primary, or "
        "make the database writable again.",
    ),
    _Sign(
        r"QueuePool limit",
        "The server has no database connection left: raise its pool (poolSize, poolMaxOverflow) or "
        "lower its workers.",
    ),
    _Sign(
        r"Invalid Host header",
        "The server does not know itself under this name: add host and port to its allowedHosts "
        "(MLFLOW_SERVER_ALLOWED_HOSTS); names match exactly, port included.",
    ),
    _Sign(
        r"password authentication failed|no password supplied|could not connect to server"
        r"|connection to server|OperationalError",
        "The server cannot reach its database: check that the database runs and that the server's "
        "credentials for it are right.",
    ),
    _Sign(
        r"relation \S+ does not exist|no such table|Detected out-of-date database schema",
        "The server's database has another schema than its MLflow: run `mlflow db upgrade`, with a "
        "backup first.",
    ),
    _Sign(
        r"No space left|ENOSPC|Disk quota",
        "The store is full: free space there, or give it more.",
    ),
    _Sign(
        r"No module named '?boto|boto3",
        "This job writes to s3:// itself and needs boto3: install it beside this package.",
        is_about_storage=True,
    ),
    _Sign(
        r"No module named '?google|google-cloud-storage",
        "This job writes to gs:// itself and needs google-cloud-storage: install it beside this "
        "package.",
        is_about_storage=True,
    ),
    _Sign(
        r"Unable to locate credentials|NoCredentials|DefaultCredentialsError",
        "This job has no identity for the artifact store: give it a role, or set its credentials; "
        "or let the server serve artifacts (serveArtifacts), so that jobs need none.",
        is_about_storage=True,
    ),
    _Sign(
        r"AccessDenied|Access Denied|403|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch",
        "This job's identity may not write there: grant it put and get on the experiment's "
        "artifact location, or let the server serve artifacts (serveArtifacts).",
        is_about_storage=True,
    ),
    _Sign(
        r"NoSuchBucket|bucket does not exist|Not Found",
        "The experiment's artifact location does not exist: create the bucket, or use an "
        "experiment with another location; a location never changes once it is set.",
        is_about_storage=True,
    ),
    _Sign(
        r"Permission denied|PermissionError|Read-only file system|Errno 13|Errno 30",
        "The artifact folder cannot be written: make it writable for the user that writes there "
        "(the server's where it serves artifacts, this job's otherwise).",
        is_about_storage=True,
    ),
)


def remedy_for(error: TrackingError, settings: ClientSettings) -> str:
    """One piece of advice; never empty."""
    said = str(error)
    about_artifacts = isinstance(error, ArtifactStoreFailed)
    for sign in _SIGNS:
        if (about_artifacts or not sign.is_about_storage) and re.search(sign.pattern, said):
            return sign.advice
    match error:
        case AuthenticationFailed():
            return _about_identity(error, settings)
        case ServerUnreachable():
            if error.trouble is not None:
                return error.trouble.remedy
            return "Check that the server runs and that this machine can reach it."
        case RequestRejected() if error.code == "NOT_MLFLOW" or (
            error.status in (404, 405) and error.code is None
        ):
            return NOT_MLFLOW
        case ServerFailed() if error.status in (502, 503, 504):
            return (
                "The server behind the load balancer is not ready: check that it runs, passes its "
                "readiness probe and reaches its database."
            )
        case ServerFailed() if error.status == 429:
            return "The server or a gateway limits requests: lower the load, or raise the quota."
        case ServerFailed():
            return f"The server failed inside; most often it cannot use its database. {_READ_LOG}"
        case ArtifactStoreFailed() if "HTTP 5" in said:
            return (
                "The server serves artifacts and cannot store them: check that its "
                "--artifacts-destination is there, has room, and may be written by the server's "
                "own user or role; its log at this time names the cause."
            )
        case ArtifactStoreFailed():
            return (
                "Check that the artifact location is there and that this job may write to it; or "
                "let the server serve artifacts (serveArtifacts)."
            )
        case _:
            return _READ_LOG


def _about_identity(error: AuthenticationFailed, settings: ClientSettings) -> str:
    if error.status == 403:
        return (
            "The caller is known and may not do this, or a gateway refuses it: grant it permission "
            "on the experiment (or roles/run.invoker on a Cloud Run service)."
        )
    if settings.username and settings.password:
        return (
            f"User name or password is wrong: check {_where('username', settings)} and "
            f"{_where('password', settings)}; a password changed in the platform's settings does "
            "not change that of an existing MLflow user."
        )
    if settings.token:
        return f"The token is wrong or expired: fetch a new one into {_where('token', settings)}."
    return (
        "The server wants to know who asks: set MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
    )


def _where(name: str, settings: ClientSettings) -> str:
    """The name a value has where it was found."""
    return settings.source_of(name).name or name
