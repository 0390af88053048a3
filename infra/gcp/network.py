"""The network between Cloud Run and Cloud SQL.

Owns the VPC network, the subnet from which Cloud Run's instances reach out (Direct VPC egress) and
the range and peering that give Cloud SQL a private address. It opens nothing: a VPC network lets
nothing in by default, and no firewall rule is made here. An existing network is adopted whole,
with its peering, where the settings name it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.settings_model_gcp import VpcSettings

PRIVATE_SERVICES = "servicenetworking.googleapis.com"

FLOW_LOG_SAMPLE = 0.1
"""One connection in ten: enough to see who talks to whom, at a tenth of the price."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkWiring:
    """Where the network is made."""

    region: str


class Network(pulumi.ComponentResource):
    """A VPC network with one subnet and private access to Google's managed services."""

    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]
    private_services: pulumi.Resource | None  # the database waits for it; None: adopted

    def __init__(
        self,
        name: str,
        settings: VpcSettings,
        wiring: NetworkWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make the network, or adopt the one that the settings name."""
        super().__init__("mlflow-platform:gcp:Network", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        if settings.existing_network:
            self._adopt(settings, wiring)
        else:
            self._make(name, settings, wiring)
        self.register_outputs({"network_id": self.network_id, "subnetwork_id": self.subnetwork_id})

    def _adopt(self, settings: VpcSettings, wiring: NetworkWiring) -> None:
        of_self = pulumi.InvokeOutputOptions(parent=self)
        self.network_id = gcp.compute.get_network_output(
            name=settings.existing_network, opts=of_self
        ).id
        self.subnetwork_id = gcp.compute.get_subnetwork_output(
            name=settings.existing_subnetwork, region=wiring.region, opts=of_self
        ).id
        self.private_services = None

    def _make(self, name: str, settings: VpcSettings, wiring: NetworkWiring) -> None:
        network = gcp.compute.Network(
            f"{name}-vpc",
            name=name,
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            description="MLflow platform: Cloud Run's way to its database",
            opts=self._child,
        )
        subnetwork = gcp.compute.Subnetwork(
            f"{name}-subnet",
            name=name,
            network=network.id,
            region=wiring.region,
            ip_cidr_range=settings.subnet_cidr,
            # Cloud Storage and Secret Manager are reached without leaving Google's network.
            private_ip_google_access=True,
            log_config=flow_logs() if settings.flow_logs else None,
            opts=self._child,
        )
        addresses = gcp.compute.GlobalAddress(
            f"{name}-private-services",
            name=f"{name}-private-services",
            network=network.id,
            purpose="VPC_PEERING",
            address_type="INTERNAL",
            prefix_length=settings.private_services_prefix_length,
            opts=self._child,
        )
        self.private_services = gcp.servicenetworking.Connection(
            f"{name}-private-services-connection",
            network=network.id,
            service=PRIVATE_SERVICES,
            reserved_peering_ranges=[addresses.name],
            # Google refuses to take the peering down for days after the last database has gone;
            # with the network goes the peering.
            deletion_policy="ABANDON",
            opts=self._child,
        )
        self.network_id = network.id
        self.subnetwork_id = subnetwork.id


def flow_logs() -> gcp.compute.SubnetworkLogConfigArgs:
    """A sample of connections, with what is needed to tell who they are."""
    return gcp.compute.SubnetworkLogConfigArgs(
        aggregation_interval="INTERVAL_10_MIN",
        flow_sampling=FLOW_LOG_SAMPLE,
        metadata="INCLUDE_ALL_METADATA",
    )
