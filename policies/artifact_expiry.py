"""No artifact is deleted for its age.

A model from two years ago may be the one in production, and no lifecycle rule can know. Only what
nobody can see any more has an age limit: earlier versions, unfinished uploads, deletion marks.
Buckets of logs are not meant.
"""

from __future__ import annotations

from policies.resource_graph import UNKNOWN, Resource, ResourceGraph, mappings
from policies.resource_types import AWS_BUCKET, AWS_BUCKET_LIFECYCLE, GCP_BUCKET
from policies.rule import Broken, Rule

ARTIFACTS = "-artifacts-"
INSTEAD = (
    "a model in production may be older; delete runs with `python -m operations retention` and "
    "limit noncurrent versions alone"
)


def is_artifact_bucket(bucket: Resource) -> bool:
    """By the name that `infra.naming` gives it; a bucket with no name yet counts as one."""
    name = bucket.get("bucket") or bucket.get("name")
    return not isinstance(name, str) or ARTIFACTS in name


def _aws(graph: ResourceGraph) -> Broken:
    for bucket in graph.of(*AWS_BUCKET):
        if not is_artifact_bucket(bucket):
            continue
        for companion in graph.belonging_to(bucket, "bucket", *AWS_BUCKET_LIFECYCLE):
            for rule in mappings(companion.each("rules")):
                one = Resource(type="", urn="", properties=rule)
                if one.may_be("status", "Disabled"):
                    continue
                for limit in ("days", "date"):
                    value = one.get(f"expiration.{limit}")
                    if value not in (None, "", 0, UNKNOWN):
                        yield (
                            companion,
                            (
                                f"rule {one.get('id')} deletes live artifacts "
                                f"({limit}: {value}): {INSTEAD}"
                            ),
                        )


def _gcp(graph: ResourceGraph) -> Broken:
    for bucket in graph.of(*GCP_BUCKET):
        if not is_artifact_bucket(bucket):
            continue
        for number, rule in enumerate(mappings(bucket.each("lifecycleRules"))):
            one = Resource(type="", urn="", properties=rule)
            old = any(
                one.is_given(f"condition.{limit}")
                for limit in ("daysSinceNoncurrentTime", "noncurrentTimeBefore", "numNewerVersions")
            )
            if one.may_be("action.type", "Delete") and not (
                old or one.may_be("condition.withState", "ARCHIVED")
            ):
                yield (
                    bucket,
                    (
                        f"lifecycle rule {number} deletes live artifacts "
                        f"(age: {one.get('condition.age')}): {INSTEAD}"
                    ),
                )


RULES = (
    Rule(
        name="aws-no-artifact-expires",
        subject="artifact expiry",
        says="No lifecycle rule of S3 deletes a live artifact.",
        broken=_aws,
    ),
    Rule(
        name="gcp-no-artifact-expires",
        subject="artifact expiry",
        says="No lifecycle rule of GCS deletes a live artifact.",
        broken=_gcp,
    ),
)
