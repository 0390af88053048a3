"""Google Cloud: who we are there, and how it is asked.

Owns what a refusal means for a check. The APIs are asked through `google_api`, once signed in for
all checks.
"""

from __future__ import annotations

import datetime
from collections.abc import Generator
from contextlib import contextmanager

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import Patient
from operations.drift_sight import NotVisible
from operations.google_api import GoogleApi


@contextmanager
def asking_google(patient: Patient) -> Generator[GoogleApi]:
    """Google's APIs.

    Raises:
        NotRun: no credentials, no permission, or no answer.
    """
    try:
        yield patient.once("google", lambda: GoogleApi(patient.place.environ))
    except NotVisible as reason:
        raise NotRun(f"Google cannot be asked: {patient.foreign(str(reason))}") from None


def project_path(patient: Patient) -> str:
    """`projects/<project>`, as most of Google's paths begin."""
    return f"projects/{patient.outputs.account}"


def moment_of(text: object) -> datetime.datetime | None:
    """A time as Google's APIs write it; None where there is none."""
    try:
        return datetime.datetime.fromisoformat(str(text)).astimezone(datetime.UTC)
    except ValueError:
        return None


def account(patient: Patient) -> Answer:
    """Do we see the stack's project?"""
    project = patient.outputs.account
    try:
        found = GoogleApi(patient.place.environ).get(
            "cloudresourcemanager", f"v1/{project_path(patient)}"
        )
    except NotVisible as reason:
        return failed(
            patient.foreign(str(reason)),
            cause="Google does not know who asks, or gives us no right to look",
            next_step="gcloud auth application-default login; the role Viewer on the project is "
            "enough.",
        )
    if found is None or found.get("lifecycleState") not in (None, "ACTIVE"):
        state = "not there" if found is None else found["lifecycleState"]
        return failed(
            f"project {project} is {state}",
            cause="the project was deleted, or the credentials are another organisation's",
            next_step=f"gcloud projects describe {project}; within 30 days: gcloud projects "
            f"undelete {project}",
        )
    return passed(f"project {project} is there")


CHECKS = (
    Check(
        name="gcp.account",
        question="Do we see the stack's project, with valid credentials?",
        ask=account,
    ),
)
