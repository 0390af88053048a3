"""Settings that only Google Cloud has: network, database machine, Cloud Run and its guard.

Owns their declarations, in the order of Pulumi.yaml. Project and region are Pulumi's own
`gcp:project` and `gcp:region`. An existing network or channel is adopted where its setting names
it, never because it is there.
"""

from __future__ import annotations

from infra.settings_kinds import Declaration, array, boolean, integer, string

GCP_DECLARATIONS: tuple[Declaration, ...] = (
    boolean("gcpEnableServices", True, "The program switches on the APIs that it needs."),
    # Network
    string("subnetCidr", "10.30.0.0/24", "Addresses of Cloud Run's instances, /26 or larger."),
    integer(
        "privateServicesPrefixLength", 20, "Size of the range that Cloud SQL gets its from.", 16, 24
    ),
    string("existingNetwork", "", "VPC network to adopt, by name; empty: one is made."),
    string("existingSubnetwork", "", "Adopted network: the subnet of Cloud Run's instances."),
    boolean("subnetFlowLogs", True, "A sample of the subnet's connections is logged."),
    # Encryption
    boolean(
        "customerManagedKey",
        False,
        "Database, bucket and secrets are encrypted with a key made here (CMEK), not Google's.",
    ),
    # Database (Cloud SQL)
    string("databaseTier", "db-custom-2-7680", "Cloud SQL machine of the database."),
    boolean("databaseQueryInsights", True, "The database's load by query, kept for a week."),
    integer("databaseMaintenanceDay", 7, "Day on which Google patches it: 1 is Monday.", 1, 7),
    integer("databaseMaintenanceHour", 3, "Hour of that day (UTC).", 0, 23),
    # Artifact bucket (Cloud Storage)
    integer("artifactSoftDeleteDays", 7, "How long even a deleted version can be restored.", 7, 90),
    array("artifactWriters", "IAM members whose training jobs read and write artifacts."),
    # Server (Cloud Run)
    integer(
        "cloudRunMinInstances",
        1,
        "Instances that are always there; 0 makes the first call wait for a cold start.",
        0,
        100,
    ),
    boolean(
        "cloudRunCpuAlwaysAllocated",
        False,
        "Instances compute between requests too, and are billed for it.",
    ),
    boolean("cloudRunStartupCpuBoost", True, "A starting instance gets more processor."),
    array("cloudRunInvokers", "IAM members that may call the server, such as group:team@….com."),
    boolean(
        "cloudRunAllowUnauthenticated",
        False,
        "ANYBODY who reaches the address may read, change and delete experiments.",
    ),
    # Load balancer (ingress public)
    string("iapDomain", "", "Name of the public address; its certificate is Google-managed."),
    array("iapMembers", "IAM members that pass Identity-Aware Proxy."),
    # Alarms
    array("existingNotificationChannels", "Channels that alarms go to, beside alarmEmails."),
)

GCP_KEYS = frozenset(declaration.key for declaration in GCP_DECLARATIONS)
