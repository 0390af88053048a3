"""The platform on AWS, as one component.

Owns which components a stack consists of, the order they come in and what each is told of the
others: network and key, stores, cluster and identities, the way in, the server, and what watches
and backs them up. What each of them is stands in its own file. An existing database, bucket,
network, cluster, key or topic leaves ours out; its attributes are those of every other target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import naming
from infra.aws.alarms import Alarm
from infra.aws.alarms_backup import backup_alarms
from infra.aws.alarms_database import database_alarms
from infra.aws.alarms_server import LoadBalancerDimensions, server_alarms
from infra.aws.artifact_location import ArtifactLocation, adopted_artifacts, made_artifacts
from infra.aws.backup import BackupPlan, BackupWiring
from infra.aws.cluster_controllers import ClusterControllers, ClusterControllersWiring
from infra.aws.container_logs import ContainerLogs, ContainerLogsWiring
from infra.aws.container_registry import ContainerRegistry, RegistryWiring
from infra.aws.dashboard import Dashboard
from infra.aws.database_location import DatabaseLocation, adopted_database, made_database
from infra.aws.eks import Cluster, ClusterWiring, cluster_name
from infra.aws.encryption import EncryptionKey, EncryptionWiring
from infra.aws.iam import (
    DatabaseLogin,
    ServerRole,
    ServerRoleWiring,
    TrainingRole,
    TrainingRoleWiring,
)
from infra.aws.load_balancer import LoadBalancer, LoadBalancerWiring
from infra.aws.monitoring import Alarms, AlarmsWiring
from infra.aws.network import Network, NetworkWiring
from infra.aws.rds import Database, DatabaseWiring
from infra.aws.s3 import AccessLogs, AccessLogsWiring, ArtifactBucket, ArtifactBucketWiring
from infra.aws.service_account_role import ServiceAccount
from infra.kubernetes.mlflow_on_kubernetes import KubernetesMlflow, KubernetesWiring

if TYPE_CHECKING:
    from infra.settings import PlatformSettings


class AwsPlatform(pulumi.ComponentResource):
    """An MLflow server on EKS with its database on RDS and its artifacts in S3."""

    tracking_uri: pulumi.Output[str]
    artifact_root: pulumi.Output[str]
    backend_store: pulumi.Output[str]
    database_password: pulumi.Output[str] | None
    auth_admin_password: pulumi.Output[str] | None
    log_directory: pulumi.Output[str] | None
    more_outputs: Mapping[str, pulumi.Input[object]]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        region: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the resources of a stack on AWS."""
        super().__init__("mlflow-platform:aws:AwsPlatform", name, None, opts)
        self._name, self._settings, self._region = name, settings, region
        self._aws = aws.Provider(
            f"{name}-aws",
            region=region,
            default_tags=aws.ProviderDefaultTagsArgs(tags=naming.tags(settings.environment)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Known in a preview too: it is part of names, and names are part of the server's command.
        self._account = aws.get_caller_identity(
            opts=pulumi.InvokeOptions(provider=self._aws)
        ).account_id

        self._key = self._encryption()
        self._network = Network(
            f"{name}-network",
            settings,
            NetworkWiring(region=region, key_arn=self._key.arn),
            opts=self._child(),
        )
        self._artifacts = self._artifact_store()
        image = self._image()
        self._cluster = self._kubernetes_cluster()
        self._database = self._backend_store()
        self._server_role, self._training_role = self._identities()
        self._balancer = self._way_in()
        server = self._server(image)
        backup = self._backup()
        self._alarms = self._monitoring(backup)

        self.tracking_uri = server.tracking_uri
        self.auth_admin_password = server.auth_admin_password
        self.artifact_root = pulumi.Output.from_input(self._artifacts.root)
        self.backend_store = self._database.url(settings)
        self.database_password = self._database.password
        self.log_directory = None
        self.more_outputs = self._more_outputs(server, backup)
        self.register_outputs({"tracking_uri": self.tracking_uri})

    def _encryption(self) -> EncryptionKey:
        return EncryptionKey(
            f"{self._name}-encryption",
            self._settings,
            EncryptionWiring(account=self._account, region=self._region),
            opts=self._child(),
        )

    def _artifact_store(self) -> ArtifactLocation:
        """The bucket, and where access to it (and to the load balancer) is logged."""
        settings, name = self._settings, self._name
        bucket = None
        if not settings.artifacts.store:
            bucket = ArtifactBucket(
                f"{name}-artifacts",
                settings,
                ArtifactBucketWiring(
                    account=self._account, region=self._region, key_arn=self._key.arn
                ),
                opts=self._child(),
            )
        self._access_logs = None
        if settings.aws.access_logs:
            self._access_logs = AccessLogs(
                f"{name}-access-logs",
                settings,
                AccessLogsWiring(account=self._account, region=self._region, artifacts=bucket),
                opts=self._child(),
            )
        if bucket is None:
            return adopted_artifacts(settings.artifacts.store)
        return made_artifacts(bucket)

    def _image(self) -> str:
        """The server's image: the settings' own, or one that is pushed to a registry of ours."""
        if self._settings.cloud.server_image:
            return self._settings.cloud.server_image
        return ContainerRegistry(
            f"{self._name}-registry",
            self._settings,
            RegistryWiring(account=self._account, region=self._region, key_arn=self._key.arn),
            opts=self._child(),
        ).image

    def _kubernetes_cluster(self) -> Cluster:
        settings = self._settings
        self._cluster_name = settings.aws.cluster.existing_name or cluster_name(
            settings.environment
        )
        before: list[pulumi.Resource] = list(self._network.ready)
        if settings.telemetry.cloudwatch:
            before.append(
                ContainerLogs(
                    f"{self._name}-container-logs",
                    settings,
                    ContainerLogsWiring(cluster_name=self._cluster_name, key_arn=self._key.arn),
                    opts=self._child(),
                )
            )
        return Cluster(
            f"{self._name}-cluster",
            settings,
            ClusterWiring(
                region=self._region,
                subnet_ids=list(self._network.private_subnet_ids),
                key_arn=self._key.arn,
            ),
            opts=self._child(*before),
        )

    def _backend_store(self) -> DatabaseLocation:
        settings = self._settings
        if settings.database.backend_store_uri:
            return adopted_database(settings)
        database = Database(
            f"{self._name}-database",
            settings,
            DatabaseWiring(
                vpc_id=self._network.vpc_id,
                subnet_ids=self._network.isolated_subnet_ids,
                key_arn=self._key.arn,
                client_security_group_ids={"server": self._cluster.node_security_group_id},
            ),
            opts=self._child(),
        )
        return made_database(database)

    def _identities(self) -> tuple[ServerRole, TrainingRole]:
        settings, cluster = self._settings, self._settings.aws.cluster
        artifacts = self._artifacts.access(self._region)
        login = None
        if self._database.made and settings.cloud.database.authentication == "iam":
            login = DatabaseLogin(
                account=self._account,
                resource_id=self._database.made.resource_id,
                user=settings.database.user,
            )
        server = ServerRole(
            f"{self._name}-server-role",
            settings.environment,
            ServerRoleWiring(
                cluster=self._cluster.identity, artifacts=artifacts, database_login=login
            ),
            opts=self._child(),
        )
        training = TrainingRole(
            f"{self._name}-training-role",
            settings.environment,
            ServiceAccount(
                namespace=cluster.training_namespace, name=cluster.training_service_account
            ),
            TrainingRoleWiring(cluster=self._cluster.identity, artifacts=artifacts),
            opts=self._child(),
        )
        return server, training

    def _way_in(self) -> LoadBalancer | None:
        ingress, network = self._settings.cloud.ingress, self._network
        if ingress == "none":
            return None
        public = ingress == "public"
        logs = self._access_logs
        return LoadBalancer(
            f"{self._name}-load-balancer",
            self._settings,
            LoadBalancerWiring(
                vpc_id=network.vpc_id,
                subnet_ids=list(
                    network.public_subnet_ids if public else network.private_subnet_ids
                ),
                node_security_group_id=self._cluster.node_security_group_id,
                access_log_bucket=logs.bucket_name if logs else None,
            ),
            opts=self._child(*(logs.ready if logs else ())),
        )

    def _server(self, image: str) -> KubernetesMlflow:
        settings, balancer = self._settings, self._balancer
        provider = kubernetes.Provider(
            f"{self._name}-kubernetes",
            kubeconfig=self._cluster.kubeconfig,
            opts=pulumi.ResourceOptions(parent=self),
        )
        before: list[pulumi.Resource] = [
            *self._cluster.ready,
            *self._artifacts.ready,
            self._server_role,
            *self._controllers(provider).ready,
        ]
        if balancer is not None:
            before += balancer.ready
        return KubernetesMlflow(
            f"{self._name}-server",
            settings,
            KubernetesWiring(
                image=image,
                artifact_root=self._artifacts.root,
                database_host=self._database.host,
                database_password=self._database.password,
                database_secret_arn=self._database.password_secret_arn,
                service_account_annotations={"eks.amazonaws.com/role-arn": self._server_role.arn},
                environment={"AWS_REGION": self._region, "AWS_DEFAULT_REGION": self._region},
                target_group_arn=balancer.target_group_arn if balancer else None,
                load_balancer_cidrs=[self._network.vpc_cidr] if balancer else [],
                database_cidrs=[self._network.vpc_cidr] if self._database.made else [],
                client_namespaces=(settings.aws.cluster.training_namespace,),
            ),
            opts=pulumi.ResourceOptions(parent=self, providers=[provider], depends_on=before),
        )

    def _controllers(self, provider: kubernetes.Provider) -> ClusterControllers:
        secret_arn = self._database.password_secret_arn
        return ClusterControllers(
            f"{self._name}-controllers",
            self._settings,
            ClusterControllersWiring(
                region=self._region,
                cluster_name=self._cluster_name,
                identity=self._cluster.identity,
                vpc_id=self._network.vpc_id,
                target_group_arn=self._balancer.target_group_arn if self._balancer else None,
                secret_arns=() if secret_arn is None else (secret_arn,),
                key_arn=self._key.arn,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                providers=[self._aws, provider],
                depends_on=list(self._cluster.ready),
            ),
        )

    def _backup(self) -> BackupPlan | None:
        database, artifacts = self._database.made, self._artifacts
        if not self._settings.aws.backup.enabled:
            return None
        return BackupPlan(
            f"{self._name}-backup",
            self._settings,
            BackupWiring(
                key_arn=self._key.arn,
                bucket_arn=artifacts.bucket_arn if artifacts.is_ours else None,
                database_arn=database.arn if database else None,
            ),
            opts=self._child(*artifacts.ready),
        )

    def _monitoring(self, backup: BackupPlan | None) -> Alarms:
        name, settings = self._name, self._settings
        alarms = self._watched(backup)
        Dashboard(
            f"{name}-dashboard",
            settings.environment,
            region=self._region,
            alarms=alarms,
            opts=self._child(),
        )
        return Alarms(
            f"{name}-alarms",
            settings,
            AlarmsWiring(account=self._account, key_arn=self._key.arn, alarms=alarms),
            opts=self._child(),
        )

    def _watched(self, backup: BackupPlan | None) -> Sequence[Alarm]:
        settings, balancer, database = self._settings, self._balancer, self._database.made
        dimensions = None
        if balancer is not None:
            dimensions = LoadBalancerDimensions(
                balancer=balancer.arn_suffix, targets=balancer.target_group_arn_suffix
            )
        alarms = [
            *server_alarms(
                settings,
                balancer=dimensions,
                cluster_name=self._cluster_name,
                database_identifier=database.identifier if database else None,
            )
        ]
        if database is not None:
            alarms += database_alarms(settings, database.identifier, database.replica_identifier)
        if backup is not None:
            alarms += backup_alarms(backup.vault_name)
        return alarms

    def _more_outputs(
        self, server: KubernetesMlflow, backup: BackupPlan | None
    ) -> dict[str, pulumi.Input[object]]:
        """What the operations commands and the runbooks ask for by name."""
        database, balancer = self._database, self._balancer
        outputs: dict[str, pulumi.Input[object] | None] = {
            "region": self._region,
            "account": self._account,
            "vpc_id": self._network.vpc_id,
            "encryption_key_arn": self._key.arn,
            "database_host": database.host,
            "database_identifier": database.made.identifier if database.made else None,
            "database_secret_arn": database.password_secret_arn,
            "artifact_bucket": self._artifacts.bucket_name,
            "cluster_name": self._cluster_name,
            "kubernetes_namespace": server.namespace,
            "server_role_arn": self._server_role.arn,
            "training_role_arn": self._training_role.arn,
            "load_balancer_dns_name": balancer.dns_name if balancer else None,
            "alarm_topic_arn": self._alarms.topic_arn,
            "backup_vault_name": backup.vault_name if backup else None,
        }
        return {key: value for key, value in outputs.items() if value is not None}

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, providers=[self._aws], depends_on=list(after))
