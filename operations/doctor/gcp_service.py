"""Cloud Run, the bucket and the secrets: does the server run, and has it what it needs?

Owns the service's own word on its revisions, who may use the bucket, and whether the password that
the newest revision reads is the database's.
"""

from __future__ import annotations

import base64
from typing import Any

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.gcp_account import asking_google, project_path
from operations.doctor.patient import Patient

WRITERS = (
    "roles/storage.objectUser",
    "roles/storage.objectAdmin",
    "roles/storage.admin",
)
DEPLOY = "Deploy the stack again (`make up`), which puts it back."


def _service(patient: Patient) -> dict[str, Any] | None:
    name = patient.outputs.service_name
    if not name:
        raise NotRun("the stack exports no serviceName")
    place = f"v2/{project_path(patient)}/locations/{patient.outputs.region}/services/{name}"
    with asking_google(patient) as google:
        found = patient.once("google service", lambda: google.get("run", place))
    return None if found is None else dict(found)


def service(patient: Patient) -> Answer:
    """Does the newest revision serve, and is one always warm?"""
    name, found = patient.outputs.service_name, _service(patient)
    if found is None:
        return failed(
            f"Cloud Run knows no service {name} in {patient.outputs.region}",
            cause="the service was deleted",
            next_step=DEPLOY,
        )
    patient.exhibits.add("gcp/service_status.json", _status_of(found))
    ready = str(found.get("latestReadyRevision", "")).rpartition("/")[2]
    made = str(found.get("latestCreatedRevision", "")).rpartition("/")[2]
    conditions = [found.get("terminalCondition") or {}, *(found.get("conditions") or [])]
    broken = [item for item in conditions if item.get("state") == "CONDITION_FAILED"]
    if broken or ready != made:
        said = broken[0].get("message") if broken else "it did not become ready"
        return failed(
            f"revision {made} does not serve, {ready or 'none'} does: {patient.foreign(str(said))}",
            cause="the newest revision did not start: image, secret, memory, or the database that "
            "its first query needs",
            next_step=f"gcloud run services logs read {name} --limit=200 says why; the previous "
            "revision goes on serving.",
        )
    least = (found.get("template", {}).get("scaling") or {}).get("minInstanceCount") or 0
    wanted = patient.settings.gcp.cloud_run.minimum_instances
    if int(least) < wanted:
        return failed(
            f"{least} instances are kept warm, the stack wants {wanted}",
            cause="the minimum was changed: a first call waits for a cold start and times out",
            next_step=DEPLOY,
        )
    return passed(f"revision {ready} serves, {least} instances are kept warm")


def _status_of(found: dict[str, Any]) -> dict[str, Any]:
    """A service without its environment, which may hold anything."""
    keys = (
        "terminalCondition",
        "conditions",
        "latestReadyRevision",
        "latestCreatedRevision",
        "trafficStatuses",
        "updateTime",
        "lastModifier",
    )
    return {key: found.get(key) for key in keys}


def bucket(patient: Patient) -> Answer:
    """Is the bucket there, private, and may the server write to it?"""
    name = patient.outputs.artifact_bucket
    if not name:
        raise NotRun(f"artifacts are in {patient.outputs.artifact_root}, no bucket of this stack")
    with asking_google(patient) as google:
        found: Any = google.get("storage", f"storage/v1/b/{name}")
        policy: Any = google.get("storage", f"storage/v1/b/{name}/iam") if found else None
    if found is None:
        return failed(
            f"Cloud Storage knows no bucket {name}",
            cause="the bucket was deleted, with every artifact in it",
            next_step="Within the days of soft deletion: gcloud storage restore; else deploy the "
            "stack again and restore a backup (docs/runbooks/backup.md).",
        )
    private = (found.get("iamConfiguration") or {}).get("publicAccessPrevention")
    if private != "enforced":
        return failed(
            f"{name}: public access prevention is {private or 'off'}",
            cause="the bucket's settings were changed outside of the stack",
            next_step=DEPLOY,
        )
    server = ((_service(patient) or {}).get("template") or {}).get("serviceAccount")
    if not server:
        raise NotRun(f"{name} is there; who the server is there is not known: see gcp.service")
    bindings = (policy or {}).get("bindings") or []
    roles = [
        str(item["role"])
        for item in bindings
        if f"serviceAccount:{server}" in (item.get("members") or [])
    ]
    if not any(role in WRITERS for role in roles):
        return failed(
            f"{server} has {', '.join(roles) or 'no role'} on {name}",
            cause="the server's service account may not write to the bucket: its grant was removed",
            next_step=DEPLOY,
        )
    return passed(f"{name} is there and private, {server} has {', '.join(roles)}")


def secret(patient: Patient) -> Answer:
    """Is the password that the server reads the stack's?"""
    wanted = patient.outputs.database_password
    if not wanted:
        raise NotRun("the server logs in with its identity, no password")
    reference = _password_reference(_service(patient) or {})
    if reference is None:
        raise NotRun("the service names no secret for PGPASSWORD: see gcp.service")
    name, version = reference
    path = f"v1/{project_path(patient)}/secrets/{name}/versions/{version}"
    with asking_google(patient) as google:
        found: Any = google.get("secretmanager", path)
        if found is None or found.get("state") != "ENABLED":
            state = "not there" if found is None else found.get("state")
            return failed(
                f"version {version} of secret {name} is {state}",
                cause="the version that the server reads was disabled or destroyed: no new "
                "instance can start",
                next_step=f"gcloud secrets versions enable {version} --secret={name}; where it is "
                "gone, deploy the stack again (`make up`).",
            )
        answer: Any = google.get("secretmanager", f"{path}:access")
    password = base64.b64decode(answer["payload"]["data"]).decode("utf-8", "replace")
    patient.place.masker.remember(password)
    if password != wanted:
        return failed(
            f"version {version} of secret {name} is another password than the database's",
            cause="the secret got a new version, or the database a new password, alone",
            next_step="Deploy the stack again (`make up`), which writes one password to both and "
            "makes a new revision.",
        )
    return passed(f"version {version} of secret {name}, which the server reads, is the stack's")


def _password_reference(found: dict[str, Any]) -> tuple[str, str] | None:
    for container in (found.get("template") or {}).get("containers") or []:
        for variable in container.get("env") or []:
            source = (variable.get("valueSource") or {}).get("secretKeyRef")
            if variable.get("name") == "PGPASSWORD" and source:
                name = str(source["secret"]).rpartition("/")[2]
                return name, str(source.get("version") or "latest")
    return None


CHECKS = (
    Check(
        name="gcp.service",
        question="Does the newest revision serve, and is one instance always warm?",
        ask=service,
        explained_by=("gcp.account", "gcp.secret", "gcp.database"),
    ),
    Check(
        name="gcp.bucket",
        question="Is the artifact bucket there, private, and may the server write to it?",
        ask=bucket,
        explained_by=("gcp.account",),
    ),
    Check(
        name="gcp.secret",
        question="Is the password that the server reads the database's?",
        ask=secret,
        explained_by=("gcp.account",),
    ),
)
