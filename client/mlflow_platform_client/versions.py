"""Whether this client and that server go together.

Owns the rule: the same major version, and a server at least as new as the client. MLflow promises
nothing across majors; an older server of the same major lacks calls that the client may make.
"""

from __future__ import annotations

from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from mlflow_platform_client.findings import Outcome


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing two versions."""

    outcome: Outcome
    message: str
    remedy: str | None = None


def compare_versions(*, client: str, server: str) -> Comparison:
    """Compare MLflow's version here with the server's."""
    try:
        here, there = Version(client), Version(server)
    except InvalidVersion:
        return Comparison(
            Outcome.WARNING,
            f"the server calls its version {server[:40]!r}, which cannot be compared with {client}",
            "Check by hand that client and server have the same major version.",
        )
    if here.major != there.major:
        remedy = f"Install mlflow-skinny {there.major}.* here; a server is never downgraded."
        if there.major < here.major:
            remedy = (
                f"Upgrade the server to MLflow {here.major}, or install mlflow-skinny "
                f"{there.major}.* here."
            )
        return Comparison(
            Outcome.FAILED,
            f"the client is MLflow {client}, the server {server}: the major versions differ",
            remedy,
        )
    if there.minor < here.minor:
        return Comparison(
            Outcome.WARNING,
            f"the client is MLflow {client}, the server {server}: the server is older",
            f"Upgrade the server to {here.major}.{here.minor}, or install mlflow-skinny=="
            f"{there.major}.{there.minor}.* here; calls that the server lacks will fail.",
        )
    return Comparison(Outcome.PASSED, f"client {client}, server {server}")
