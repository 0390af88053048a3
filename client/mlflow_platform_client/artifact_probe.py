"""One small artifact, written and read back the way the training job will write its own.

Owns the artifact step of the preflight. It goes through MLflow's artifact repository, so the
identity is the job's own: through the server for `mlflow-artifacts:`, straight to the store for
s3://, gs:// and folders. Where the location is a folder and the server another machine, MLflow
writes to *this* machine's disk and nobody finds it; that is a failure too.
"""

from __future__ import annotations

import importlib
import tempfile
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow_platform_client.configuration_mlflow import briefly
from mlflow_platform_client.deadline import within
from mlflow_platform_client.errors import ArtifactStoreFailed, ServerUnreachable, TrackingError
from mlflow_platform_client.masking import mask, mask_exception
from mlflow_platform_client.preflight_step import StepFailed, Verdict
from mlflow_platform_client.tracking_api import TrackingApi

FOLDER = "preflight"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def probe_artifacts(location: str, api: TrackingApi) -> Verdict:
    """Write, read back, compare, and take away again.

    Raises:
        ArtifactStoreFailed: with the store's own words.
        StepFailed: the bytes differ, or end up where nobody will look for them.
    """
    settings = api.settings
    shown = mask(location, settings.secrets())
    if not location:
        raise StepFailed(
            "the run has no artifact location", "Start the server with --default-artifact-root."
        )
    _check_folder_is_the_servers(location, api.tracking_uri)
    action = f"write an artifact to {shown}"
    content = f"written by the preflight, {uuid.uuid4()}\n".encode()
    try:
        with briefly(settings):
            read = within(
                2 * settings.preflight_timeout_seconds,
                action,
                lambda: _round_trip(location, api.tracking_uri, content),
            )
    except ServerUnreachable:
        raise
    except Exception as error:
        words = _words_of_the_server(location, api) or f"{type(error).__name__}: {error}"
        said = " ".join(mask(words, settings.secrets()).split())[:500]
        raise ArtifactStoreFailed(f"could not {action}: {said}") from mask_exception(
            error, settings.secrets()
        )
    if read != content:
        raise StepFailed(
            f"{len(content)} bytes were written to {shown} and {len(read)} others read back",
            "A proxy or a cache changes what is stored: let requests to the server pass untouched.",
        )
    through = "through the server" if _is_served(location) else "directly"
    return Verdict(f"{len(content)} bytes written to {shown} and read back, {through}")


def _words_of_the_server(location: str, api: TrackingApi) -> str | None:
    """Why an upload through the server fails: MLflow's retries throw its answer away."""
    if urlsplit(location).scheme != "mlflow-artifacts":
        return None
    path = urlsplit(location).path.strip("/")
    try:
        api.put(
            f"/api/2.0/mlflow-artifacts/artifacts/{path}/{FOLDER}/{uuid.uuid4().hex}.txt",
            b"",
            action="upload",
        )
    except TrackingError as error:
        return str(error).removeprefix("could not upload: ")
    return None


def _round_trip(location: str, tracking_uri: str, content: bytes) -> bytes:
    registry: Any = importlib.import_module("mlflow.store.artifact.artifact_repository_registry")
    repository = registry.get_artifact_repository(location, tracking_uri=tracking_uri)
    with tempfile.TemporaryDirectory() as folder:
        name = f"{uuid.uuid4().hex}.txt"
        source = Path(folder, name)
        source.write_bytes(content)
        repository.log_artifact(str(source), FOLDER)
        target = Path(folder, "read-back")
        target.mkdir()
        read = Path(
            repository.download_artifacts(f"{FOLDER}/{name}", dst_path=str(target))
        ).read_bytes()
    try:
        repository.delete_artifacts(f"{FOLDER}/{name}")
    except Exception:  # an identity that may not delete is a good one
        return read
    return read


def _check_folder_is_the_servers(location: str, tracking_uri: str) -> None:
    scheme = urlsplit(location).scheme
    host = urlsplit(tracking_uri).hostname or ""
    if scheme in ("", "file") and host not in _LOOPBACK:
        path = urlsplit(location).path or location
        if not Path(path).is_dir():
            raise StepFailed(
                f"the artifact location is the folder {path} and the server is {host}: artifacts "
                "would stay on this machine",
                "Let the server serve artifacts (--serve-artifacts), use s3:// or gs://, or mount "
                "the same folder here.",
            )


def _is_served(location: str) -> bool:
    return urlsplit(location).scheme in ("mlflow-artifacts", "http", "https")
