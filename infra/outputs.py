"""The contract between a deployed stack and everything that uses it afterwards.

Owns the names of the stack's outputs and their meaning. The smoke tests, the operations commands
and the client read a stack only through `PlatformOutputs`, so a target may change how it is built
without any of them noticing. It fetches nothing: whoever holds the outputs as JSON (from
`stack output --json --show-secrets`) hands them in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields


class OutputsError(ValueError):
    """A stack's outputs are missing something the contract promises."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlatformOutputs:
    """What a stack exports; each attribute is the output of the same name in camelCase."""

    environment: str  # `local`, `dev`, `prod`, …
    target: str  # `local`, `aws` or `gcp`
    tracking_uri: str  # what clients use, static prefix included
    health_url: str  # answers 200 while the server process lives
    experiment_name: str  # the experiment the four-stage check writes to
    artifact_root: str  # where artifact bytes end up
    backend_store: str  # SQLAlchemy URL without a password
    authentication: str  # `off`, `basic` or `oidc`
    mlflow_version: str  # version of the deployed server
    connection_budget: str  # the arithmetic, in words
    client_environment: Mapping[str, str]  # what a training job sets
    auth_admin_username: str | None = None
    auth_admin_password: str | None = field(default=None, repr=False)  # secret
    database_host: str | None = None  # None: no PostgreSQL (sqlite)
    database_port: int | None = None
    database_name: str | None = None
    database_user: str | None = None
    database_password: str | None = field(default=None, repr=False)  # secret
    log_directory: str | None = None  # None: logs live in the cloud's own log service
    # What operations and runbooks look a cloud's resources up by; None where there is none.
    region: str | None = None
    account: str | None = None  # AWS: the account's number; Google Cloud: the project
    vpc_id: str | None = None
    encryption_key_arn: str | None = None
    database_identifier: str | None = None  # mlops-platform-<environment>-mlflow
    database_secret_arn: str | None = None
    artifact_bucket: str | None = None
    cluster_name: str | None = None
    kubernetes_namespace: str | None = None
    server_role_arn: str | None = None
    training_role_arn: str | None = None
    load_balancer_dns_name: str | None = None  # what the name in trackingUri must lead to
    alarm_topic_arn: str | None = None
    backup_vault_name: str | None = None
    service_name: str | None = None  # Cloud Run

    @classmethod
    def from_mapping(cls, outputs: Mapping[str, object]) -> PlatformOutputs:
        """Read the outputs of a stack.

        Outputs this version does not know are ignored: a newer program may export more.

        Raises:
            OutputsError: a promised output is absent, with the command that shows what is there.
        """
        names = {item.name: camel_case(item.name) for item in fields(cls)}
        required = [item.name for item in fields(cls) if item.default is MISSING]
        missing = [names[name] for name in required if names[name] not in outputs]
        if missing:
            raise OutputsError(
                f"the stack exports no {', '.join(missing)}: it was never deployed, or its last "
                "`up` failed; run `make up` for this stack, which prints them"
            )
        known = {name: outputs[key] for name, key in names.items() if key in outputs}
        if known.get("database_port") is not None:
            known["database_port"] = int(float(str(known["database_port"])))
        return cls(**known)  # pyright: ignore[reportArgumentType]  # JSON; names checked above


def camel_case(name: str) -> str:
    """`tracking_uri` → `trackingUri`: Pulumi's convention for outputs and configuration."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
