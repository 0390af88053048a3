"""MLflow in a cluster, as one component: every object of namespace `mlflow`.

Owns which objects there are and the order they come in: namespace and policies, identity and
passwords, the schema, the servers, and what scales, guards, exposes and watches them. It leaves
alone what the server is (`infra.mlflow_server`) and where cluster, database and bucket come from
(`KubernetesWiring`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.database_endpoint import DatabaseEndpoint
from infra.kubernetes.autoscaling import autoscaler
from infra.kubernetes.credentials import Authentication, checksum, database_credentials
from infra.kubernetes.deployment import AUTH_CONFIG_FILE, PROMETHEUS_DIR, deployment
from infra.kubernetes.disruption_budget import disruption_budget
from infra.kubernetes.ingress import ingress, target_group_binding
from infra.kubernetes.labels import AUTH_CONFIG, NAMESPACE, labels
from infra.kubernetes.migration_job import database_login, migration_job
from infra.kubernetes.namespace import namespace
from infra.kubernetes.network_policy import network_policies
from infra.kubernetes.prometheus_rules import prometheus_rules
from infra.kubernetes.retention import retention
from infra.kubernetes.service import service
from infra.kubernetes.service_account import service_account
from infra.kubernetes.service_monitor import service_monitor
from infra.kubernetes.wiring import KubernetesWiring
from infra.mlflow_server import MlflowServer, ServerWiring, render
from infra.server_address import EVERY_INTERFACE, tracking_uri
from infra.settings_address_rules import LOOPBACK

if TYPE_CHECKING:
    from infra.settings import PlatformSettings

__all__ = ["KubernetesMlflow", "KubernetesWiring", "rendered_server"]


class KubernetesMlflow(pulumi.ComponentResource):
    """An MLflow server in namespace `mlflow` of a cluster."""

    tracking_uri: pulumi.Output[str]  # resolves when the rollout is done
    auth_admin_password: pulumi.Output[str] | None
    namespace: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: KubernetesWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare every object."""
        super().__init__("mlflow-platform:kubernetes:KubernetesMlflow", name, None, opts)
        self._name, self._settings, self._wiring = name, settings, wiring
        environment = settings.environment
        server = rendered_server(settings, wiring)

        space = namespace(
            name,
            environment,
            load_balanced=wiring.target_group_arn is not None,
            opts=self._child(),
        )
        inside = self._child(space)
        policies = network_policies(name, settings, wiring, opts=inside)
        identity = service_account(
            name, environment, wiring.service_account_annotations, opts=inside
        )
        credentials = self._credentials(server, space)
        schema = migration_job(
            name, settings, server, wiring, opts=self._child(identity, *policies, *credentials)
        )
        self._front_door(space)
        servers = deployment(
            name,
            settings,
            server,
            wiring,
            checksums=self._checksums,
            opts=self._child(schema),
        )
        autoscaler(name, settings, opts=self._child(servers))
        disruption_budget(name, environment, opts=inside)
        self._watchers(space)
        if settings.kubernetes.retention.schedule:
            retention(name, settings, server, wiring, opts=self._child(schema))

        self.namespace = space.metadata.apply(lambda metadata: metadata.name or NAMESPACE)
        # An address before anybody answers there would send the four-stage check to nobody.
        self.tracking_uri = servers.id.apply(lambda _: tracking_uri(settings))
        self.register_outputs({"tracking_uri": self.tracking_uri, "namespace": self.namespace})

    def _credentials(self, server: MlflowServer, space: pulumi.Resource) -> list[pulumi.Resource]:
        """What pods read of passwords and users; the checksums say when it changed."""
        name, settings, wiring = self._name, self._settings, self._wiring
        made: list[pulumi.Resource] = []
        self._checksums: dict[str, pulumi.Input[str]] = {}
        self.auth_admin_password = None
        database = database_credentials(name, settings, wiring, opts=self._child(space))
        if database is not None:
            made.append(database)
        if wiring.database_password is not None:
            self._checksums["checksum/database-password"] = checksum(wiring.database_password)
        if settings.authentication.kind == "basic":
            users = Authentication(
                name, settings, wiring, made_under=self._child(), opts=self._child(space)
            )
            self.auth_admin_password = users.admin_password
            self._checksums["checksum/authentication"] = users.checksum
            made.append(users.secret)
        if server.auth_config is not None:
            config = ConfigMap(
                f"{name}-authentication-config",
                metadata=ObjectMetaArgs(
                    name=AUTH_CONFIG, namespace=NAMESPACE, labels=labels(settings.environment)
                ),
                data={"basic_auth.ini": server.auth_config},
                opts=self._child(space),
            )
            self._checksums["checksum/authentication-config"] = checksum(server.auth_config)
            made.append(config)
        return made

    def _front_door(self, space: pulumi.Resource) -> None:
        """How others reach the servers."""
        name, settings, wiring = self._name, self._settings, self._wiring
        inside = service(name, settings.environment, settings.server.port, opts=self._child(space))
        if settings.kubernetes.ingress.class_name:
            ingress(name, settings, opts=self._child(inside))
        if wiring.target_group_arn is not None:
            target_group_binding(
                name, settings.environment, wiring.target_group_arn, opts=self._child(inside)
            )

    def _watchers(self, space: pulumi.Resource) -> None:
        """What Prometheus reads and which alerts it raises."""
        settings = self._settings
        if settings.kubernetes.prometheus_operator and settings.telemetry.prometheus:
            service_monitor(self._name, settings, opts=self._child(space))
            prometheus_rules(self._name, settings, opts=self._child(space))

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))


def rendered_server(settings: PlatformSettings, wiring: KubernetesWiring) -> MlflowServer:
    """The server as it runs in a pod: reached from outside of it, its database by PGHOST."""
    database = settings.database
    if settings.server.host in LOOPBACK:
        # The default of a server on one machine; in a pod nobody would reach it.
        in_pod = replace(settings.server, host=EVERY_INTERFACE[0])
        settings = replace(settings, server=in_pod)
    endpoint = DatabaseEndpoint(
        host="",
        port=database.port,
        name=database.name,
        user=database.user,
        ssl_mode=database.ssl_mode or wiring.database_ssl_mode,
    )
    return render(
        settings,
        ServerWiring(
            backend_store=endpoint,
            artifact_root=wiring.artifact_root,
            database_login=database_login(settings),
            auth_config_file=AUTH_CONFIG_FILE,
            prometheus_dir=PROMETHEUS_DIR if settings.telemetry.prometheus else None,
        ),
    )
