"""From parsed values to the typed settings of Google Cloud.

Owns which parsed value becomes which attribute of `PlatformSettings.gcp`. Whether the values go
together is for the rules to say.
"""

from __future__ import annotations

from infra.settings_model_gcp import (
    CloudRunSettings,
    CloudSqlSettings,
    GcpSettings,
    IapLoadBalancerSettings,
    VpcSettings,
)
from infra.settings_parsing import Parsed


def derive_gcp(parsed: Parsed) -> GcpSettings:
    """What only Google Cloud has."""
    return GcpSettings(
        network=VpcSettings(
            subnet_cidr=parsed.text("subnetCidr"),
            private_services_prefix_length=parsed.number("privateServicesPrefixLength"),
            existing_network=parsed.text("existingNetwork"),
            existing_subnetwork=parsed.text("existingSubnetwork"),
            flow_logs=parsed.flag("subnetFlowLogs"),
        ),
        cloud_sql=CloudSqlSettings(
            tier=parsed.text("databaseTier"),
            query_insights=parsed.flag("databaseQueryInsights"),
            maintenance_day=parsed.number("databaseMaintenanceDay"),
            maintenance_hour=parsed.number("databaseMaintenanceHour"),
        ),
        cloud_run=CloudRunSettings(
            minimum_instances=parsed.number("cloudRunMinInstances"),
            cpu_always_allocated=parsed.flag("cloudRunCpuAlwaysAllocated"),
            startup_cpu_boost=parsed.flag("cloudRunStartupCpuBoost"),
            invokers=parsed.names("cloudRunInvokers"),
            allow_unauthenticated=parsed.flag("cloudRunAllowUnauthenticated"),
        ),
        load_balancer=IapLoadBalancerSettings(
            domain=parsed.text("iapDomain"), members=parsed.names("iapMembers")
        ),
        customer_managed_key=parsed.flag("customerManagedKey"),
        artifact_soft_delete_days=parsed.number("artifactSoftDeleteDays"),
        artifact_writers=parsed.names("artifactWriters"),
        enable_services=parsed.flag("gcpEnableServices"),
        existing_notification_channels=parsed.names("existingNotificationChannels"),
    )
