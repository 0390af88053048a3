"""The server's environment as a container gets it.

Owns the step from `MlflowServer` to environment variables: what is plain stands in the Deployment,
the database's address is known when the database is, and passwords come from Secrets. MLflow's
list of allowed hosts gains the pod's own address, which Kubernetes fills in when it starts the pod:
probes, load balancers and Prometheus call a pod by its address, and MLflow would answer 403.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.core.v1 import EnvVarArgs, EnvVarSourceArgs, ObjectFieldSelectorArgs

from infra.kubernetes.credentials import AUTHENTICATION, DATABASE_PASSWORD
from infra.kubernetes.pod_security import HOME
from infra.kubernetes.wiring import KubernetesWiring

if TYPE_CHECKING:
    from infra.mlflow_server import MlflowServer
    from infra.settings import PlatformSettings

_OWN_ADDRESS = "$(POD_IP)"
"""Replaced by the kubelet; a variable must be listed before the one that refers to it."""


def literal(text: str) -> str:
    """`text` as it stands in a command or a value, where Kubernetes reads `$(NAME)` as its own."""
    return text.replace("$", "$$")


def command(words: Sequence[str]) -> list[str]:
    """A command as it stands in a container."""
    return [literal(word) for word in words]


def server_environment(
    settings: PlatformSettings, server: MlflowServer, wiring: KubernetesWiring
) -> list[pulumi.Input[EnvVarArgs]]:
    """Environment of the container that serves."""
    plain = {name: literal(value) for name, value in server.environment.items()}
    hosts = (
        plain["MLFLOW_SERVER_ALLOWED_HOSTS"],
        _OWN_ADDRESS,
        f"{_OWN_ADDRESS}:{settings.server.port}",
    )
    plain["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join(hosts)
    own_address = EnvVarArgs(
        name="POD_IP",
        value_from=EnvVarSourceArgs(field_ref=ObjectFieldSelectorArgs(field_path="status.podIP")),
    )
    secret = [AUTHENTICATION[name] for name in server.secret_environment if name in AUTHENTICATION]
    return [own_address, *_plain(plain), *database_environment(settings, wiring), *secret]


def job_environment(
    settings: PlatformSettings, wiring: KubernetesWiring, more: Mapping[str, str] | None = None
) -> list[pulumi.Input[EnvVarArgs]]:
    """Environment of a job on the same database.

    Not the server's: its statement timeout would cut a long migration short.
    """
    plain = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", **(more or {})}
    return [*_plain(plain), *database_environment(settings, wiring)]


def database_environment(
    settings: PlatformSettings, wiring: KubernetesWiring
) -> list[pulumi.Input[EnvVarArgs]]:
    """How libpq finds the database, what the artifact store's SDK needs, and a writable home."""
    found: list[pulumi.Input[EnvVarArgs]] = [
        EnvVarArgs(name="HOME", value=HOME),
        # Python puts the working directory first on its path; nothing is to be imported from it.
        EnvVarArgs(name="PYTHONSAFEPATH", value="1"),
        *(EnvVarArgs(name=name, value=value) for name, value in wiring.environment.items()),
    ]
    if settings.database.engine == "postgresql":
        # The address in the command has neither: libpq takes both from here.
        found.append(EnvVarArgs(name="PGHOST", value=wiring.database_host))
        found.append(EnvVarArgs(name="PGPORT", value=str(settings.database.port)))
        if settings.kubernetes.external_secrets or wiring.database_password is not None:
            found.append(DATABASE_PASSWORD)
    return found


def _plain(values: Mapping[str, str]) -> list[EnvVarArgs]:
    return [EnvVarArgs(name=name, value=value) for name, value in values.items()]
