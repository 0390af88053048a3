"""Names, tags and labels of everything the platform makes, derived in one place.

Owns the rule `mlops-platform-<environment>-mlflow` (and `…-mlflow-artifacts-<account>` for
buckets), so that a runbook, an alarm and a `kubectl` line can be written down before the stack
exists. It knows nothing of any cloud; limits on length and characters are the strictest of the
places a name goes to (RDS identifiers, S3 buckets, Kubernetes labels).
"""

from __future__ import annotations

import re

PLATFORM = "mlops-platform"
SERVICE = "mlflow"

LONGEST_ENVIRONMENT = 18
"""What a bucket's name of 63 characters leaves beside the platform's words and an account of 12."""

_ENVIRONMENT = re.compile(rf"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){{0,{LONGEST_ENVIRONMENT - 1}}}")
"""Lower case, digits and single hyphens: what S3, RDS and Kubernetes labels all accept."""


def is_valid_environment(environment: str) -> bool:
    """Whether every name derived from `environment` is valid everywhere it is used."""
    return _ENVIRONMENT.fullmatch(environment) is not None


def base_name(environment: str) -> str:
    """Name of the platform in an environment: `mlops-platform-dev-mlflow`."""
    return f"{PLATFORM}-{environment}-{SERVICE}"


def artifact_bucket_name(environment: str, account: str) -> str:
    """Name of the artifact bucket: `mlops-platform-dev-mlflow-artifacts-123456789012`.

    The account's number (on Google Cloud the project's number, also 12 digits: a project id may
    have 30 characters) makes a globally shared name unique without randomness, so the runbooks can
    spell it.
    """
    return bucket_name(environment, "artifacts", account)


def bucket_name(environment: str, purpose: str, account: str) -> str:
    """Name of a bucket; `purpose` is at most as long as `artifacts`."""
    return f"{base_name(environment)}-{purpose}-{account}"


def tags(environment: str) -> dict[str, str]:
    """Tags (AWS) or labels (GCP, Kubernetes) that say whose a resource is and who manages it."""
    return {
        "project": PLATFORM,
        "service": SERVICE,
        "environment": environment,
        "managed-by": "pulumi",
    }
