"""The platform on Google Cloud, as one component.

Owns which components a stack consists of and the order they come in: services, identities, key,
network, bucket, database, server, alarms. Its attributes are those of every other target's
platform, so that nobody asks which one it is. An existing database or bucket is used where the
settings name it, and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pulumi

from infra import naming
from infra.client_environment import client_environment
from infra.gcp.cloud_sql import Database, DatabaseWiring
from infra.gcp.cloud_sql_flags import database_flags
from infra.gcp.encryption import EncryptionKey, EncryptionKeyWiring
from infra.gcp.gcp_server import by_identity, endpoint_of, on_cloud_run
from infra.gcp.gcs import ArtifactBucket, ArtifactBucketWiring
from infra.gcp.network import Network, NetworkWiring
from infra.gcp.passwords import made_password
from infra.gcp.place import Place
from infra.gcp.server_on_cloud_run import ServerOnCloudRun, ServerOnCloudRunWiring
from infra.gcp.service_accounts import (
    CLOUD_SQL_ROLES,
    SERVER_ROLES,
    ServiceAccount,
    ServiceAccountWiring,
    account_id,
)
from infra.gcp.services import enable_services
from infra.gcp.watch import Watch, WatchWiring
from infra.settings import PlatformSettings

GOOGLE_IDENTITY = "mlflow-platform-google"
"""The client library's plug-in for MLflow that sends identity tokens (docs/client.md)."""


class GcpPlatform(pulumi.ComponentResource):
    """An MLflow server on Cloud Run with its database and artifacts."""

    settings: PlatformSettings  # with the address that clients use
    tracking_uri: pulumi.Output[str]
    artifact_root: pulumi.Output[str]
    backend_store: pulumi.Output[str]
    database_host: pulumi.Output[str]
    database_password: pulumi.Output[str] | None
    auth_admin_password: pulumi.Output[str] | None
    log_directory: pulumi.Output[str] | None
    more_outputs: Mapping[str, pulumi.Input[object]]

    def __init__(
        self, name: str, settings: PlatformSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the resources of a stack on Google Cloud."""
        super().__init__("mlflow-platform:gcp:GcpPlatform", name, None, opts)
        self._name = name
        self._place = Place.of_stack()
        self.settings = on_cloud_run(settings, self._place, name)
        self._labels = naming.tags(settings.environment)

        self._services = self._enabled()
        self._server_account = self._identity("server", (*SERVER_ROLES, *CLOUD_SQL_ROLES))
        self._training_account = self._identity("training", ())
        self._key = self._encryption()
        self._network = self._made_network()
        self._artifact_root = self._artifacts()
        self.database_password = self._database_password()
        self._database = self._provisioned_database()
        server = self._served()
        self.auth_admin_password = server.auth_admin_password
        self._watched()

        self.tracking_uri = server.service.uri.apply(lambda _: self.settings.server.tracking_uri)
        self.artifact_root = pulumi.Output.from_input(self._artifact_root)
        self.backend_store = self.database_host.apply(self._store_at)
        self.log_directory = None
        self.more_outputs = self._more_outputs()
        self.register_outputs({"tracking_uri": self.tracking_uri})

    def _enabled(self) -> list[pulumi.Resource]:
        if not self.settings.gcp.enable_services:
            return []
        return enable_services(f"{self._name}-api", self._place.project, self._child())

    def _identity(self, purpose: str, roles: tuple[str, ...]) -> ServiceAccount:
        environment = self.settings.environment
        return ServiceAccount(
            f"{self._name}-{purpose}",
            ServiceAccountWiring(
                project=self._place.project,
                account_id=account_id(environment, purpose),
                display_name=f"MLflow {environment}: {purpose}",
                roles=roles,
            ),
            self._child(*self._services),
        )

    def _encryption(self) -> EncryptionKey | None:
        if not self.settings.gcp.customer_managed_key:
            return None
        agents = {
            "sql": "gcp-sa-cloud-sql",
            "storage": "gs-project-accounts",
            "secrets": "gcp-sa-secretmanager",
            "run": "serverless-robot-prod",
        }
        return EncryptionKey(
            f"{self._name}-key",
            EncryptionKeyWiring(
                region=self._place.region,
                members={who: self._place.service_agent(agent) for who, agent in agents.items()},
                labels=self._labels,
                protect=self.settings.cloud.is_production,
            ),
            self._child(*self._services),
        )

    def _made_network(self) -> Network:
        return Network(
            f"{self._name}-network",
            self.settings.gcp.network,
            NetworkWiring(region=self._place.region),
            self._child(*self._services),
        )

    def _artifacts(self) -> str:
        store = self.settings.artifacts.store
        if store:
            return store
        bucket_name = self._place.bucket_name(self.settings.environment)
        ArtifactBucket(
            f"{self._name}-artifacts",
            self.settings,
            ArtifactBucketWiring(
                bucket_name=bucket_name,
                region=self._place.region,
                labels=self._labels,
                server=self._server_account.member,
                training=self._training_account.member,
                key_id=self._key_id,
                key_grants=self._key_grants,
            ),
            self._child(*self._services),
        )
        return f"gs://{bucket_name}"

    def _database_password(self) -> pulumi.Output[str] | None:
        if self.settings.database.backend_store_uri:
            return pulumi.Output.secret(self.settings.database.password or "")
        if by_identity(self.settings):
            return None
        return made_password(f"{self._name}-database-password", self._child())

    def _provisioned_database(self) -> Database | None:
        if self.settings.database.backend_store_uri:
            self.database_host = pulumi.Output.from_input(self.settings.database.host)
            return None
        database = Database(
            f"{self._name}-database",
            self.settings,
            DatabaseWiring(
                identifier=self._name,
                region=self._place.region,
                labels=self._labels,
                network_id=self._network.network_id,
                private_services=self._network.private_services,
                password=self.database_password,
                server_email=self._server_account.email,
                flags=database_flags(self.settings),
                key_id=self._key_id,
                key_grants=self._key_grants,
            ),
            self._child(*self._services),
        )
        self.database_host = database.address
        return database

    def _served(self) -> ServerOnCloudRun:
        return ServerOnCloudRun(
            self._name,
            self.settings,
            ServerOnCloudRunWiring(
                place=self._place,
                services=self._services,
                network=self._network,
                key=self._key,
                account=self._server_account,
                training_account=self._training_account,
                artifact_root=self._artifact_root,
                database=self._database,
                database_password=self.database_password,
            ),
            self._child(),
        )

    def _watched(self) -> None:
        Watch(
            self._name,
            self.settings,
            WatchWiring(
                project=self._place.project,
                service_name=self._name,
                service_host=self._place.service_host(self._name),
                instance=self._name,
                labels=self._labels,
                services=self._services,
            ),
            self._child(),
        )

    def _more_outputs(self) -> dict[str, pulumi.Input[object]]:
        """What is known only here; and what clients are told, with the service's own address."""
        values: dict[str, pulumi.Input[object]] = {
            "health_url": f"{self.settings.server.tracking_uri}/health",
            "client_environment": self._client_environment(),
            "region": self._place.region,
            "account": self._place.project,
            "database_host": self.database_host,
            "service_name": self._name,
        }
        if self._database is not None:
            values["database_identifier"] = self._database.identifier
            values["database_user"] = self._database.user
        if not self.settings.artifacts.store:
            values["artifact_bucket"] = self._place.bucket_name(self.settings.environment)
        return values

    def _client_environment(self) -> dict[str, str]:
        """Clients call with their identity, unless MLflow itself asks for a password."""
        variables = client_environment(self.settings)
        if self.settings.authentication.kind == "basic":
            return variables
        return {**variables, "MLFLOW_TRACKING_AUTH": GOOGLE_IDENTITY}

    def _store_at(self, host: str) -> str:
        return replace(endpoint_of(self.settings, self._place), host=host).url()

    @property
    def _key_id(self) -> pulumi.Output[str] | None:
        return None if self._key is None else self._key.key_id

    @property
    def _key_grants(self) -> list[pulumi.Resource]:
        return [] if self._key is None else self._key.grants

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))
