"""How bad a difference is, and which differences are none.

Owns two tables. `RULES` says what a changed or missing thing means, the first that fits counting;
`VOLATILE` names the properties that change by themselves on an untouched platform, each with who
changes it. A property that is in neither is a warning: what nobody thought of is not harmless.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from operations.data_resources import holds
from operations.drift_findings import SEVERITIES, Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """What a difference in these properties of these types means."""

    types: str  # a regular expression over the whole type
    paths: str  # over the beginning of the path
    severity: Severity


RULES: tuple[Rule, ...] = (
    # Who may come in, and who may do what.
    Rule(r"aws:(ec2|vpc)/.*[sS]ecurityGroup.*", r"(?!tags|description)", "critical"),
    Rule(r"aws:iam/.*", r"(?!tags|description)", "critical"),
    Rule(r"aws:s3/bucket(Policy|PublicAccessBlock|OwnershipControls):.*", r"", "critical"),
    Rule(r"aws:eks/(accessEntry|accessPolicyAssociation):.*", r"(?!tags)", "critical"),
    Rule(r"aws:eks/cluster:.*", r"vpcConfig|encryptionConfig|accessConfig", "critical"),
    Rule(r"gcp:.*[iI][aA][mM](Member|Binding|Policy):.*", r"", "critical"),
    Rule(r"gcp:storage/bucket:.*", r"publicAccessPrevention|uniformBucketLevelAccess", "critical"),
    Rule(r"gcp:cloudrunv2/service:.*", r"ingress|invokerIamDisabled", "critical"),
    Rule(r"kubernetes:networking\.k8s\.io/v1:NetworkPolicy", r"(?!metadata)", "critical"),
    # What protects data: encryption, backups, versions, and the guards against deletion.
    Rule(
        r"aws:rds/instance:.*",
        r"publiclyAccessible|storageEncrypted|kmsKeyId|backupRetentionPeriod|deletionProtection"
        r"|vpcSecurityGroupIds|multiAz|iamDatabaseAuthenticationEnabled",
        "critical",
    ),
    Rule(r"aws:rds/parameterGroup:.*", r"parameters", "warning"),
    Rule(r"aws:kms/key:.*", r"policy|enableKeyRotation|isEnabled|deletionWindow", "critical"),
    Rule(
        r"aws:s3/bucket(Versioning|ServerSideEncryptionConfiguration|LifecycleConfiguration"
        r"|ReplicationConfig):.*",
        r"",
        "critical",
    ),
    Rule(r"aws:backup/.*", r"(?!tags)", "critical"),
    Rule(r"aws:secretsmanager/.*", r"(?!tags|description)", "critical"),
    Rule(
        r"gcp:sql/databaseInstance:.*",
        r"deletionProtection|settings\.(backupConfiguration|ipConfiguration|availabilityType"
        r"|deletionProtectionEnabled)|encryptionKeyName",
        "critical",
    ),
    Rule(
        r"gcp:storage/bucket:.*",
        r"versioning|softDeletePolicy|lifecycleRules|encryption|retentionPolicy|forceDestroy",
        "critical",
    ),
    Rule(r"gcp:(kms|secretmanager)/.*", r"(?!labels|annotations)", "critical"),
    # What serves on this machine.
    Rule(r"pulumi-python:dynamic/local:.*", r"state$|revision$", "critical"),
    # Words.
    Rule(
        r".*",
        r"tags|tagsAll|labels|userLabels|effectiveLabels|description|alarmDescription|displayName"
        r"|documentation|metadata\.(labels|annotations)",
        "info",
    ),
)

GUARDS = (
    r"aws:iam/.*|aws:(ec2|vpc)/.*[sS]ecurityGroup.*|aws:backup/.*|aws:s3/bucket[A-Z].*"
    r"|gcp:.*[iI][aA][mM]Member:.*|kubernetes:networking\.k8s\.io/v1:NetworkPolicy"
)
"""Types whose absence leaves something open or unprotected."""

VOLATILE: tuple[tuple[str, str, str], ...] = (
    (r"aws:eks/nodeGroup:.*", r"scalingConfig\.desiredSize", "the cluster's autoscaler"),
    (r"aws:eks/nodeGroup:.*", r"releaseVersion", "EKS, with each new node image"),
    (r"aws:rds/instance:.*", r"(latestRestorableTime|status)$", "RDS, every few minutes"),
    (r"aws:rds/instance:.*", r"allocatedStorage", "RDS, up to maxAllocatedStorage"),
    (r"gcp:sql/databaseInstance:.*", r"settings\.(diskSize|version)$", "Cloud SQL"),
    (r"gcp:sql/databaseInstance:.*", r"maintenanceVersion", "Cloud SQL"),
    (
        r"gcp:cloudrunv2/(service|job):.*",
        (
            r"(client|clientVersion|etag|generation|observedGeneration|latest\w+|conditions"
            r"|terminalConditions|trafficStatuses|updateTime|lastModifier|reconciling)\b"
        ),
        "Cloud Run, with each revision",
    ),
    (r"gcp:storage/bucket:.*", r"updated$", "Cloud Storage"),
    (r"gcp:.*", r"etag$", "Google, with each look"),
    (
        r"kubernetes:.*",
        (
            r"status\b|metadata\.(resourceVersion|generation|managedFields|uid|creationTimestamp)"
            r"|metadata\.annotations\[\"deployment\.kubernetes\.io/revision"
        ),
        "Kubernetes' controllers",
    ),
    (r"kubernetes:apps/v1:Deployment", r"spec\.replicas$", "the autoscaler"),
)
"""Type, path, and who changes it."""


def is_volatile(type_token: str, path: str) -> bool:
    """Whether that property changes by itself."""
    return any(
        re.fullmatch(types, type_token) and re.match(paths, path) for types, paths, _ in VOLATILE
    )


def severity_of_change(type_token: str, paths: tuple[str, ...]) -> Severity:
    """The worst of what the changed properties mean."""
    found: list[Severity] = [_of_path(type_token, path) for path in paths] or ["warning"]
    return min(found, key=SEVERITIES.index)


def severity_of_absence(type_token: str) -> Severity:
    """What it means that a resource is gone."""
    if holds(type_token) or re.fullmatch(GUARDS, type_token):
        return "critical"
    return "warning"


def _of_path(type_token: str, path: str) -> Severity:
    for rule in RULES:
        if re.fullmatch(rule.types, type_token) and re.match(rule.paths, path):
            return rule.severity
    return "warning"
