"""The server on Cloud Run, with what only Google Cloud gives it: secrets, jobs, a way in.

Owns the step from Google's parts to a container that runs: its image, its passwords in Secret
Manager, the migration that comes first, the service, the load balancer before it and the retention
beside it. What the server is, `infra.mlflow_server` says for every target.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra import naming
from infra.gcp.artifact_registry import ContainerRegistry, ContainerRegistryWiring
from infra.gcp.cloud_run import CloudRunService, ServiceWiring
from infra.gcp.cloud_run_container import ContainerWiring, SecretVersionReference
from infra.gcp.cloud_sql import Database
from infra.gcp.encryption import EncryptionKey
from infra.gcp.gcp_server import endpoint_of, image_of, rendered
from infra.gcp.load_balancer import LoadBalancer, LoadBalancerWiring
from infra.gcp.migration_job import JobWiring, migration_job
from infra.gcp.network import Network
from infra.gcp.passwords import made_password
from infra.gcp.place import Place
from infra.gcp.retention_job import Retention, RetentionWiring
from infra.gcp.secret import Secret, SecretWiring
from infra.gcp.service_accounts import ServiceAccount, ServiceAccountWiring, account_id
from infra.settings import PlatformSettings

REQUEST_LOG_SAMPLE = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOnCloudRunWiring:
    """What the server stands on."""

    place: Place
    services: list[pulumi.Resource]  # Google's APIs, where they are enabled here
    network: Network
    key: EncryptionKey | None
    account: ServiceAccount
    training_account: ServiceAccount
    artifact_root: str
    database: Database | None  # None: it is not ours
    database_password: pulumi.Output[str] | None  # None: the server's identity counts


class ServerOnCloudRun(pulumi.ComponentResource):
    """MLflow on Cloud Run: named as the platform it is part of, as are its parts."""

    service: CloudRunService
    auth_admin_password: pulumi.Output[str] | None

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: ServerOnCloudRunWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare image, passwords, jobs and service."""
        super().__init__("mlflow-platform:gcp:ServerOnCloudRun", name, None, opts)
        self._name, self._settings, self._wiring = name, settings, wiring
        self._labels = naming.tags(settings.environment)
        self._basic = settings.authentication.kind == "basic"
        self._ready: list[pulumi.Resource] = [*wiring.account.grants]
        self._server = rendered(settings, endpoint_of(settings, wiring.place), wiring.artifact_root)
        self.auth_admin_password = self._admin_password()
        self._container = self._wired_container()
        migration = migration_job(
            f"{name}-migration", self._server, self._job("migrate"), self._child()
        )
        self.service = self._service(migration)
        self._front()
        self._retention()
        self.register_outputs({"uri": self.service.uri})

    def _admin_password(self) -> pulumi.Output[str] | None:
        if not self._basic:
            return None
        given = self._settings.authentication.admin_password
        return pulumi.Output.secret(given) if given else self._made("admin-password")

    def _wired_container(self) -> ContainerWiring:
        image = self._image()
        environment: dict[str, pulumi.Input[str]] = {}
        if self._wiring.database is not None:
            environment["PGHOST"] = self._wiring.database.address
        values = {
            "PGPASSWORD": self._wiring.database_password,
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.auth_admin_password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self._made("session-key") if self._basic else None,
        }
        config = self._server.auth_config
        return ContainerWiring(
            image=image,
            environment=environment,
            secrets={
                variable: self._secret(variable, value)
                for variable, value in values.items()
                if value is not None
            },
            auth_config=None if config is None else self._secret("auth-config", config),
            cpus=str(self._settings.server.cpus),
            memory_mib=self._settings.server.memory_mib,
        )

    def _image(self) -> str:
        if self._settings.cloud.server_image:
            return self._settings.cloud.server_image
        registry = ContainerRegistry(
            f"{self._name}-registry",
            ContainerRegistryWiring(
                repository_id=self._name,
                project=self._wiring.place.project,
                region=self._wiring.place.region,
                labels=self._labels,
            ),
            self._child(*self._wiring.services),
        )
        return image_of(self._settings, registry.repository_url)

    def _secret(self, purpose: str, value: pulumi.Input[str]) -> SecretVersionReference:
        purpose, key = purpose.lower().replace("_", "-"), self._wiring.key
        secret = Secret(
            f"{self._name}-{purpose}",
            SecretWiring(
                secret_id=f"{self._name}-{purpose}",
                value=value,
                region=self._wiring.place.region,
                labels=self._labels,
                readers={"server": self._wiring.account.member},
                key_id=self._key_id,
                key_grants=[] if key is None else key.grants,
            ),
            self._child(*self._wiring.services),
        )
        self._ready += secret.grants
        return SecretVersionReference(secret_id=secret.secret_id, version=secret.version)

    def _job(self, purpose: str) -> JobWiring:
        database = self._wiring.database
        return JobWiring(
            job_name=f"{self._name}-{purpose}",
            region=self._wiring.place.region,
            labels=self._labels,
            container=self._container,
            service_account=self._wiring.account.email,
            network_id=self._wiring.network.network_id,
            subnetwork_id=self._wiring.network.subnetwork_id,
            key_id=self._key_id,
            after=[*self._ready, *([] if database is None else database.ready)],
        )

    def _service(self, migration: pulumi.Resource) -> CloudRunService:
        place = self._wiring.place
        agents: dict[str, pulumi.Input[str]] = {
            "training": self._wiring.training_account.member,
            "uptime-check": place.service_agent("gcp-sa-monitoring-notification"),
        }
        if self._settings.cloud.ingress == "public":
            agents["iap"] = place.service_agent("gcp-sa-iap")
        return CloudRunService(
            f"{self._name}-server",
            self._settings,
            self._server,
            ServiceWiring(
                service_name=self._name,
                region=place.region,
                labels=self._labels,
                container=self._container,
                service_account=self._wiring.account.email,
                network_id=self._wiring.network.network_id,
                subnetwork_id=self._wiring.network.subnetwork_id,
                invokers=agents,
                key_id=self._key_id,
                after=[migration],
            ),
            self._child(),
        )

    def _front(self) -> None:
        if self._settings.cloud.ingress != "public":
            return
        LoadBalancer(
            f"{self._name}-load-balancer",
            LoadBalancerWiring(
                base_name=self._name,
                region=self._wiring.place.region,
                domain=self._settings.gcp.load_balancer.domain,
                service_name=self.service.service_name,
                members=self._settings.gcp.load_balancer.members,
                log_sample=REQUEST_LOG_SAMPLE,
            ),
            self._child(),
        )

    def _retention(self) -> None:
        retention, environment = self._settings.kubernetes.retention, self._settings.environment
        if not retention.schedule:
            return
        starter = ServiceAccount(
            f"{self._name}-retention",
            ServiceAccountWiring(
                project=self._wiring.place.project,
                account_id=account_id(environment, "retention"),
                display_name=f"MLflow {environment}: retention",
                roles=(),
            ),
            self._child(*self._wiring.services),
        )
        Retention(
            f"{self._name}-retention",
            self._server,
            RetentionWiring(
                job=self._job("retention"),
                project=self._wiring.place.project,
                schedule=retention.schedule,
                days=retention.days,
                scheduler_email=starter.email,
                scheduler_member=starter.member,
            ),
            self._child(),
        )

    @property
    def _key_id(self) -> pulumi.Output[str] | None:
        return None if self._wiring.key is None else self._wiring.key.key_id

    def _made(self, purpose: str) -> pulumi.Output[str]:
        return made_password(f"{self._name}-{purpose}", self._child())

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))
