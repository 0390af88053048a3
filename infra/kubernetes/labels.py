"""Names and labels of the objects in namespace `mlflow`.

Owns what the runbooks spell (`kubectl get pods -n mlflow -l app=mlflow`) and what selectors rest
on. Pods of jobs carry another `app`: neither the Service nor the disruption budget counts them.
"""

from __future__ import annotations

from infra import naming

NAMESPACE = naming.SERVICE
SERVER = naming.SERVICE
MIGRATION = f"{SERVER}-migration"
RETENTION = f"{SERVER}-retention"
DATABASE_SECRET = f"{SERVER}-db-credentials"
AUTH_SECRET = f"{SERVER}-auth"
AUTH_CONFIG = f"{SERVER}-auth-config"

PORT_NAME = "http"


def selector(app: str = SERVER) -> dict[str, str]:
    """What selects the pods of `app`; a Deployment's can never be changed."""
    return {"app": app}


def labels(environment: str, app: str = SERVER) -> dict[str, str]:
    """Labels of an object that belongs to `app`."""
    return {
        **selector(app),
        "app.kubernetes.io/name": naming.SERVICE,
        "app.kubernetes.io/component": app.removeprefix(f"{SERVER}-")
        if app != SERVER
        else "server",
        "app.kubernetes.io/part-of": naming.PLATFORM,
        "app.kubernetes.io/managed-by": "pulumi",
        "environment": environment,
    }
