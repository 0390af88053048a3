"""Rules about settings of MLflow on Kubernetes.

Owns one small function per rule, each with its own message. What the API server would refuse by
itself, and what it would accept and then serve to nobody, is said before anything is deployed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.settings_declarations_kubernetes import KUBERNETES_DECLARATIONS
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""RFC 1123: what names a namespace, and each part of a host."""

_CRON_FIELD = re.compile(r"(?:\*|[0-9]+(?:-[0-9]+)?)(?:/[0-9]+)?")
_CRON_MOST = (59, 23, 31, 12, 7)  # minute, hour, day, month, weekday


ALSO_ON_CLOUD_RUN = ("retentionSchedule", "retentionDays")


def kubernetes_settings_are_for_kubernetes(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A setting that nothing reads is a mistake waiting to be found."""
    if settings.target == "aws":
        return
    for declaration in KUBERNETES_DECLARATIONS:
        shared = settings.target == "gcp" and declaration.key in ALSO_ON_CLOUD_RUN
        if declaration.key in parsed.given and not shared:
            yield problem(
                declaration.key,
                f"is set and mlflow-platform:target is {settings.target}, where no Kubernetes "
                "runs the server: remove it",
            )


def fewest_servers_are_not_more_than_most(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Kubernetes refuses an autoscaler whose minimum is above its maximum."""
    del parsed
    fewest, most = settings.kubernetes.replicas_minimum, settings.server.replicas
    if settings.target == "aws" and fewest > most:
        yield problem(
            "serverReplicasMinimum",
            f"is {fewest} and mlflow-platform:serverReplicas, the most servers, is {most}: raise "
            "serverReplicas or lower this",
        )


def production_survives_the_loss_of_a_server(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """With one server every node that is drained takes the platform down."""
    del parsed
    fewest = settings.kubernetes.replicas_minimum
    if settings.target == "aws" and settings.cloud.is_production and fewest < 2:
        yield problem(
            "serverReplicasMinimum",
            f"is {fewest} in production; a drained node would take the only server with it: set it "
            "to 2 or more",
        )


def ingress_is_whole_or_absent(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """An Ingress without a class is nobody's, without hosts everybody's, without TLS in clear."""
    if settings.target != "aws":
        return
    ingress = settings.kubernetes.ingress
    if not ingress.class_name:
        for key in ("ingressHosts", "ingressTlsSecret", "ingressNamespace"):
            if key in parsed.given:
                yield problem(
                    key,
                    "is set and mlflow-platform:ingressClassName is not, so no Ingress is made: "
                    "name the class, or remove it",
                )
        return
    if not ingress.hosts:
        yield problem(
            "ingressHosts",
            "is empty and mlflow-platform:ingressClassName is set; an Ingress without a host "
            "answers to every name: list the names, such as mlflow.example.com",
        )
    if not ingress.tls_secret:
        yield problem(
            "ingressTlsSecret",
            "is empty and mlflow-platform:ingressClassName is set; passwords would travel in "
            "clear: name the Secret in namespace mlflow that holds the certificate",
        )


def names_are_kubernetes_names(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The API server refuses other names, after half of the stack is made."""
    del parsed
    if settings.target != "aws":
        return
    kubernetes = settings.kubernetes
    named = [
        *(("networkPolicyNamespaces", name) for name in kubernetes.client_namespaces),
        ("ingressNamespace", kubernetes.ingress.namespace),
        ("prometheusNamespace", kubernetes.prometheus_namespace),
    ]
    for key, name in named:
        if not _LABEL.fullmatch(name):
            yield problem(
                key,
                f"has {name!r}; a namespace's name has up to 63 lower-case letters, digits and "
                "hyphens, such as argo",
            )
    for key, name in (
        ("ingressClassName", kubernetes.ingress.class_name or "none"),
        ("ingressTlsSecret", kubernetes.ingress.tls_secret or "none"),
        ("secretStoreName", kubernetes.secret_store_name),
    ):
        if not _is_subdomain(name):
            yield problem(
                key,
                f"is {name!r}; an object's name has lower-case letters, digits, hyphens and dots, "
                "such as mlflow-tls",
            )
    for host in kubernetes.ingress.hosts:
        if not _is_subdomain(host) or "." not in host:
            yield problem(
                "ingressHosts",
                f"has {host!r}; write whole host names without scheme, port and wildcard (MLflow "
                "answers 403 to names that are not on its list), such as mlflow.example.com",
            )


def retention_has_a_schedule(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Cron's five fields; the API server reports another number of them after half of the stack."""
    schedule = settings.kubernetes.retention.schedule
    if settings.target != "aws":
        return
    if not schedule:
        if "retentionDays" in parsed.given:
            yield problem(
                "retentionDays",
                "is set and mlflow-platform:retentionSchedule is empty, so nothing is ever "
                "removed: write a schedule, such as '0 3 * * 0', or remove it",
            )
        return
    if not _is_cron(schedule):
        yield problem(
            "retentionSchedule",
            f"is {schedule!r}; write cron's five fields in figures (minute, hour, day, month, "
            "weekday), such as '0 3 * * 0' for Sundays at three",
        )


def _is_subdomain(name: str) -> bool:
    return len(name) <= 253 and all(_LABEL.fullmatch(part) for part in name.split("."))


def _is_cron(schedule: str) -> bool:
    fields = schedule.split()
    if len(fields) != len(_CRON_MOST):
        return False
    return all(
        all(_CRON_FIELD.fullmatch(item) for item in text.split(","))
        and all(int(number) <= most for number in re.findall(r"(?<!/)\b[0-9]+", text))
        and not re.search(r"/0+\b", text)
        for text, most in zip(fields, _CRON_MOST, strict=True)
    )


KUBERNETES_RULES = (
    kubernetes_settings_are_for_kubernetes,
    fewest_servers_are_not_more_than_most,
    production_survives_the_loss_of_a_server,
    ingress_is_whole_or_absent,
    names_are_kubernetes_names,
    retention_has_a_schedule,
)
