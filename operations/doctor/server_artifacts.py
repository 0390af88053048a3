"""Can the server keep an artifact?

Owns one small artifact that the server writes, reads and deletes: with its own identity, network
and key, which no look at a policy replaces.
"""

from __future__ import annotations

import os

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import Patient
from operations.doctor.server import send
from smoke_tests.http_connection import Answer as HttpAnswer

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


def artifacts(patient: Patient) -> Answer:
    """Can the server write, read and delete an artifact?"""
    path = f"{ARTIFACTS}/doctor-{os.urandom(8).hex()}/probe.txt"
    content = b"written by doctor; may be deleted"
    steps = (("PUT", "write", content), ("GET", "read back", None), ("DELETE", "delete", None))
    began = patient.place.clock.monotonic()
    for method, word, body in steps:
        answer = send(patient, method, path, body)
        if answer.status in (404, 503) and method == "PUT" and _not_served(answer):
            raise NotRun("the server does not serve artifacts (serveArtifacts: false)")
        if answer.status >= 300 or (method == "GET" and answer.body != content):
            return _artifact_trouble(patient, answer, word)
    took = (patient.place.clock.monotonic() - began) * 1000
    return passed(f"{len(content)} bytes written, read back and deleted in {took:.0f} ms")


def _artifact_trouble(patient: Patient, answer: HttpAnswer, word: str) -> Answer:
    said = patient.foreign(answer.body.decode("utf-8", "replace"))[:200] or answer.reason
    root = patient.outputs.artifact_root if patient.place.outputs else ""
    if answer.status in (401, 403):
        cause, step = (
            "we are not let in to artifacts as this user",
            "Check the user's permissions in MLflow, and what stands in front of the server.",
        )
    elif root.startswith("s3://"):
        cause, step = (
            "the server's role may not use the bucket or its key, or the bucket is gone",
            "See the findings on bucket, role, policies and key; the server's log names the call.",
        )
    elif root.startswith("gs://"):
        cause, step = (
            "the server's service account may not use the bucket, or the bucket is gone",
            "See the findings on the bucket and its IAM policy; the server's log names the call.",
        )
    else:
        cause, step = (
            "the server cannot write to its artifact folder: rights, a full disk, or it is gone",
            f"Look at {root or 'the artifact folder'} on the server's machine (`ls -ld`, `df -h`).",
        )
    return failed(
        f"could not {word} an artifact: HTTP {answer.status} ({said})", cause=cause, next_step=step
    )


def _not_served(answer: HttpAnswer) -> bool:
    return b"disabled" in answer.body.lower() or b"serve-artifacts" in answer.body.lower()


CHECKS = (
    Check(
        name="server.artifacts",
        question="Can the server write, read and delete an artifact?",
        ask=artifacts,
        explained_by=(
            "server.health",
            "machine.artifact_folder",
            "machine.disk",
            "aws.bucket",
            "aws.bucket_policy",
            "aws.server_role",
            "aws.key",
            "gcp.bucket",
        ),
        timeout_seconds=25,
    ),
)
