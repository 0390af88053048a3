"""The platform on this machine, as one component.

Owns which resources a local stack consists of and the order they come in: supervisor, passwords,
PostgreSQL, artifact folder, schema, server. An external backend store or a SQLite file leaves
PostgreSQL out; an artifact store in a cloud leaves the folder out. Its attributes are those of
every other target's platform, so that nobody asks which one it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from infra.database_endpoint import DatabaseEndpoint
from infra.database_tuning import parameters
from infra.local.artifact_folder import ArtifactFolder
from infra.local.layout import PROJECT_DIRECTORY, Layout, stack_layout
from infra.local.migration import Migration
from infra.local.mlflow_process import MlflowProcess
from infra.local.password_file import PasswordFile
from infra.local.passwords import Password, kept_password
from infra.local.postgres import Postgres
from infra.local.supervisor import Supervisor
from infra.mlflow_server import MlflowServer, ServerWiring, render
from infra.server_address import tracking_uri

if TYPE_CHECKING:
    from infra.settings import PlatformSettings

SQLITE = "sqlite:///"

DATABASE_MEMORY_MIB = 1024
"""What PostgreSQL is sized for here: the machine does other things too."""


class LocalPlatform(pulumi.ComponentResource):
    """An MLflow server with its database and artifacts on this machine."""

    tracking_uri: pulumi.Output[str]
    artifact_root: pulumi.Output[str]
    backend_store: pulumi.Output[str]
    database_password: pulumi.Output[str] | None
    auth_admin_password: pulumi.Output[str] | None
    log_directory: pulumi.Output[str] | None
    more_outputs: Mapping[str, pulumi.Input[object]]

    def __init__(
        self, name: str, settings: PlatformSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the resources of a local stack."""
        super().__init__("mlflow-platform:local:LocalPlatform", name, None, opts)
        self._name = name
        self._settings = settings
        self._layout = stack_layout(settings.local.state_dir, pulumi.get_stack())
        store = _backend_store(settings)
        artifact_root = _artifact_root(settings, self._layout)
        server = render(settings, _wiring(settings, self._layout, store, artifact_root))

        supervisor = Supervisor(
            f"{name}-supervisor", self._layout, purge=self._purge, opts=self._child()
        )
        self.database_password, database = self._database(store, supervisor)
        artifacts = self._artifact_folder(artifact_root)
        schema = self._schema(server, [supervisor, *database])
        process = self._server(server, artifact_root, [supervisor, *database, schema, *artifacts])

        self.tracking_uri = process.tracking_uri
        self.artifact_root = pulumi.Output.from_input(artifact_root)
        self.backend_store = pulumi.Output.from_input(
            store if isinstance(store, str) else store.url()
        )
        self.log_directory = pulumi.Output.from_input(str(self._layout.logs))
        self.more_outputs = {}
        self.register_outputs({"tracking_uri": self.tracking_uri})

    @property
    def _purge(self) -> bool:
        return self._settings.local.purge_on_destroy

    def _database(
        self, store: DatabaseEndpoint | str, supervisor: Supervisor
    ) -> tuple[pulumi.Output[str] | None, list[pulumi.Resource]]:
        """The database's password, and what has to stand before it can be used."""
        if isinstance(store, str):
            return None, []
        external = bool(self._settings.database.backend_store_uri)
        needed: list[pulumi.Resource] = []
        if external:
            password = pulumi.Output.secret(self._settings.database.password or "")
        else:
            password, server = self._postgres(store, supervisor)
            needed.append(server)
        file = PasswordFile(
            f"{self._name}-database-password-file",
            self._layout.password_file,
            store,
            password=password,
            opts=self._child(supervisor),
        )
        return password, [*needed, file]

    def _postgres(
        self, endpoint: DatabaseEndpoint, supervisor: Supervisor
    ) -> tuple[pulumi.Output[str], Postgres]:
        settings, name = self._settings, self._name
        password = Password(
            f"{name}-database-password",
            purpose=f"database {endpoint.name} as {endpoint.user}",
            opts=self._child(),
        )
        superuser_password = Password(
            f"{name}-database-superuser-password",
            purpose="database as its superuser",
            opts=self._child(),
        )
        server = Postgres(
            f"{name}-database",
            self._layout,
            endpoint,
            databases=[endpoint.name],
            password=password.value,
            superuser_password=superuser_password.value,
            parameters=parameters(settings, DATABASE_MEMORY_MIB),
            postgres_bin_dir=settings.local.postgres_bin_dir,
            service_user=settings.local.service_user,
            purge=self._purge,
            opts=self._child(supervisor),
        )
        return password.value, server

    def _artifact_folder(self, artifact_root: str) -> list[pulumi.Resource]:
        if "://" in artifact_root:
            return []
        # A folder that the settings name is somebody's own: `purge` is not about it.
        purge = self._purge and not self._settings.artifacts.store
        folder = ArtifactFolder(
            f"{self._name}-artifacts", Path(artifact_root), purge=purge, opts=self._child()
        )
        return [folder]

    def _schema(self, server: MlflowServer, needed: list[pulumi.Resource]) -> Migration:
        return Migration(
            f"{self._name}-schema",
            self._layout,
            server.migration_command,
            password_file=server.environment.get("PGPASSFILE", ""),
            opts=self._child(*needed),
        )

    def _server(
        self, server: MlflowServer, artifact_root: str, needed: list[pulumi.Resource]
    ) -> MlflowProcess:
        settings, name = self._settings, self._name
        secrets: dict[str, pulumi.Input[str]] = {}
        self.auth_admin_password = None
        if settings.authentication.kind == "basic":
            session_key = Password(
                f"{name}-session-key", purpose="sessions of the web page", opts=self._child()
            )
            self.auth_admin_password = self._admin_password()
            secrets["MLFLOW_FLASK_SERVER_SECRET_KEY"] = session_key.value
            secrets["MLFLOW_AUTH_ADMIN_PASSWORD"] = self.auth_admin_password
        basic = self.auth_admin_password is not None
        return MlflowProcess(
            f"{name}-server",
            self._layout,
            server,
            host=settings.server.host,
            port=settings.server.port,
            tracking_uri=tracking_uri(settings),
            secret_environment=secrets,
            probe_user=settings.authentication.admin_username if basic else "",
            probe_password=self.auth_admin_password or "",
            artifact_root=artifact_root,
            prometheus=settings.telemetry.prometheus,
            opts=self._child(*needed),
        )

    def _admin_password(self) -> pulumi.Output[str]:
        given, kept_in = self._settings.authentication.admin_password, self._layout.admin_password
        if given:
            if kept_password(kept_in) not in (None, given):
                raise pulumi.RunError(
                    "mlflow-platform:authAdminPassword is set, but MLflow's administrator has the "
                    "password that was made for it and MLflow takes no other one from settings: "
                    "remove the setting (`make password` shows the one in force); or change it in "
                    "MLflow (PATCH /api/2.0/mlflow/users/update-password), then delete "
                    f"{kept_in}"
                )
            return pulumi.Output.secret(given)
        return Password(
            f"{self._name}-admin-password",
            purpose="the first administrator",
            opts=self._child(),
            kept_in=kept_in,
            purge=self._purge,
        ).value

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))


def _backend_store(settings: PlatformSettings) -> DatabaseEndpoint | str:
    """The database the settings name, or the one that is made here."""
    database = settings.database
    if database.backend_store_uri.startswith(SQLITE):
        path = Path(database.backend_store_uri.removeprefix(SQLITE)).expanduser()
        return f"{SQLITE}{PROJECT_DIRECTORY / path}"
    return DatabaseEndpoint(
        host=database.host,
        port=database.port,
        name=database.name,
        user=database.user,
        ssl_mode=database.ssl_mode,
    )


def _artifact_root(settings: PlatformSettings, layout: Layout) -> str:
    """The store the settings name (a folder relative to the checkout), or the stack's folder."""
    store = settings.artifacts.store
    if "://" in store:
        return store
    return str(PROJECT_DIRECTORY / Path(store).expanduser()) if store else str(layout.artifacts)


def _wiring(
    settings: PlatformSettings, layout: Layout, store: DatabaseEndpoint | str, artifact_root: str
) -> ServerWiring:
    return ServerWiring(
        backend_store=store,
        artifact_root=artifact_root,
        password_file=None if isinstance(store, str) else str(layout.password_file),
        auth_config_file=str(layout.auth_config),
        prometheus_dir=str(layout.prometheus) if settings.telemetry.prometheus else None,
    )
