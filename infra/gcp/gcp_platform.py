"""The platform on Google Cloud, as one component.

Owns which components a stack consists of and the order they come in: network, identities, key,
database, bucket, secrets, migration, server, load balancer, retention, alarms. Its attributes are
those of every other target's platform, so that nobody asks which one it is. An existing database
or bucket is used where the settings name it, and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pulumi
import pulumi_random as random

from infra import naming
from infra.client_environment import client_environment
from infra.gcp.alerts import Alerts, AlertsWiring
from infra.gcp.artifact_registry import ContainerRegistry, ContainerRegistryWiring
from infra.gcp.cloud_run import CloudRunService, ServiceWiring
from infra.gcp.cloud_run_container import ContainerWiring, SecretVersionReference
from infra.gcp.cloud_sql import Database, DatabaseWiring, database_flags
from infra.gcp.dashboard import dashboard
from infra.gcp.encryption import EncryptionKey, EncryptionKeyWiring
from infra.gcp.gcp_server import by_identity, endpoint_of, image_of, on_cloud_run, rendered
from infra.gcp.gcs import ArtifactBucket, ArtifactBucketWiring
from infra.gcp.load_balancer import LoadBalancer, LoadBalancerWiring
from infra.gcp.migration_job import JobWiring, migration_job
from infra.gcp.network import Network, NetworkWiring
from infra.gcp.notification import notification_channels
from infra.gcp.place import Place
from infra.gcp.retention_job import Retention, RetentionWiring
from infra.gcp.secret import Secret, SecretWiring
from infra.gcp.service_accounts import (
    CLOUD_SQL_ROLES,
    SERVER_ROLES,
    ServiceAccount,
    ServiceAccountWiring,
    account_id,
)
from infra.gcp.services import enable_services
from infra.settings import PlatformSettings

PASSWORD_LENGTH = 32
"""Letters and digits: 190 bits, more than the key that protects them."""

REQUEST_LOG_SAMPLE = 1.0

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
        self._basic = settings.authentication.kind == "basic"

        self._services = self._enabled()
        self._server_account = self._identity("server", (*SERVER_ROLES, *CLOUD_SQL_ROLES))
        self._training_account = self._identity("training", ())
        self._key = self._encryption()
        self._network = self._made_network()
        self._artifact_root = self._artifacts()
        self.database_password = self._database_password()
        self._database = self._provisioned_database()
        self.auth_admin_password = self._admin_password()
        self._server = rendered(
            self.settings, endpoint_of(settings, self._place), self._artifact_root
        )
        self._container = self._wired_container()
        migration = migration_job(
            f"{name}-migration", self._server, self._job("migrate"), self._child()
        )
        service = self._service(migration)
        self._front(service)
        self._retention()
        self._monitoring()

        self.tracking_uri = service.uri.apply(lambda _: self.settings.server.tracking_uri)
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
        return self._made_password("database-password")

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

    def _admin_password(self) -> pulumi.Output[str] | None:
        if not self._basic:
            return None
        given = self.settings.authentication.admin_password
        return pulumi.Output.secret(given) if given else self._made_password("admin-password")

    def _wired_container(self) -> ContainerWiring:
        image = self._image()
        environment: dict[str, pulumi.Input[str]] = {}
        if self._database is not None:
            environment["PGHOST"] = self._database.address
        secrets = {
            variable: self._secret(variable, value)
            for variable, value in self._secret_values().items()
        }
        config = self._server.auth_config
        return ContainerWiring(
            image=image,
            environment=environment,
            secrets=secrets,
            auth_config=None if config is None else self._secret("auth-config", config),
            cpus=str(self.settings.server.cpus),
            memory_mib=self.settings.server.memory_mib,
        )

    def _secret_values(self) -> dict[str, pulumi.Input[str]]:
        values = {
            "PGPASSWORD": self.database_password,
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.auth_admin_password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self._made_password("session-key")
            if self._basic
            else None,
        }
        return {name: value for name, value in values.items() if value is not None}

    def _secret(self, purpose: str, value: pulumi.Input[str]) -> SecretVersionReference:
        purpose = purpose.lower().replace("_", "-")
        secret = Secret(
            f"{self._name}-{purpose}",
            SecretWiring(
                secret_id=f"{self._name}-{purpose}",
                value=value,
                region=self._place.region,
                labels=self._labels,
                readers={"server": self._server_account.member},
                key_id=self._key_id,
                key_grants=self._key_grants,
            ),
            self._child(*self._services),
        )
        self._grants += secret.grants
        return SecretVersionReference(secret_id=secret.secret_id, version=secret.version)

    def _image(self) -> str:
        self._grants: list[pulumi.Resource] = [*self._server_account.grants]
        if self.settings.cloud.server_image:
            return self.settings.cloud.server_image
        registry = ContainerRegistry(
            f"{self._name}-registry",
            ContainerRegistryWiring(
                repository_id=self._name,
                project=self._place.project,
                region=self._place.region,
                labels=self._labels,
            ),
            self._child(*self._services),
        )
        return image_of(self.settings, registry.repository_url)

    def _job(self, purpose: str) -> JobWiring:
        database = [] if self._database is None else self._database.ready
        return JobWiring(
            job_name=f"{self._name}-{purpose}",
            region=self._place.region,
            labels=self._labels,
            container=self._container,
            service_account=self._server_account.email,
            network_id=self._network.network_id,
            subnetwork_id=self._network.subnetwork_id,
            key_id=self._key_id,
            after=[*self._grants, *database],
        )

    def _service(self, migration: pulumi.Resource) -> CloudRunService:
        agents: dict[str, pulumi.Input[str]] = {
            "training": self._training_account.member,
            "uptime-check": self._place.service_agent("gcp-sa-monitoring-notification"),
        }
        if self.settings.cloud.ingress == "public":
            agents["iap"] = self._place.service_agent("gcp-sa-iap")
        return CloudRunService(
            f"{self._name}-server",
            self.settings,
            self._server,
            ServiceWiring(
                service_name=self._name,
                region=self._place.region,
                labels=self._labels,
                container=self._container,
                service_account=self._server_account.email,
                network_id=self._network.network_id,
                subnetwork_id=self._network.subnetwork_id,
                invokers=agents,
                key_id=self._key_id,
                after=[migration],
            ),
            self._child(),
        )

    def _front(self, service: CloudRunService) -> None:
        if self.settings.cloud.ingress != "public":
            return
        LoadBalancer(
            f"{self._name}-load-balancer",
            LoadBalancerWiring(
                base_name=self._name,
                region=self._place.region,
                domain=self.settings.gcp.load_balancer.domain,
                service_name=service.service_name,
                members=self.settings.gcp.load_balancer.members,
                log_sample=REQUEST_LOG_SAMPLE,
            ),
            self._child(),
        )

    def _retention(self) -> None:
        retention = self.settings.kubernetes.retention
        if not retention.schedule:
            return
        starter = self._identity("retention", ())
        Retention(
            f"{self._name}-retention",
            self._server,
            RetentionWiring(
                job=self._job("retention"),
                project=self._place.project,
                schedule=retention.schedule,
                days=retention.days,
                scheduler_email=starter.email,
                scheduler_member=starter.member,
            ),
            self._child(),
        )

    def _monitoring(self) -> None:
        channels = notification_channels(f"{self._name}-mail", self.settings, self._child())
        Alerts(
            f"{self._name}-alerts",
            self.settings,
            AlertsWiring(
                project=self._place.project,
                service_name=self._name,
                service_host=self._place.service_host(self._name),
                instance=self._name,
                channels=channels,
                labels=self._labels,
            ),
            self._child(*self._services),
        )
        dashboard(
            f"{self._name}-dashboard",
            self.settings,
            service=self._name,
            instance=self._name,
            opts=self._child(*self._services),
        )

    def _made_password(self, purpose: str) -> pulumi.Output[str]:
        password = random.RandomPassword(
            f"{self._name}-{purpose}",
            length=PASSWORD_LENGTH,
            special=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return pulumi.Output.secret(password.result)

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
        if self._basic:
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
