"""Typed settings that only AWS has: `PlatformSettings.aws`.

Owns their shape. What means the same on every cloud stands in `PlatformSettings.cloud`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

NatGateways = Literal["none", "one", "per-zone"]
ClusterControllers = Literal["install", "expect"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkSettings:
    """The VPC: made here, or adopted by its id and those of its subnets."""

    vpc_cidr: str
    availability_zone_count: int
    availability_zones: tuple[str, ...]  # by name; empty = the region's first ones
    nat_gateways: NatGateways
    interface_endpoints: bool
    flow_logs: bool
    existing_vpc_id: str  # "" = made here
    existing_private_subnet_ids: tuple[str, ...]
    existing_isolated_subnet_ids: tuple[str, ...]
    existing_public_subnet_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EncryptionSettings:
    """The KMS key of everything the stack keeps."""

    existing_key_arn: str  # "" = made here
    key_deletion_days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RdsSettings:
    """What RDS wants to know beside `cloud.database`."""

    instance_class: str
    performance_insights: bool
    monitoring_interval_seconds: int  # 0 = off
    backup_window: str  # hh:mm-hh:mm, UTC
    maintenance_window: str  # ddd:hh:mm-ddd:hh:mm, UTC
    apply_immediately: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterSettings:
    """The EKS cluster and who uses it."""

    existing_name: str  # "" = made here
    kubernetes_version: str
    public_endpoint: bool
    public_endpoint_cidrs: tuple[str, ...]
    admin_arns: tuple[str, ...]
    controllers: ClusterControllers  # who installs those that the stack needs
    node_instance_types: tuple[str, ...]  # never empty
    node_minimum: int
    node_maximum: int
    node_disk_gib: int
    node_spot: bool
    training_namespace: str
    training_service_account: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OidcSettings:
    """Sign-in at the load balancer, with `authentication: oidc`."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerSettings:
    """The application load balancer, where `cloud.ingress` is not `none`."""

    certificate_arn: str
    waf_web_acl_arn: str  # "" = none
    oidc: OidcSettings  # used where authentication is `oidc`


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupSettings:
    """AWS Backup's plan over database and bucket."""

    enabled: bool
    schedule: str  # cron(…), UTC
    retention_days: int
    vault_lock: bool
    copy_region: str  # "" = none


@dataclass(frozen=True, kw_only=True, slots=True)
class AwsSettings:
    """What a stack decides about AWS."""

    network: NetworkSettings
    encryption: EncryptionSettings
    rds: RdsSettings
    cluster: ClusterSettings
    load_balancer: LoadBalancerSettings
    backup: BackupSettings
    access_logs: bool  # of artifact bucket and load balancer
    artifact_replication_region: str  # "" = none
    existing_alarm_topic_arn: str  # "" = made here
