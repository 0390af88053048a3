"""The platform on AWS, as one component.

Owns which components a stack consists of, the order they come in and what each is told of the
others: network and key, stores, cluster, the way in, the server, and what watches
and backs them up. What each of them is stands in its own file. An existing database, bucket,
network, cluster, key or topic leaves ours out; its attributes are those of every other target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.artifact_location import ArtifactLocation, adopted_artifacts, made_artifacts
from infra.aws.container_logs import ContainerLogs, ContainerLogsWiring
from infra.aws.container_registry import ContainerRegistry, RegistryWiring
from infra.aws.database_location import DatabaseLocation, adopted_database, made_database
from infra.aws.eks import Cluster, ClusterWiring, cluster_name
from infra.aws.encryption import EncryptionKey, EncryptionWiring
from infra.aws.load_balancer import LoadBalancer, LoadBalancerWiring
from infra.aws.network import Network, NetworkWiring
from infra.aws.rds import Database, DatabaseWiring
from infra.aws.s3 import AccessLogs, AccessLogsWiring, ArtifactBucket, ArtifactBucketWiring
from infra.aws.server_on_eks import ServerOnEks, ServerOnEksWiring
from infra.aws.watch import Watch, WatchWiring

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
        self._balancer = self._way_in()
        self._server = self._server_in_cluster(image)
        self._watch = self._watched()

        self.tracking_uri = self._server.mlflow.tracking_uri
        self.auth_admin_password = self._server.mlflow.auth_admin_password
        self.artifact_root = pulumi.Output.from_input(self._artifacts.root)
        self.backend_store = self._database.url(settings)
        self.database_password = self._database.password
        self.log_directory = None
        self.more_outputs = self._more_outputs()
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

    def _server_in_cluster(self, image: str) -> ServerOnEks:
        return ServerOnEks(
            f"{self._name}-server",
            self._settings,
            ServerOnEksWiring(
                account=self._account,
                region=self._region,
                image=image,
                key_arn=self._key.arn,
                network=self._network,
                cluster=self._cluster,
                cluster_name=self._cluster_name,
                artifacts=self._artifacts,
                database=self._database,
                balancer=self._balancer,
            ),
            opts=self._child(),
        )

    def _watched(self) -> Watch:
        return Watch(
            f"{self._name}-watch",
            self._settings,
            WatchWiring(
                account=self._account,
                region=self._region,
                key_arn=self._key.arn,
                cluster_name=self._cluster_name,
                artifacts=self._artifacts,
                database=self._database.made,
                balancer=self._balancer,
            ),
            opts=self._child(),
        )

    def _more_outputs(self) -> dict[str, pulumi.Input[object]]:
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
            "kubernetes_namespace": self._server.mlflow.namespace,
            "server_role_arn": self._server.server_role_arn,
            "training_role_arn": self._server.training_role_arn,
            "load_balancer_dns_name": balancer.dns_name if balancer else None,
            "alarm_topic_arn": self._watch.topic_arn,
            "backup_vault_name": self._watch.backup_vault_name,
        }
        return {key: value for key, value in outputs.items() if value is not None}

    def _child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, providers=[self._aws], depends_on=list(after))
