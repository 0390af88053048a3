"""Typed settings that only Google Cloud has: `PlatformSettings.gcp`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class VpcSettings:
    """The network between Cloud Run and Cloud SQL."""

    subnet_cidr: str  # of the instances of Cloud Run; /26 or larger
    private_services_prefix_length: int  # of the range that Google's managed services get
    existing_network: str  # name of a network to adopt; "" = made here
    existing_subnetwork: str  # name of a subnet of the adopted network
    flow_logs: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudSqlSettings:
    """The database's machine and its maintenance."""

    tier: str
    query_insights: bool
    maintenance_day: int  # 1 = Monday
    maintenance_hour: int  # UTC


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudRunSettings:
    """How Cloud Run keeps the server's instances."""

    minimum_instances: int
    cpu_always_allocated: bool  # also between requests
    startup_cpu_boost: bool
    invokers: tuple[str, ...]  # IAM members that may call the server
    allow_unauthenticated: bool  # anybody may call it


@dataclass(frozen=True, kw_only=True, slots=True)
class IapLoadBalancerSettings:
    """The load balancer in front of a public server, guarded by Identity-Aware Proxy."""

    domain: str  # its managed certificate's name; the address of people's browsers
    members: tuple[str, ...]  # IAM members that may pass


@dataclass(frozen=True, kw_only=True, slots=True)
class GcpSettings:
    """What only Google Cloud has."""

    network: VpcSettings
    cloud_sql: CloudSqlSettings
    cloud_run: CloudRunSettings
    load_balancer: IapLoadBalancerSettings
    customer_managed_key: bool  # database, bucket and secrets are encrypted with a key made here
    artifact_soft_delete_days: int
    artifact_writers: tuple[str, ...]  # IAM members whose training jobs write artifacts
    enable_services: bool  # APIs of the project are switched on by the program
    existing_notification_channels: tuple[str, ...]
