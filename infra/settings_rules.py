"""Rules about settings together: what would deploy and then cost somebody an hour.

Owns the list of all rules and those about names, targets, waiting and telemetry. Each rule is one
small function with its own message: the setting as the user wrote it, the value found, what is
allowed, what to do next. A rule says nothing of values that cannot be read on their own
(`settings_parsing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from infra.naming import LONGEST_ENVIRONMENT, is_valid_environment
from infra.settings_address_rules import ADDRESS_RULES
from infra.settings_budget_rules import BUDGET_RULES
from infra.settings_declarations import BY_KEY
from infra.settings_mlflow_limits import MLFLOW_LIMITS
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem
from infra.settings_rules_aws import AWS_RULES
from infra.settings_rules_cloud import CLOUD_RULES
from infra.settings_rules_gcp import GCP_RULES
from infra.settings_rules_kubernetes import KUBERNETES_RULES
from infra.settings_rules_server import SERVER_RULES
from infra.settings_storage_rules import STORAGE_RULES

Rule = Callable[[PlatformSettings, Parsed], Iterator[Problem]]


def broken_rules(settings: PlatformSettings, parsed: Parsed) -> list[Problem]:
    """Every broken rule's problems, in the rules' order."""
    of_target = {"aws": AWS_RULES, "gcp": GCP_RULES}.get(settings.target, ())
    rules = (*ALL_RULES, *of_target)
    return [problem for rule in rules for problem in rule(settings, parsed)]


def environment_makes_valid_names(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The environment is part of every resource's name."""
    del parsed
    if not is_valid_environment(settings.environment):
        yield problem(
            "environment",
            f"is {settings.environment!r}; names are made of it, so it takes up to "
            f"{LONGEST_ENVIRONMENT} lower-case letters, digits and single hyphens, beginning with "
            "a letter and not ending with a hyphen",
        )


def experiments_have_names(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow refuses an experiment without a name only when the first client asks for it."""
    del parsed
    for key, name in (
        ("defaultExperiment", settings.experiment.default),
        ("experimentName", settings.experiment.name),
    ):
        if not name:
            yield problem(key, f"is empty; write a name, such as {BY_KEY[key].default}")


def local_settings_are_for_this_machine(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A setting that nothing reads is a mistake waiting to be found."""
    if settings.target == "local":
        if settings.server.replicas > 1:
            yield problem(
                "serverReplicas",
                f"is {settings.server.replicas}; on one machine one server runs: raise "
                "mlflow-platform:serverWorkers instead",
            )
        if settings.local.state_dir.rstrip("/") in ("", ".", "~"):
            yield problem(
                "localStateDir",
                f"is {settings.local.state_dir!r}; name a folder of its own, such as .state: data "
                "and secrets are kept there, and purged from there",
            )
        return
    for key in sorted(parsed.given):
        if key.startswith("local") and key in BY_KEY:
            yield problem(key, f"is set and mlflow-platform:target is {settings.target}: remove it")


def nothing_is_said_of_authentication_that_is_off(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Somebody who names an administrator believes that the server asks for a password."""
    if settings.authentication.kind != "basic":
        for key in ("authAdminUsername", "authAdminPassword", "authCacheTtlSeconds"):
            if key in parsed.given:
                yield problem(
                    key,
                    f"is set and mlflow-platform:authentication is {settings.authentication.kind}, "
                    "so nothing would use it: set authentication to basic, or remove it",
                )


def each_side_outwaits_the_next(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Who gives up first should be who can say why: statement, then server, then client."""
    del parsed
    timeouts, telemetry = settings.timeouts, settings.telemetry
    if timeouts.server_query_seconds >= timeouts.client_read_seconds:
        yield problem(
            "serverQueryTimeoutSeconds",
            f"is {timeouts.server_query_seconds} and clientReadTimeoutSeconds is "
            f"{timeouts.client_read_seconds}: clients would give up and ask again while the "
            "database still works for them; make the database's the shorter one",
        )
    if telemetry.slow_query_ms >= timeouts.server_query_seconds * 1000:
        yield problem(
            "slowQueryMs",
            f"is {telemetry.slow_query_ms} and serverQueryTimeoutSeconds is "
            f"{timeouts.server_query_seconds}: a statement is cancelled before it counts as slow; "
            f"set it below {timeouts.server_query_seconds * 1000}",
        )
    if telemetry.slow_response_ms >= timeouts.client_read_seconds * 1000:
        yield problem(
            "slowResponseMs",
            f"is {telemetry.slow_response_ms} and clientReadTimeoutSeconds is "
            f"{timeouts.client_read_seconds}: clients give up before an answer counts as slow; set "
            f"it below {timeouts.client_read_seconds * 1000}",
        )


def metrics_have_a_way_out(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Datadog's agent scrapes /metrics; CloudWatch is AWS's."""
    telemetry = settings.telemetry
    if "collectionIntervalSeconds" in parsed.given and settings.target == "local":
        yield problem(
            "collectionIntervalSeconds",
            f"is {telemetry.collection_interval_seconds} and mlflow-platform:target is local: the "
            "platform collects nothing on this machine; leave it out, and set the interval in what "
            "reads the server's /metrics (scrape_interval of Prometheus)",
        )
    if telemetry.datadog and settings.target == "local":
        yield problem(
            "datadogEnabled",
            "is true and mlflow-platform:target is local: the platform starts no agent on this "
            "machine; leave it false and let your agent's OpenMetrics check read the server's "
            "/metrics",
        )
    elif telemetry.datadog and not telemetry.prometheus:
        yield problem(
            "datadogEnabled",
            "is true and prometheusEnabled is false: Datadog's agent reads the server's /metrics; "
            "set mlflow-platform:prometheusEnabled to true",
        )
    if telemetry.cloudwatch and settings.target != "aws":
        yield problem(
            "cloudwatchEnabled",
            f"is true and mlflow-platform:target is {settings.target}: CloudWatch is there on aws; "
            "set it to false",
        )


ALL_RULES: tuple[Rule, ...] = (
    environment_makes_valid_names,
    *ADDRESS_RULES,
    *STORAGE_RULES,
    experiments_have_names,
    local_settings_are_for_this_machine,
    nothing_is_said_of_authentication_that_is_off,
    each_side_outwaits_the_next,
    metrics_have_a_way_out,
    *SERVER_RULES,
    *MLFLOW_LIMITS,
    *BUDGET_RULES,
    *KUBERNETES_RULES,
    *CLOUD_RULES,
)
