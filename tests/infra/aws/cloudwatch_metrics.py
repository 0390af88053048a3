"""CloudWatch's metrics as AWS documents them: what an alarm may watch.

Held by hand against the pages in `SOURCES`, read on 2026-11-21. An alarm on a metric that nobody
reports never rings, and nothing says so: CloudWatch takes any name.
"""

from __future__ import annotations

SOURCES = {
    "AWS/RDS": "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html",
    "AWS/ApplicationELB": (
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/"
        "load-balancer-cloudwatch-metrics.html"
    ),
    "ContainerInsights": (
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/"
        "Container-Insights-metrics-EKS.html"
    ),
    "AWS/Backup": "https://docs.aws.amazon.com/aws-backup/latest/devguide/cloudwatch.html",
}

_INSTANCE = frozenset({"DBInstanceIdentifier"})
_BALANCER = frozenset({"LoadBalancer"})
_TARGETS = frozenset({"LoadBalancer", "TargetGroup"})
_VAULT = frozenset({"BackupVaultName"})

DOCUMENTED: dict[tuple[str, str], frozenset[frozenset[str]]] = {
    ("AWS/RDS", "FreeStorageSpace"): frozenset({_INSTANCE}),
    ("AWS/RDS", "CPUUtilization"): frozenset({_INSTANCE}),
    ("AWS/RDS", "CPUCreditBalance"): frozenset({_INSTANCE}),
    ("AWS/RDS", "DatabaseConnections"): frozenset({_INSTANCE}),
    ("AWS/RDS", "FreeableMemory"): frozenset({_INSTANCE}),
    ("AWS/RDS", "EBSIOBalance%"): frozenset({_INSTANCE}),
    ("AWS/RDS", "MaximumUsedTransactionIDs"): frozenset({_INSTANCE}),
    ("AWS/RDS", "ReplicaLag"): frozenset({_INSTANCE}),
    ("AWS/ApplicationELB", "RequestCount"): frozenset({_BALANCER, _TARGETS}),
    ("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count"): frozenset({_BALANCER}),
    ("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"): frozenset({_BALANCER, _TARGETS}),
    ("AWS/ApplicationELB", "TargetResponseTime"): frozenset({_BALANCER, _TARGETS}),
    ("AWS/ApplicationELB", "HealthyHostCount"): frozenset({_TARGETS}),
    ("AWS/ApplicationELB", "UnHealthyHostCount"): frozenset({_TARGETS}),
    ("AWS/ApplicationELB", "ELBAuthError"): frozenset({_BALANCER}),
    ("ContainerInsights", "cluster_failed_node_count"): frozenset({frozenset({"ClusterName"})}),
    ("ContainerInsights", "service_number_of_running_pods"): frozenset(
        {frozenset({"ClusterName"}), frozenset({"ClusterName", "Namespace", "Service"})}
    ),
    ("AWS/Backup", "NumberOfBackupJobsCompleted"): frozenset({_VAULT}),
    ("AWS/Backup", "NumberOfBackupJobsFailed"): frozenset({_VAULT}),
}
"""Sets of dimensions under which each metric is reported."""

STATISTICS = frozenset({"Average", "Sum", "Minimum", "Maximum"})
