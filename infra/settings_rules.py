"""Rules about settings together: what would deploy and then cost somebody an hour.

Owns one small function per rule, each with its own message: the setting as the user wrote it, the
value found, what is allowed, what to do next. A rule says nothing of values that cannot be read on
their own (`settings_parsing`), of what MLflow cannot do (`settings_mlflow_limits`) or of
connections (`settings_budget_rules`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from infra.naming import is_valid_environment
from infra.settings_budget_rules import BUDGET_RULES
from infra.settings_declarations import BY_KEY
from infra.settings_mlflow_limits import MLFLOW_LIMITS
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, qualified

Rule = Callable[[PlatformSettings, Parsed], Iterator[Problem]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def broken_rules(settings: PlatformSettings, parsed: Parsed) -> list[Problem]:
    """Every broken rule's problems, in the rules' order."""
    rules = (*RULES, *MLFLOW_LIMITS, *BUDGET_RULES)
    return [problem for rule in rules for problem in rule(settings, parsed)]


def _problem(key: str, message: str) -> Problem:
    return Problem(qualified(key), message)


def environment_makes_valid_names(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The environment is part of every resource's name."""
    del parsed
    if not is_valid_environment(settings.environment):
        yield _problem(
            "environment",
            f"is {settings.environment!r}; names are made of it, so it takes up to 20 lower-case "
            "letters, digits and single hyphens, beginning with a letter and not ending with a "
            "hyphen",
        )


def static_prefix_is_a_path(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow puts the prefix in front of UI, API and health as it is."""
    del parsed
    prefix = settings.server.static_prefix
    if prefix and (not prefix.startswith("/") or prefix.endswith("/") or "//" in prefix):
        yield _problem(
            "serverStaticPrefix",
            f"is {prefix!r}; it begins with a slash and does not end with one, such as /mlflow",
        )


def tracking_uri_reaches_the_server(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Clients are told this address, and the server's allow-list is made of it."""
    del parsed
    uri = settings.server.tracking_uri
    if not uri:
        return
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield _problem(
            "trackingUri", f"is {uri!r}; write http://host:port or https://host, as clients use it"
        )
    elif parts.username or parts.password:
        yield _problem(
            "trackingUri",
            "holds a user name or password; leave them out: clients take them from "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
    elif parts.path != settings.server.static_prefix:
        yield _problem(
            "trackingUri",
            f"has the path {parts.path!r} and mlflow-platform:serverStaticPrefix is "
            f"{settings.server.static_prefix!r}; they must be the same, or every call gets 404",
        )


def hosts_are_names(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """MLflow compares the Host header literally."""
    del parsed
    for host in settings.server.allowed_hosts:
        if "/" in host or "," in host or " " in host:
            yield _problem(
                "allowedHosts",
                f"has {host!r}; write host names as in a Host header, without scheme or path",
            )
    for origin in settings.server.cors_allowed_origins:
        parts = urlsplit(origin)
        if origin != "*" and (not parts.scheme or not parts.netloc or parts.path):
            yield _problem(
                "corsAllowedOrigins",
                f"has {origin!r}; write origins with their scheme, such as https://app.example.com",
            )


def sqlite_stays_on_one_machine(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """A sqlite file has one writer and one machine."""
    del parsed
    if settings.database.engine != "sqlite":
        return
    if settings.target != "local":
        yield _problem(
            "backendStoreUri",
            f"is a sqlite file and mlflow-platform:target is {settings.target}: a container's disk "
            "is lost with it; leave it out and the platform provisions PostgreSQL",
        )
    if settings.server.workers > 1:
        yield _problem(
            "serverWorkers",
            f"is {settings.server.workers} and the backend store is a sqlite file, which has one "
            'writer: clients would see "database is locked"; set it to 1, or use PostgreSQL',
        )


def external_database_has_its_own_name(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Two settings must not say the same thing differently."""
    if not settings.database.backend_store_uri:
        return
    for key in ("databasePort", "databaseName", "databaseUser"):
        if key in parsed.given:
            yield _problem(
                key,
                "is set and mlflow-platform:backendStoreUri names the database already: remove "
                "one of the two",
            )


def artifact_store_suits_the_target(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A server reaches the stores its target gives it credentials for."""
    del parsed
    store, target = settings.artifacts.store, settings.target
    scheme = store.partition("://")[0] if "://" in store else ""
    wanted = {"aws": "s3", "gcp": "gs"}.get(target)
    if scheme not in ("", "s3", "gs", "file"):
        yield _problem(
            "artifactStore",
            f"is {store!r}; supported are s3://bucket/path, gs://bucket/path and (on one machine) "
            "a folder",
        )
    elif store and wanted and scheme != wanted:
        yield _problem(
            "artifactStore",
            f"is {store!r} and mlflow-platform:target is {target}: the server there has "
            f"credentials for {wanted}:// only",
        )
    if (
        not settings.server.serve_artifacts
        and target == "local"
        and scheme in ("", "file")
        and settings.server.host not in LOOPBACK
    ):
        yield _problem(
            "serveArtifacts",
            "is false, artifacts are kept in a folder of this machine and "
            f"mlflow-platform:serverHost is {settings.server.host}: clients elsewhere would write "
            "to a folder of their own; set it to true, or artifactStore to s3:// or gs://",
        )


def local_settings_are_for_this_machine(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A setting that nothing reads is a mistake waiting to be found."""
    if settings.target == "local":
        if settings.server.replicas > 1:
            yield _problem(
                "serverReplicas",
                f"is {settings.server.replicas}; on one machine one server runs: raise "
                "mlflow-platform:serverWorkers instead",
            )
        return
    for key in sorted(parsed.given):
        if key.startswith("local") and key in BY_KEY:
            yield _problem(
                key, f"is set and mlflow-platform:target is {settings.target}: remove it"
            )


def ports_differ(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Server and database share the machine."""
    del parsed
    database, server = settings.database, settings.server
    ours = settings.target == "local" and not database.backend_store_uri
    if ours and database.port == server.port:
        yield _problem(
            "databasePort",
            f"is {database.port}, the same as mlflow-platform:serverPort: give one of them another",
        )


def metrics_have_a_way_out(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """Datadog's agent scrapes /metrics; CloudWatch is AWS's."""
    del parsed
    telemetry = settings.telemetry
    if telemetry.datadog and not telemetry.prometheus:
        yield _problem(
            "datadogEnabled",
            "is true and prometheusEnabled is false: Datadog's agent reads the server's /metrics; "
            "set mlflow-platform:prometheusEnabled to true",
        )
    if telemetry.cloudwatch and settings.target != "aws":
        yield _problem(
            "cloudwatchEnabled",
            f"is true and mlflow-platform:target is {settings.target}: CloudWatch is there on aws",
        )


RULES: tuple[Rule, ...] = (
    environment_makes_valid_names,
    static_prefix_is_a_path,
    tracking_uri_reaches_the_server,
    hosts_are_names,
    sqlite_stays_on_one_machine,
    external_database_has_its_own_name,
    artifact_store_suits_the_target,
    local_settings_are_for_this_machine,
    ports_differ,
    metrics_have_a_way_out,
)
