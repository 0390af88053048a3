"""From parsed values to the typed settings of clouds.

Owns which parsed value becomes which attribute of `PlatformSettings.cloud` and `.aws`, and what
`protection: auto` means. Whether the values go together is for the rules to say.
"""

from __future__ import annotations

from typing import Literal, cast

from infra.settings_kinds import AUTO
from infra.settings_model_aws import (
    AwsSettings,
    BackupSettings,
    ClusterControllers,
    ClusterSettings,
    EncryptionSettings,
    LoadBalancerSettings,
    NatGateways,
    NetworkSettings,
    OidcSettings,
    RdsSettings,
)
from infra.settings_model_cloud import (
    AlarmSettings,
    CloudDatabaseSettings,
    CloudSettings,
    DatabaseAuthentication,
    Ingress,
)
from infra.settings_parsing import Parsed

DEFAULT_NODE_INSTANCE_TYPES = ("m7i.large",)
"""Two processors and 8 GiB: the server's pods beside the add-ons, on amd64 as its image is."""


def derive_cloud(parsed: Parsed, environment: str) -> CloudSettings:
    """What every cloud's platform decides."""
    tag = parsed.text("serverImageTag")
    return CloudSettings(
        protection=_protection(parsed.text("protection"), environment),
        log_retention_days=parsed.number("logRetentionDays"),
        server_image=parsed.text("serverImage"),
        server_image_tag="" if tag == AUTO else tag,
        ingress=cast("Ingress", parsed.text("ingress")),
        ingress_allowed_cidrs=parsed.names("ingressAllowedCidrs"),
        database=CloudDatabaseSettings(
            major_version=parsed.number("databaseMajorVersion"),
            storage_gib=parsed.number("databaseStorageGib"),
            max_storage_gib=parsed.number("databaseMaxStorageGib"),
            high_availability=parsed.flag("databaseHighAvailability"),
            backup_retention_days=parsed.number("databaseBackupRetentionDays"),
            deletion_protection=parsed.flag("databaseDeletionProtection"),
            final_snapshot=parsed.flag("databaseFinalSnapshot"),
            read_replica=parsed.flag("databaseReadReplica"),
            authentication=cast("DatabaseAuthentication", parsed.text("databaseAuthentication")),
        ),
        artifact_noncurrent_version_days=parsed.number("artifactNoncurrentVersionDays"),
        artifact_force_destroy=parsed.flag("artifactForceDestroy"),
        alarms=AlarmSettings(
            emails=parsed.names("alarmEmails"),
            database_cpu_percent=parsed.number("alarmDatabaseCpuPercent"),
            database_connections_percent=parsed.number("alarmDatabaseConnectionsPercent"),
            database_free_storage_percent=parsed.number("alarmDatabaseFreeStoragePercent"),
            replica_lag_seconds=parsed.number("alarmReplicaLagSeconds"),
            server_errors_percent=parsed.number("alarmServerErrorsPercent"),
        ),
    )


def derive_aws(parsed: Parsed) -> AwsSettings:
    """What only AWS has."""
    return AwsSettings(
        network=_network(parsed),
        encryption=EncryptionSettings(
            existing_key_arn=parsed.text("existingKmsKeyArn"),
            key_deletion_days=parsed.number("kmsKeyDeletionDays"),
        ),
        rds=RdsSettings(
            instance_class=parsed.text("databaseInstanceClass"),
            performance_insights=parsed.flag("databasePerformanceInsights"),
            monitoring_interval_seconds=parsed.number("databaseMonitoringIntervalSeconds"),
            backup_window=parsed.text("databaseBackupWindow"),
            maintenance_window=parsed.text("databaseMaintenanceWindow").lower(),
            apply_immediately=parsed.flag("databaseApplyImmediately"),
        ),
        cluster=_cluster(parsed),
        load_balancer=LoadBalancerSettings(
            certificate_arn=parsed.text("certificateArn"),
            waf_web_acl_arn=parsed.text("wafWebAclArn"),
            oidc=_oidc(parsed),
        ),
        backup=BackupSettings(
            enabled=parsed.flag("backupPlan"),
            schedule=parsed.text("backupSchedule"),
            retention_days=parsed.number("backupRetentionDays"),
            vault_lock=parsed.flag("backupVaultLock"),
            copy_region=parsed.text("backupCopyRegion"),
        ),
        access_logs=parsed.flag("accessLogs"),
        artifact_replication_region=parsed.text("artifactReplicationRegion"),
        existing_alarm_topic_arn=parsed.text("existingAlarmTopicArn"),
    )


def _protection(written: str, environment: str) -> Literal["standard", "production"]:
    if written == "production":
        return "production"
    is_prod = environment in ("prod", "production") or environment.startswith("prod-")
    return "production" if written == AUTO and is_prod else "standard"


def _network(parsed: Parsed) -> NetworkSettings:
    zones = parsed.names("availabilityZones")
    return NetworkSettings(
        vpc_cidr=parsed.text("vpcCidr"),
        availability_zone_count=len(zones) or parsed.number("availabilityZoneCount"),
        availability_zones=zones,
        nat_gateways=cast("NatGateways", parsed.text("natGateways")),
        interface_endpoints=parsed.flag("vpcInterfaceEndpoints"),
        flow_logs=parsed.flag("vpcFlowLogs"),
        existing_vpc_id=parsed.text("existingVpcId"),
        existing_private_subnet_ids=parsed.names("existingPrivateSubnetIds"),
        existing_isolated_subnet_ids=parsed.names("existingIsolatedSubnetIds"),
        existing_public_subnet_ids=parsed.names("existingPublicSubnetIds"),
    )


def _cluster(parsed: Parsed) -> ClusterSettings:
    return ClusterSettings(
        existing_name=parsed.text("existingClusterName"),
        kubernetes_version=parsed.text("kubernetesVersion"),
        public_endpoint=parsed.flag("clusterPublicEndpoint"),
        public_endpoint_cidrs=parsed.names("clusterPublicEndpointCidrs"),
        admin_arns=parsed.names("clusterAdminArns"),
        controllers=cast("ClusterControllers", parsed.text("clusterControllers")),
        node_instance_types=parsed.names("nodeInstanceTypes") or DEFAULT_NODE_INSTANCE_TYPES,
        node_minimum=parsed.number("nodeMinimum"),
        node_maximum=parsed.number("nodeMaximum"),
        node_disk_gib=parsed.number("nodeDiskGib"),
        node_spot=parsed.flag("nodeSpot"),
        training_namespace=parsed.text("trainingNamespace"),
        training_service_account=parsed.text("trainingServiceAccount"),
    )


def _oidc(parsed: Parsed) -> OidcSettings:
    return OidcSettings(
        issuer=parsed.text("oidcIssuer").rstrip("/"),
        authorization_endpoint=parsed.text("oidcAuthorizationEndpoint"),
        token_endpoint=parsed.text("oidcTokenEndpoint"),
        user_info_endpoint=parsed.text("oidcUserInfoEndpoint"),
        client_id=parsed.text("oidcClientId"),
        client_secret=parsed.text("oidcClientSecret"),
    )
