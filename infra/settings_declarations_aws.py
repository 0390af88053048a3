"""Settings that only AWS has: network, cluster, database and bucket details, backup plan.

Owns their declarations, in the order of Pulumi.yaml. The region is Pulumi's own `aws:region`. An
existing VPC, cluster, key or topic is adopted where its setting names it, and never otherwise.
"""

from __future__ import annotations

from infra.settings_kinds import Declaration, array, boolean, integer, secret, string

AWS_DECLARATIONS: tuple[Declaration, ...] = (
    # Network
    string("vpcCidr", "10.20.0.0/16", "Addresses of the network, /16 to /20."),
    integer("availabilityZoneCount", 2, "Zones the network spans.", 2, 3),
    array(
        "availabilityZones", "The zones by name; empty: the region's first availabilityZoneCount."
    ),
    string(
        "natGateways",
        "one",
        "Way out to the internet: none (interface endpoints instead), one, or per-zone.",
        "none",
        "one",
        "per-zone",
    ),
    boolean("vpcInterfaceEndpoints", False, "AWS's own services are reached inside the network."),
    boolean("vpcFlowLogs", True, "Every accepted and rejected connection is logged."),
    string("existingVpcId", "", "Network to adopt; empty: one is made."),
    array("existingPrivateSubnetIds", "Adopted network: subnets of servers, in two zones or more."),
    array("existingIsolatedSubnetIds", "Adopted network: subnets of the database, in two zones."),
    array("existingPublicSubnetIds", "Adopted network: subnets of a public load balancer."),
    # Encryption
    string("existingKmsKeyArn", "", "Key to encrypt everything with; empty: one is made."),
    integer(
        "kmsKeyDeletionDays", 30, "Days in which the deletion of our key can be taken back.", 7, 30
    ),
    # Database (RDS)
    string("databaseInstanceClass", "db.t4g.large", "RDS instance class of the database."),
    boolean("databasePerformanceInsights", True, "Seven days of the database's load by query."),
    integer(
        "databaseMonitoringIntervalSeconds",
        60,
        "Enhanced monitoring of the database's machine; 0: off.",
        0,
        60,
    ),
    string("databaseBackupWindow", "02:00-03:00", "When automated backups run (UTC)."),
    string(
        "databaseMaintenanceWindow",
        "sun:03:30-sun:04:30",
        "When AWS patches the database and changes that restart it happen (UTC).",
    ),
    boolean(
        "databaseApplyImmediately",
        False,
        "Changes that restart the database happen at once, not in the maintenance window.",
    ),
    # Artifact bucket (S3)
    boolean("accessLogs", True, "Who read and wrote what in bucket and load balancer is logged."),
    string(
        "artifactReplicationRegion",
        "",
        "Region that artifacts are copied to as they are written; empty: none.",
    ),
    # Cluster (EKS)
    string("existingClusterName", "", "EKS cluster to adopt; empty: one is made."),
    string("kubernetesVersion", "1.35", "Kubernetes version of the cluster made here."),
    boolean("clusterPublicEndpoint", False, "The cluster's API answers on the internet too."),
    array("clusterPublicEndpointCidrs", "Networks that may call the public endpoint."),
    array("clusterAdminArns", "IAM roles that administer the cluster, beside who made it."),
    string(
        "clusterControllers",
        "install",
        "Who installs the controllers that the stack needs (load balancer, External Secrets): the "
        "platform (install) or the cluster's owner (expect).",
        "install",
        "expect",
    ),
    array("nodeInstanceTypes", "EC2 types of the cluster's nodes; empty: m7i.large."),
    integer("nodeMinimum", 2, "Fewest nodes of the cluster.", 1, 100),
    integer("nodeMaximum", 4, "Most nodes of the cluster.", 1, 100),
    integer("nodeDiskGib", 50, "Disk of each node of the cluster.", 20, 16384),
    boolean("nodeSpot", False, "Nodes are spot instances: cheaper, taken away at two minutes."),
    string("trainingNamespace", "argo", "Kubernetes namespace that training jobs run in."),
    string("trainingServiceAccount", "training", "Service account that training jobs run as."),
    # Load balancer (ALB)
    string("certificateArn", "", "ACM certificate of the name in trackingUri."),
    string("wafWebAclArn", "", "Web ACL that guards the load balancer; empty: none."),
    string("oidcIssuer", "", "Sign-in: the identity provider, https://…."),
    string("oidcAuthorizationEndpoint", "", "Sign-in: where a browser is sent to."),
    string("oidcTokenEndpoint", "", "Sign-in: where a code becomes a token."),
    string("oidcUserInfoEndpoint", "", "Sign-in: where a token becomes a person."),
    string("oidcClientId", "", "Sign-in: this platform's id at the identity provider."),
    secret("oidcClientSecret", "Sign-in: this platform's secret at the identity provider."),
    # Alarms
    string("existingAlarmTopicArn", "", "SNS topic that alarms go to; empty: one is made."),
    # Backup plan (AWS Backup)
    boolean("backupPlan", False, "Database and bucket are backed up into a vault of their own."),
    string("backupSchedule", "cron(0 5 * * ? *)", "When the backup plan runs (UTC)."),
    integer("backupRetentionDays", 35, "How long the vault keeps each backup.", 7, 3650),
    boolean("backupVaultLock", False, "Nobody can delete a backup before its time, not even root."),
    string("backupCopyRegion", "", "Region that backups are copied to as well; empty: none."),
)

AWS_KEYS = frozenset(declaration.key for declaration in AWS_DECLARATIONS)
