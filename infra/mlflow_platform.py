"""The only place that chooses a target.

Owns the step from settings to a deployed platform and from the platform to the stack's outputs.
Each target's package is imported only when its stack is deployed, so a laptop stack never loads a
cloud SDK. The targets' platforms expose the same attributes; nothing below asks which one it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import pulumi

from infra import naming
from infra.client_environment import client_environment
from infra.outputs import PlatformOutputs, camel_case
from infra.server_address import tracking_uri

if TYPE_CHECKING:
    from infra.settings import PlatformSettings


class MlflowPlatform(Protocol):
    """What every target's platform offers once its resources are declared."""

    tracking_uri: pulumi.Output[str]  # resolves when the server is ready
    artifact_root: pulumi.Output[str]
    backend_store: pulumi.Output[str]
    database_password: pulumi.Output[str] | None
    auth_admin_password: pulumi.Output[str] | None
    log_directory: pulumi.Output[str] | None
    more_outputs: Mapping[str, pulumi.Input[object]]  # by attribute of PlatformOutputs


def deploy(settings: PlatformSettings) -> MlflowPlatform:
    """Declare the platform's resources for the target the settings name."""
    if settings.target == "local":
        from infra.local.errors import LocalPlatformError
        from infra.local.local_platform import LocalPlatform

        try:
            return LocalPlatform(naming.base_name(settings.environment), settings)
        except LocalPlatformError as error:
            # What this machine lacks is for its owner to mend: a RunError has no traceback.
            raise pulumi.RunError(str(error)) from None
    name = naming.base_name(settings.environment)
    if settings.target == "aws":
        from infra.aws.aws_platform import AwsPlatform

        return AwsPlatform(name, settings, _aws_region())
    from infra.gcp.gcp_platform import GcpPlatform

    return GcpPlatform(name, settings)


def _aws_region() -> str:
    """Pulumi's own setting of the region, which every AWS stack must have."""
    region = pulumi.Config("aws").get("region")
    if not region:
        raise pulumi.RunError(
            "aws:region is not set, so nobody knows where to deploy: add it to the stack with "
            "`pulumi config set aws:region eu-central-1`, or your own region"
        )
    return region


def export(settings: PlatformSettings, platform: MlflowPlatform) -> None:
    """Export the outputs that `infra.outputs` promises."""
    database = settings.database
    # Known before anything is deployed; the platform's own attributes are known after.
    values: dict[str, object] = {
        "environment": settings.environment,
        "target": settings.target,
        "tracking_uri": platform.tracking_uri,
        "health_url": f"{tracking_uri(settings)}/health",
        "experiment_name": settings.experiment.name,
        "artifact_root": platform.artifact_root,
        "backend_store": platform.backend_store,
        "authentication": settings.authentication.kind,
        "mlflow_version": version("mlflow"),
        "connection_budget": settings.connection_budget.describe()
        if settings.connection_budget
        else "sqlite: one file, no connections to count",
        "client_environment": client_environment(settings),
        "log_directory": platform.log_directory,
    }
    if settings.authentication.kind == "basic":
        values["auth_admin_username"] = settings.authentication.admin_username
        values["auth_admin_password"] = platform.auth_admin_password
    if database.engine == "postgresql":
        values |= {
            "database_host": database.host,
            "database_port": database.port,
            "database_name": database.name,
            "database_user": database.user,
            "database_password": platform.database_password,
        }
    values |= platform.more_outputs
    for item in fields(PlatformOutputs):
        if values.get(item.name) is not None:
            pulumi.export(camel_case(item.name), values[item.name])
