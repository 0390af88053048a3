"""The server in its cluster, with what only AWS gives it: identity, controllers, a way in.

Owns the step from AWS's parts to `infra.kubernetes`: the roles of pods, the controllers that their
objects need, and the wiring of `KubernetesMlflow`. Everything in the cluster goes through a
provider that signs in as whoever deploys.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from infra.aws.artifact_location import ArtifactLocation
from infra.aws.cluster_controllers import ClusterControllers, ClusterControllersWiring
from infra.aws.database_location import DatabaseLocation
from infra.aws.eks import Cluster
from infra.aws.iam import (
    DatabaseLogin,
    ServerRole,
    ServerRoleWiring,
    TrainingRole,
    TrainingRoleWiring,
)
from infra.aws.load_balancer import LoadBalancer
from infra.aws.network import Network
from infra.aws.service_account_role import ServiceAccount
from infra.kubernetes.mlflow_on_kubernetes import KubernetesMlflow, KubernetesWiring
from infra.settings_model import PlatformSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOnEksWiring:
    """What the server stands on."""

    account: str
    region: str
    image: str
    key_arn: pulumi.Input[str]
    network: Network
    cluster: Cluster
    cluster_name: str
    artifacts: ArtifactLocation
    database: DatabaseLocation
    balancer: LoadBalancer | None  # None: nothing leads in from outside the cluster


class ServerOnEks(pulumi.ComponentResource):
    """MLflow on EKS, and the training jobs' role beside the server's."""

    mlflow: KubernetesMlflow
    server_role_arn: pulumi.Output[str]
    training_role_arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: ServerOnEksWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare roles, controllers and server."""
        super().__init__("mlflow-platform:aws:ServerOnEks", name, None, opts)
        self._name, self._settings, self._wiring = name, settings, wiring
        role = self._server_role()
        self.server_role_arn = role.arn
        self.training_role_arn = self._training_role().arn
        self._kubernetes = kubernetes.Provider(
            f"{name}-kubernetes",
            kubeconfig=wiring.cluster.kubeconfig,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.mlflow = self._mlflow(role, self._controllers())
        self.register_outputs({"tracking_uri": self.mlflow.tracking_uri})

    def _server_role(self) -> ServerRole:
        settings, wiring = self._settings, self._wiring
        login, secret = None, wiring.database.password_secret_arn
        if wiring.database.made and settings.cloud.database.authentication == "iam":
            login = DatabaseLogin(
                account=wiring.account,
                resource_id=wiring.database.made.resource_id,
                user=settings.database.user,
            )
        return ServerRole(
            f"{self._name}-role",
            settings.environment,
            ServerRoleWiring(
                cluster=wiring.cluster.identity,
                artifacts=wiring.artifacts.access(wiring.region),
                database_login=login,
                # The migration Job reads it once, to make the database take tokens.
                secret_arns=[secret] if login and secret is not None else [],
                secret_key_arn=wiring.key_arn,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _training_role(self) -> TrainingRole:
        cluster, wiring = self._settings.aws.cluster, self._wiring
        return TrainingRole(
            f"{self._name}-training-role",
            self._settings.environment,
            ServiceAccount(
                namespace=cluster.training_namespace, name=cluster.training_service_account
            ),
            TrainingRoleWiring(
                cluster=wiring.cluster.identity, artifacts=wiring.artifacts.access(wiring.region)
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _controllers(self) -> ClusterControllers:
        wiring = self._wiring
        secret_arn = wiring.database.password_secret_arn
        return ClusterControllers(
            f"{self._name}-controllers",
            self._settings,
            ClusterControllersWiring(
                region=wiring.region,
                cluster_name=wiring.cluster_name,
                identity=wiring.cluster.identity,
                vpc_id=wiring.network.vpc_id,
                target_group_arn=wiring.balancer.target_group_arn if wiring.balancer else None,
                secret_arns=() if secret_arn is None else (secret_arn,),
                key_arn=wiring.key_arn,
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                providers=[self._kubernetes],
                depends_on=list(wiring.cluster.ready),
            ),
        )

    def _mlflow(self, role: ServerRole, controllers: ClusterControllers) -> KubernetesMlflow:
        settings, wiring, balancer = self._settings, self._wiring, self._wiring.balancer
        network_cidrs = [wiring.network.vpc_cidr]
        return KubernetesMlflow(
            f"{self._name}-mlflow",
            settings,
            KubernetesWiring(
                image=wiring.image,
                artifact_root=wiring.artifacts.root,
                database_host=wiring.database.host,
                database_password=wiring.database.password,
                database_secret_arn=wiring.database.password_secret_arn,
                service_account_annotations={"eks.amazonaws.com/role-arn": role.arn},
                environment={"AWS_REGION": wiring.region, "AWS_DEFAULT_REGION": wiring.region},
                target_group_arn=balancer.target_group_arn if balancer else None,
                load_balancer_cidrs=network_cidrs if balancer else [],
                database_cidrs=network_cidrs if wiring.database.made else [],
                client_namespaces=(settings.aws.cluster.training_namespace,),
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                providers=[self._kubernetes],
                # A pod that starts before its role's policies or its bucket fails its first write.
                depends_on=[
                    *wiring.cluster.ready,
                    *wiring.artifacts.ready,
                    *controllers.ready,
                    *(balancer.ready if balancer else ()),
                    role,
                ],
            ),
        )
