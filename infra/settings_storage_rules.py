"""Rules about stores: the database, the registry's database and the artifact store.

Owns one small function per rule, each with its own message. A setting that the chosen store would
leave unread is refused too: a person who wrote it expects something of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from infra.settings_address_rules import LOOPBACK
from infra.settings_database import parse_backend_store
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_TAKEN = {
    "databaseName": ("postgres", "template0", "template1"),
    "databaseUser": ("postgres",),
}
"""PostgreSQL's own: the platform must not hand them to the server."""


def sqlite_stays_on_one_machine(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """A sqlite file has one writer and one machine."""
    if settings.database.engine != "sqlite":
        return
    if settings.target != "local":
        yield problem(
            "backendStoreUri",
            f"is a sqlite file and mlflow-platform:target is {settings.target}: a container's disk "
            "is lost with it; leave it out and the platform provisions PostgreSQL",
        )
    if settings.database.backend_store_uri in ("sqlite:///", "sqlite:///:memory:"):
        yield problem(
            "backendStoreUri",
            f"is {settings.database.backend_store_uri}, a database in the memory of one process: "
            "write sqlite:///file.db, or leave it out and the platform provisions PostgreSQL",
        )
    if settings.server.workers > 1:
        yield problem(
            "serverWorkers",
            f"is {settings.server.workers} and the backend store is a sqlite file, which has one "
            'writer: clients would see "database is locked"; set it to 1, or use PostgreSQL',
        )
    unread = ("databaseMaxConnections", "databaseReservedConnections", "serverQueryTimeoutSeconds")
    for key in unread:
        if key in parsed.given:
            yield problem(
                key,
                "is set and the backend store is a sqlite file, which has no such limit: remove it",
            )


def external_database_has_its_own_name(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Two settings must not say the same thing differently, nor one be left unread."""
    if not settings.database.backend_store_uri:
        return
    for key in ("databasePort", "databaseName", "databaseUser"):
        if key in parsed.given:
            yield problem(
                key,
                "is set and mlflow-platform:backendStoreUri names the database already: remove "
                "one of the two",
            )
    for key in ("localPostgresBinDir", "localServiceUser", "slowQueryMs"):
        if key in parsed.given:
            yield problem(
                key,
                "is set and mlflow-platform:backendStoreUri names a database that the platform "
                "does not run: remove it, and set what it is about on that database",
            )


def database_names_are_identifiers(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """What needs quoting in SQL fails in the one script that forgets to."""
    del parsed
    if settings.database.backend_store_uri:
        return
    for key, name in (
        ("databaseName", settings.database.name),
        ("databaseUser", settings.database.user),
    ):
        if not _IDENTIFIER.fullmatch(name):
            yield problem(
                key,
                f"is {name!r}; write a lower-case letter or underscore, then up to 62 more or "
                "digits",
            )
        elif name in _TAKEN[key]:
            yield problem(
                key, f"is {name!r}, which is PostgreSQL's own: choose another, such as mlflow"
            )


def registry_store_is_a_database(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """The server gets its address as an argument, and one password for all its databases."""
    del parsed
    uri = settings.registry.store_uri
    if not uri:
        return
    try:
        registry = parse_backend_store(uri)
    except ValueError as error:
        yield problem("registryStoreUri", str(error))
        return
    database = settings.database
    if registry.password:
        yield problem(
            "registryStoreUri",
            "holds a password, and the server gets it as an argument that everybody on its machine "
            "can read: leave the password out, and keep the registry in the backend store's "
            "database server, whose password counts for both",
        )
    elif registry.engine == "sqlite" and settings.target != "local":
        yield problem(
            "registryStoreUri",
            f"is a sqlite file and mlflow-platform:target is {settings.target}: a container's disk "
            "is lost with it; leave it out",
        )
    elif registry.engine == "sqlite" and not uri.startswith("sqlite:////"):
        yield problem(
            "registryStoreUri",
            f"is {uri}, a path from wherever the server runs: write the whole path, such as "
            "sqlite:////srv/registry.db",
        )
    elif registry.engine == "postgresql" and (
        not database.backend_store_uri
        or (registry.host, registry.port, registry.user)
        != (database.host, database.port, database.user)
        or registry.ssl_mode not in (None, database.ssl_mode)
    ):
        yield problem(
            "registryStoreUri",
            f"names {registry.host}:{registry.port} and the user {registry.user}, which are not "
            "those of mlflow-platform:backendStoreUri, and the server has one database password: "
            "name another database of the backend store's server, or leave it out and models are "
            "registered in the backend store",
        )


def artifact_store_suits_the_target(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A server reaches the stores its target gives it credentials for."""
    del parsed
    store, target = settings.artifacts.store, settings.target
    scheme = store.partition("://")[0] if "://" in store else ""
    allowed = {"aws": ("s3",), "gcp": ("gs",), "local": ("s3", "")}[target]
    if not store:
        return
    if scheme and "@" in store:
        yield problem(
            "artifactStore",
            f"holds credentials; write {scheme}://bucket/path alone: the server takes them from "
            "its environment",
        )
    elif scheme == "file":
        yield problem(
            "artifactStore", f"is {store!r}; write the folder itself, such as ./mlflow-artifacts"
        )
    elif scheme not in ("", "s3", "gs"):
        yield problem(
            "artifactStore",
            f"is {store!r}; supported are s3://bucket/path, gs://bucket/path and (on one machine) "
            "a folder",
        )
    elif scheme not in allowed:
        shown = " or ".join(f"{name}://" if name else "a folder" for name in allowed)
        yield problem(
            "artifactStore",
            f"is {store!r} and mlflow-platform:target is {target}: the server there reaches "
            f"{shown} only",
        )
    elif scheme and not urlsplit(store).hostname:
        yield problem(
            "artifactStore", f"is {store!r}, which names no bucket: write s3://bucket/path"
        )


def unserved_artifacts_are_within_reach(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Without the server in between, each client writes to the artifact root by itself."""
    del parsed
    store, server = settings.artifacts.store, settings.server
    if (
        not server.serve_artifacts
        and settings.target == "local"
        and "://" not in store
        and server.host not in LOOPBACK
    ):
        yield problem(
            "serveArtifacts",
            "is false, artifacts are kept in a folder of this machine and "
            f"mlflow-platform:serverHost is {server.host}: clients elsewhere would write to a "
            "folder of their own; set it to true, or artifactStore to s3://bucket/path",
        )


STORAGE_RULES = (
    sqlite_stays_on_one_machine,
    external_database_has_its_own_name,
    database_names_are_identifiers,
    registry_store_is_a_database,
    artifact_store_suits_the_target,
    unserved_artifacts_are_within_reach,
)
