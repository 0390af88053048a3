"""Every resource says whose it is: tags on AWS, labels on Google Cloud and in Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from policies.resource_graph import UNKNOWN, Resource, ResourceGraph
from policies.rule import Broken, Rule

SUBJECT = "tags and labels"
TAGS = ("project", "service", "environment", "managed-by")

GCP_LABELS = {
    "gcp:artifactregistry/repository:Repository": "labels",
    "gcp:cloudrunv2/job:Job": "labels",
    "gcp:cloudrunv2/service:Service": "labels",
    "gcp:kms/cryptoKey:CryptoKey": "labels",
    "gcp:monitoring/alertPolicy:AlertPolicy": "userLabels",
    "gcp:secretmanager/secret:Secret": "labels",
    "gcp:sql/databaseInstance:DatabaseInstance": "settings.userLabels",
    "gcp:storage/bucket:Bucket": "labels",
}
"""Where the kinds that the platform makes carry their labels."""

KUBERNETES_LABELS = ("app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "environment")
NO_LABELS_OF_OURS = ("kubernetes:helm.sh/", "kubernetes:yaml:", "kubernetes:yaml/")
"""Charts bring their own."""


def _aws_provider(graph: ResourceGraph) -> Broken:
    for provider in graph.of("pulumi:providers:aws"):
        yield from _missing(provider, "defaultTags.tags", TAGS)


def _aws_resources(graph: ResourceGraph) -> Broken:
    """Where an engine shows what a resource ends up with (`tagsAll`), that is what counts."""
    for resource in graph.resources:
        if resource.type.startswith("aws:") and resource.is_given("tagsAll"):
            yield from _missing(resource, "tagsAll", TAGS)


def _gcp(graph: ResourceGraph) -> Broken:
    for resource in graph.of(*GCP_LABELS):
        yield from _missing(resource, GCP_LABELS[resource.type], TAGS)


def _kubernetes(graph: ResourceGraph) -> Broken:
    for resource in graph.resources:
        if resource.type.startswith("kubernetes:") and not resource.type.startswith(
            NO_LABELS_OF_OURS
        ):
            yield from _missing(resource, "metadata.labels", KUBERNETES_LABELS)


def _missing(resource: Resource, path: str, wanted: tuple[str, ...]) -> Broken:
    value = resource.get(path)
    if value is UNKNOWN:
        return
    there: Mapping[str, object] = (
        cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
    )
    missing = [name for name in wanted if there.get(name) in (None, "")]
    if missing:
        yield (
            resource,
            (
                f"`{path}` lacks {', '.join(missing)}: nobody can tell whose it is or what it "
                "costs; take them from infra.naming"
            ),
        )


RULES = (
    Rule(
        name="aws-default-tags",
        subject=SUBJECT,
        says="Every provider of AWS gives each resource the four tags.",
        broken=_aws_provider,
    ),
    Rule(
        name="aws-tags",
        subject=SUBJECT,
        says="Every resource on AWS that has tags has the four.",
        broken=_aws_resources,
    ),
    Rule(
        name="gcp-labels",
        subject=SUBJECT,
        says="What holds data or runs on Google Cloud has the four labels.",
        broken=_gcp,
    ),
    Rule(
        name="kubernetes-labels",
        subject=SUBJECT,
        says="Every Kubernetes object says what it belongs to, by whom and where.",
        broken=_kubernetes,
    ),
)
