"""What is lost can be brought back: backups, earlier versions, and time to notice."""

from __future__ import annotations

from policies.artifact_expiry import is_artifact_bucket
from policies.resource_graph import UNKNOWN, Resource, ResourceGraph
from policies.resource_types import (
    AWS_BUCKET,
    AWS_BUCKET_VERSIONING,
    AWS_DATABASE,
    GCP_BUCKET,
    GCP_DATABASE,
)
from policies.rule import Broken, Rule, require, require_at_least, shown

LEAST_DAYS = 1
LEAST_DAYS_IN_PRODUCTION = 7
LEAST_SOFT_DELETE_SECONDS = 7 * 24 * 3600


def _aws_retention(graph: ResourceGraph) -> Broken:
    least = LEAST_DAYS_IN_PRODUCTION if graph.is_production else LEAST_DAYS
    for database in _primaries(graph, "replicateSourceDb", *AWS_DATABASE):
        days = database.number("backupRetentionPeriod")
        known = database.get("backupRetentionPeriod") is not UNKNOWN
        if known and (days is None or days < least):
            yield (
                database,
                (
                    f"`backupRetentionPeriod` is {shown(database.get('backupRetentionPeriod'))}: a "
                    "mistake that is noticed after that cannot be undone; set "
                    f"{least} or more (databaseBackupRetentionDays)"
                ),
            )


def _primaries(graph: ResourceGraph, source: str, *types: str) -> list[Resource]:
    """Databases that are no copy: a copy has no backups of its own."""
    return [one for one in graph.of(*types) if not one.is_given(source)]


def _aws_versioning(graph: ResourceGraph) -> Broken:
    for bucket in graph.of(*AWS_BUCKET):
        if not is_artifact_bucket(bucket):
            continue
        companions = graph.belonging_to(bucket, "bucket", *AWS_BUCKET_VERSIONING)
        path = "versioningConfiguration.status"
        if not any(companion.may_be(path, "Enabled") for companion in companions):
            yield (
                bucket,
                (
                    "it keeps no versions: an overwritten or deleted model is gone at once; "
                    "declare versioning with status Enabled"
                ),
            )


def _aws_plan(graph: ResourceGraph) -> Broken:
    plans = [plan for plan in graph.of("aws:backup/plan:Plan") if plan.each("rules")]
    selections = list(graph.of("aws:backup/selection:Selection"))
    selected = {
        urn for selection in selections for urn in selection.comes_from.get("resources", ())
    }
    for database in _primaries(graph, "replicateSourceDb", *AWS_DATABASE):
        chosen = database.urn in selected if selected else bool(selections)
        if not plans or not chosen:
            yield (
                database,
                (
                    "no backup plan covers it: its automated backups share its fate when it or its "
                    "account is deleted; set backupPlan to true"
                ),
            )


def _gcp(path: str, least: float | bool, why: str) -> Rule:
    name = path.rpartition(".")[2]
    body = (
        require(path, least, types=GCP_DATABASE, because=why)
        if isinstance(least, bool)
        else require_at_least(path, least, types=GCP_DATABASE, because=why)
    )

    def broken(graph: ResourceGraph) -> Broken:
        copies = {r.urn for r in graph.of(*GCP_DATABASE) if r.is_given("masterInstanceName")}
        return (found for found in body(graph) if found[0].urn not in copies)

    words = {
        "enabled": ("gcp-database-backups", "Every Cloud SQL instance is backed up each night."),
        "pointInTimeRecoveryEnabled": (
            "gcp-database-point-in-time",
            "Every Cloud SQL instance can go back to any second of its last days.",
        ),
        "retainedBackups": (
            "gcp-database-backups-kept",
            "In production, a week of Cloud SQL's backups is kept.",
        ),
    }
    return Rule(
        name=words[name][0],
        subject="backups",
        says=words[name][1],
        broken=broken,
        production_only=name == "retainedBackups",
    )


RULES = (
    Rule(
        name="aws-database-backups",
        subject="backups",
        says="RDS keeps backups: at least a day's, in production a week's.",
        broken=_aws_retention,
    ),
    Rule(
        name="aws-artifact-versions",
        subject="backups",
        says="Artifact buckets on S3 keep versions.",
        broken=_aws_versioning,
    ),
    Rule(
        name="aws-backup-plan",
        subject="backups",
        says="In production, a backup plan with a vault of its own covers the database.",
        broken=_aws_plan,
        production_only=True,
    ),
    _gcp(
        "settings.backupConfiguration.enabled",
        True,
        "a dropped table is gone for good",
    ),
    _gcp(
        "settings.backupConfiguration.pointInTimeRecoveryEnabled",
        True,
        "a day's runs are lost with every restore",
    ),
    _gcp(
        "settings.backupConfiguration.backupRetentionSettings.retainedBackups",
        LEAST_DAYS_IN_PRODUCTION,
        "a mistake that is noticed after that cannot be undone",
    ),
    Rule(
        name="gcp-artifact-versions",
        subject="backups",
        says="Artifact buckets on GCS keep versions.",
        broken=require(
            "versioning.enabled",
            True,
            types=GCP_BUCKET,
            because="an overwritten or deleted model is gone at once",
        ),
    ),
    Rule(
        name="gcp-artifact-soft-delete",
        subject="backups",
        says="Artifact buckets on GCS keep what is deleted for a week.",
        broken=require_at_least(
            "softDeletePolicy.retentionDurationSeconds",
            LEAST_SOFT_DELETE_SECONDS,
            types=GCP_BUCKET,
            because="a deleted version cannot be brought back",
        ),
    ),
)
