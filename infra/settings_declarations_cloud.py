"""Settings that mean the same on every cloud.

Owns their declarations, in the order of Pulumi.yaml. What only one cloud has is declared in that
cloud's own table; on this machine none of them is taken (`settings_rules_cloud`).
"""

from __future__ import annotations

from infra.settings_kinds import AUTO, Declaration, array, boolean, integer, string

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827)
"""What CloudWatch takes, up to five years; Google's log buckets take any of them."""

CLOUD_DECLARATIONS: tuple[Declaration, ...] = (
    # What the platform is kept from
    string(
        "protection",
        AUTO,
        "What a mistake may cost: standard, or production (highly available, retained, no "
        "shortcut); auto: production where the environment is prod.",
        AUTO,
        "standard",
        "production",
    ),
    integer("logRetentionDays", 90, "How long the cloud's log service keeps our logs.", 1, 1827),
    # The server's image and address
    string(
        "serverImage",
        "",
        "Container image of the server, best by digest; empty: from the registry made here.",
    ),
    string("serverImageTag", AUTO, "Tag in the registry made here; auto: MLflow's version."),
    string(
        "ingress",
        "none",
        "Who reaches the server: its own network (none), private networks by a load balancer "
        "(internal) or the internet (public).",
        "none",
        "internal",
        "public",
    ),
    array("ingressAllowedCidrs", "Networks that may connect to the load balancer; empty: all."),
    # The provisioned database
    integer("databaseMajorVersion", 16, "PostgreSQL's major version.", 16, 18),
    integer("databaseStorageGib", 20, "Storage that the database starts with.", 20, 65536),
    integer("databaseMaxStorageGib", 200, "Storage that the database may grow to.", 22, 65536),
    boolean(
        "databaseHighAvailability",
        True,
        "A standby in another zone takes over when the database's own fails.",
    ),
    integer(
        "databaseBackupRetentionDays",
        14,
        "How many days back the database can be restored to any second.",
        7,
        35,
    ),
    boolean("databaseDeletionProtection", True, "The cloud refuses to delete the database."),
    boolean("databaseFinalSnapshot", True, "A deleted database leaves a last snapshot behind."),
    boolean("databaseReadReplica", False, "A second, readable copy for reports and exports."),
    string(
        "databaseAuthentication",
        "password",
        "How the server proves itself to the database: a password made here (password), one the "
        "cloud makes and rotates (managed), or its identity (iam).",
        "password",
        "managed",
        "iam",
    ),
    # The provisioned artifact bucket
    integer(
        "artifactNoncurrentVersionDays",
        30,
        "How long overwritten and deleted artifacts can be brought back.",
        1,
        3650,
    ),
    boolean("artifactForceDestroy", False, "Destroying the stack deletes every artifact too."),
    # Alarms
    array("alarmEmails", "Addresses that alarms are mailed to."),
    integer("alarmDatabaseCpuPercent", 80, "Alarm: the database computes more than this.", 1, 100),
    integer(
        "alarmDatabaseConnectionsPercent",
        80,
        "Alarm: more than this of databaseMaxConnections is in use.",
        1,
        100,
    ),
    integer(
        "alarmDatabaseFreeStoragePercent",
        15,
        "Alarm: less than this of the database's storage is free.",
        1,
        90,
    ),
    integer("alarmReplicaLagSeconds", 60, "Alarm: the replica is further behind than this.", 1),
    integer("alarmServerErrorsPercent", 5, "Alarm: more answers than this are 5xx.", 1, 100),
)

CLOUD_KEYS = frozenset(declaration.key for declaration in CLOUD_DECLARATIONS)
