"""The server: a Cloud Run service that is always warm and called by name only.

Owns the service and who may call it. One instance stays (`cloudRunMinInstances`), because a cold
start made the first call of a training job wait for 10 to 15 s and time out; no more instances
start than the connection budget was checked for, and none takes more requests at once than its
workers have threads. Traffic goes to the newest revision once the migration has been through.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.gcp.cloud_run_container import ContainerWiring, service_container, service_volumes
from infra.mlflow_server import MlflowServer
from infra.settings import PlatformSettings

INVOKER = "roles/run.invoker"
EVERYBODY = "allUsers"

INTERNAL_ONLY = "INGRESS_TRAFFIC_INTERNAL_ONLY"
LOAD_BALANCER = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"

LONGEST_REQUEST_SECONDS = 3600
"""Cloud Run's limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceWiring:
    """What the service stands on."""

    service_name: str
    region: str
    labels: dict[str, str]
    container: ContainerWiring
    service_account: pulumi.Input[str]
    network_id: pulumi.Input[str]
    subnetwork_id: pulumi.Input[str]
    invokers: dict[str, pulumi.Input[str]]  # IAM members, by a short name
    key_id: pulumi.Input[str] | None
    after: list[pulumi.Resource]  # migration, grants


class CloudRunService(pulumi.ComponentResource):
    """MLflow on Cloud Run."""

    uri: pulumi.Output[str]
    service_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        server: MlflowServer,
        wiring: ServiceWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the service and name its callers."""
        super().__init__("mlflow-platform:gcp:CloudRunService", name, None, opts)
        service = gcp.cloudrunv2.Service(
            f"{name}-service",
            name=wiring.service_name,
            location=wiring.region,
            description="MLflow tracking server",
            labels=wiring.labels,
            ingress=LOAD_BALANCER if settings.cloud.ingress == "public" else INTERNAL_ONLY,
            deletion_protection=settings.cloud.is_production,
            # Callers are checked by IAM before the container sees a request.
            invoker_iam_disabled=False,
            template=template(settings, server, wiring),
            traffics=[
                gcp.cloudrunv2.ServiceTrafficArgs(
                    type="TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", percent=100
                )
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=wiring.after,
                custom_timeouts=pulumi.CustomTimeouts(create="10m", update="10m"),
            ),
        )
        for who, member in callers(settings, wiring).items():
            gcp.cloudrunv2.ServiceIamMember(
                f"{name}-invoker-{who}",
                name=service.name,
                location=wiring.region,
                role=INVOKER,
                member=member,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.uri = service.uri
        self.service_name = service.name
        self.register_outputs({"uri": self.uri})


def template(
    settings: PlatformSettings, server: MlflowServer, wiring: ServiceWiring
) -> gcp.cloudrunv2.ServiceTemplateArgs:
    """A revision: the container, its network and how many of it there are."""
    run = settings.gcp.cloud_run
    return gcp.cloudrunv2.ServiceTemplateArgs(
        labels=wiring.labels,
        service_account=wiring.service_account,
        execution_environment="EXECUTION_ENVIRONMENT_GEN2",
        scaling=gcp.cloudrunv2.ServiceTemplateScalingArgs(
            min_instance_count=run.minimum_instances,
            max_instance_count=settings.server.replicas,
        ),
        max_instance_request_concurrency=requests_at_once(settings),
        timeout=f"{min(settings.timeouts.server_request_seconds, LONGEST_REQUEST_SECONDS)}s",
        containers=[
            service_container(
                server,
                wiring.container,
                port=settings.server.port,
                cpu_idle=not run.cpu_always_allocated,
                boost=run.startup_cpu_boost,
            )
        ],
        volumes=service_volumes(wiring.container),
        encryption_key=wiring.key_id,
        vpc_access=gcp.cloudrunv2.ServiceTemplateVpcAccessArgs(
            # The database is in the network; Google's APIs and sign-in are reached directly.
            egress="PRIVATE_RANGES_ONLY",
            network_interfaces=[
                gcp.cloudrunv2.ServiceTemplateVpcAccessNetworkInterfaceArgs(
                    network=wiring.network_id, subnetwork=wiring.subnetwork_id
                )
            ],
        ),
    )


def requests_at_once(settings: PlatformSettings) -> int:
    """What one instance takes at a time: as many requests as its workers have threads.

    More would wait inside the container, where Cloud Run cannot see that another instance is due.
    """
    return min(1000, settings.server.workers * settings.server.threads)


def callers(settings: PlatformSettings, wiring: ServiceWiring) -> dict[str, pulumi.Input[str]]:
    """Who may call the service, by a short name."""
    if settings.gcp.cloud_run.allow_unauthenticated:
        return {"everybody": EVERYBODY}
    return {**wiring.invokers, **{member: member for member in settings.gcp.cloud_run.invokers}}
