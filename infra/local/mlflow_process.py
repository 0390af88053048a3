"""The MLflow server as a Pulumi resource.

Owns when the server is started, changed and stopped; how it runs is `server_process`'s. A changed
definition is an update of this resource alone: it restarts the server and waits until a real
query is answered. Where the new definition does not come up, the previous one is put back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import pulumi
from pulumi.dynamic import Resource

from infra.local.errors import LocalPlatformError
from infra.local.layout import PROJECT_DIRECTORY, Layout, interpreter
from infra.local.provider import LocalProvider, Properties
from infra.local.server_process import NAME, ServerProcess

if TYPE_CHECKING:
    from infra.mlflow_server import MlflowServer

CLOUD_CREDENTIALS = {
    "s3": ("AWS_*", "MLFLOW_S3_*"),
    "gs": ("GOOGLE_*", "CLOUDSDK_CONFIG"),
}
"""What of the caller's environment the server needs to reach a store of that scheme."""

SERVER_PACKAGE = PROJECT_DIRECTORY / "image"
"""What holds `mlflow_platform_server`, which the definition's command starts."""

NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_*", "REQUESTS_CA_BUNDLE")


class MlflowProcessProvider(LocalProvider):
    """Starts, watches, changes and stops the server."""

    replace_on = frozenset({"directory"})

    def problems(self, olds: Properties, news: Properties) -> Iterable[tuple[str, str]]:
        """A port that somebody else has."""
        if (olds.get("host"), olds.get("port")) != (news["host"], news["port"]):
            taken = ServerProcess(news).port_problem()
            if taken:
                yield "port", taken

    def make(self, props: Properties) -> tuple[str, Properties]:
        """Start it, or adopt what an interrupted creation started."""
        server = ServerProcess(props)
        try:
            server.start()
        except LocalPlatformError:
            server.discard()  # what is in no state may not go on running
            raise
        return str(props["directory"]) + "/" + NAME, {}

    def observe(self, props: Properties) -> Properties | None:
        """How it is."""
        return {"state": ServerProcess(props).state()}

    def change(self, olds: Properties, news: Properties) -> Properties:
        """Restart with another definition, or start again what was stopped."""
        del olds
        ServerProcess(news).change()
        return {}

    def remove(self, props: Properties) -> None:
        """Stop it."""
        ServerProcess(props).discard()


class MlflowProcess(Resource, module="local", name="MlflowServer"):
    """MLflow's server on this machine."""

    tracking_uri: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        layout: Layout,
        server: MlflowServer,
        *,
        host: str,
        port: int,
        tracking_uri: str,
        secret_environment: Mapping[str, pulumi.Input[str]],
        probe_user: str,
        probe_password: pulumi.Input[str],
        artifact_root: str,
        prometheus: bool,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the server that `server` defines; every secret it names must be supplied."""
        missing = [item for item in server.secret_environment if item not in secret_environment]
        if missing:
            raise LocalPlatformError(
                f"the server's definition needs {', '.join(missing)} and this target supplies no "
                "value for it: this is a fault of the program, please report it"
            )
        auth_config = {str(layout.auth_config): server.auth_config} if server.auth_config else {}
        props = {
            "directory": str(layout.root),
            "command": [interpreter(), *server.command[1:]],
            # The package beside this program, of this checkout: nothing has to be installed.
            "environment": {**server.environment, "PYTHONPATH": str(SERVER_PACKAGE)},
            "secret_environment": pulumi.Output.secret(
                {item: secret_environment[item] for item in server.secret_environment}
            ),
            "files": auth_config,
            # Counters of dead workers would be added to those of the living.
            "fresh_directories": [str(layout.prometheus)] if prometheus else [],
            "lent_environment": lent_names(artifact_root),
            "version": f"MLflow {version('mlflow')}",
            "host": host,
            "port": port,
            "tracking_uri": tracking_uri,
            "readiness_path": server.readiness.path,
            "readiness_seconds": server.readiness.timeout_seconds,
            "liveness_path": server.liveness.path,
            "liveness_seconds": server.liveness.timeout_seconds,
            "start_seconds": server.startup.patience_seconds,
            "grace_seconds": server.graceful_shutdown_seconds,
            "probe_user": probe_user,
            "probe_password": pulumi.Output.secret(probe_password),
            "state": "running",
        }
        super().__init__(MlflowProcessProvider(), name, props, opts)


def lent_names(artifact_root: str) -> Sequence[str]:
    """Patterns of the caller's variables that a store at `artifact_root` needs."""
    credentials = CLOUD_CREDENTIALS.get(artifact_root.partition("://")[0], ())
    return [*credentials, *NETWORK] if credentials else []
