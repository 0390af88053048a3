"""In production nothing that holds data goes by one call, one slip or one wrong merge."""

from __future__ import annotations

from policies.artifact_expiry import is_artifact_bucket
from policies.resource_graph import ResourceGraph
from policies.resource_types import (
    AWS_BUCKET,
    AWS_CLUSTER,
    AWS_DATABASE,
    AWS_KEY,
    AWS_LOAD_BALANCER,
    GCP_BUCKET,
    GCP_DATABASE,
    GCP_SERVICE,
)
from policies.rule import Broken, Rule, require, require_at_least

SUBJECT = "deletion protection"
LEAST_KEY_DAYS = 30
HOLDS_DATA = (*AWS_DATABASE, *AWS_BUCKET, *AWS_KEY, *GCP_DATABASE, *GCP_BUCKET)
ONE_CALL = "one call deletes it"


def _protected_in_state(graph: ResourceGraph) -> Broken:
    for resource in graph.of(*HOLDS_DATA):
        copy = resource.is_given("replicateSourceDb") or resource.is_given("masterInstanceName")
        logs = resource.type in AWS_BUCKET and not is_artifact_bucket(resource)
        abroad = resource.type in AWS_KEY and resource.is_given("region") and not resource.protect
        if not (resource.protect or copy or logs or abroad):
            yield (
                resource,
                (
                    "it is not protected in the state: a rename or a wrong merge deletes it; set "
                    "`protect=True` among its options"
                ),
            )


def _final_snapshot(graph: ResourceGraph) -> Broken:
    for database in graph.of(*AWS_DATABASE):
        copy = database.is_given("replicateSourceDb")
        if not copy and not database.may_be("skipFinalSnapshot", False, None):
            yield (
                database,
                (
                    "`skipFinalSnapshot` is true: nothing remains of it after its deletion; set "
                    "false (databaseFinalSnapshot)"
                ),
            )


def _deletion_protection(graph: ResourceGraph) -> Broken:
    for database in graph.of(*AWS_DATABASE):
        copy = database.is_given("replicateSourceDb")
        if not copy and not database.may_be("deletionProtection", True):
            yield (
                database,
                (
                    f"`deletionProtection` is not true: {ONE_CALL}; set true "
                    "(databaseDeletionProtection)"
                ),
            )


RULES = (
    Rule(
        name="protected-in-state",
        subject=SUBJECT,
        says="Databases, artifact buckets and keys are protected in Pulumi's state.",
        broken=_protected_in_state,
        production_only=True,
    ),
    Rule(
        name="aws-database-protected",
        subject=SUBJECT,
        says="RDS refuses to delete the database.",
        broken=_deletion_protection,
        production_only=True,
    ),
    Rule(
        name="aws-final-snapshot",
        subject=SUBJECT,
        says="RDS leaves a last snapshot.",
        broken=_final_snapshot,
        production_only=True,
    ),
    Rule(
        name="aws-bucket-kept",
        subject=SUBJECT,
        says="A bucket on S3 that holds something is not deleted.",
        broken=require(
            "forceDestroy",
            False,
            None,
            types=AWS_BUCKET,
            because="a destroy empties it first",
        ),
        production_only=True,
    ),
    Rule(
        name="aws-key-window",
        subject=SUBJECT,
        says="A deleted KMS key can be called back for thirty days.",
        broken=require_at_least(
            "deletionWindowInDays",
            LEAST_KEY_DAYS,
            types=AWS_KEY,
            because="without the key every backup is noise, and that is the time to notice",
        ),
        production_only=True,
    ),
    Rule(
        name="aws-cluster-protected",
        subject=SUBJECT,
        says="EKS refuses to delete the cluster.",
        broken=require("deletionProtection", True, types=AWS_CLUSTER, because=ONE_CALL),
        production_only=True,
    ),
    Rule(
        name="aws-load-balancer-protected",
        subject=SUBJECT,
        says="The load balancer refuses its deletion.",
        broken=require("enableDeletionProtection", True, types=AWS_LOAD_BALANCER, because=ONE_CALL),
        production_only=True,
    ),
    Rule(
        name="gcp-database-protected",
        subject=SUBJECT,
        says="Cloud SQL refuses to delete the instance, whoever asks.",
        broken=require(
            "settings.deletionProtectionEnabled", True, types=GCP_DATABASE, because=ONE_CALL
        ),
        production_only=True,
    ),
    Rule(
        name="gcp-database-protected-here",
        subject=SUBJECT,
        says="Pulumi refuses to delete the Cloud SQL instance.",
        broken=require("deletionProtection", True, types=GCP_DATABASE, because=ONE_CALL),
        production_only=True,
    ),
    Rule(
        name="gcp-backups-outlive",
        subject=SUBJECT,
        says="Cloud SQL's backups outlive the instance.",
        broken=require(
            "settings.retainBackupsOnDelete",
            True,
            types=GCP_DATABASE,
            because="they go with the instance",
        ),
        production_only=True,
    ),
    Rule(
        name="gcp-bucket-kept",
        subject=SUBJECT,
        says="A bucket on GCS that holds something is not deleted.",
        broken=require(
            "forceDestroy",
            False,
            None,
            types=GCP_BUCKET,
            because="a destroy empties it first",
        ),
        production_only=True,
    ),
    Rule(
        name="gcp-service-protected",
        subject=SUBJECT,
        says="Pulumi refuses to delete the Cloud Run service.",
        broken=require("deletionProtection", True, None, types=GCP_SERVICE, because=ONE_CALL),
        production_only=True,
    ),
)
