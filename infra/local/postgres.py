"""PostgreSQL as a Pulumi resource: data directory, server, role and databases.

Owns when the server is made, changed, adopted and stopped; how it runs is `postgres_server`'s.
An existing data directory is always adopted, never initialised again. Deleting the resource stops
the server and keeps the data, unless the stack says that its data goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pulumi
from pulumi.dynamic import Resource

from infra.database_endpoint import DatabaseEndpoint
from infra.local.errors import LocalPlatformError
from infra.local.layout import Layout, remove_folder
from infra.local.postgres_binaries import binaries_version, binary_directory, missing_binary
from infra.local.postgres_server import PostgresServer
from infra.local.provider import LocalProvider, Properties


class PostgresProvider(LocalProvider):
    """Makes, runs, watches and stops one PostgreSQL."""

    replace_on = frozenset({"directory"})

    def problems(self, olds: Properties, news: Properties) -> Iterable[tuple[str, str]]:
        """Missing programs, a taken port. (A move of the folder is the supervisor's to refuse.)"""
        if olds.get("postgres_bin_dir") != news["postgres_bin_dir"]:
            missing = missing_binary(Path(news["postgres_bin_dir"]))
            if missing:
                yield "postgres_bin_dir", missing
        if (olds.get("host"), olds.get("port")) != (news["host"], news["port"]):
            taken = PostgresServer(news).port_problem()
            if taken:
                yield "port", taken

    def make(self, props: Properties) -> tuple[str, Properties]:
        """Make or adopt the data directory and start the server on it."""
        server = PostgresServer(props)
        server.supervision.ensure_running()
        # What an interrupted creation left running holds the directory that is prepared now.
        server.reset_superuser_password()
        try:
            server.start()
        except LocalPlatformError:
            server.discard()
            raise
        return str(server.layout.data), {}

    def observe(self, props: Properties) -> Properties | None:
        """How the server is; None when its data is gone."""
        server = PostgresServer(props)
        return {"state": server.state()} if server.cluster.exists else None

    def change(self, olds: Properties, news: Properties) -> Properties:
        """Restart with other settings, or start again what was stopped."""
        del olds
        PostgresServer(news).change()
        return {}

    def remove(self, props: Properties) -> None:
        """Stop the server; the data stays unless the stack says that it goes too."""
        PostgresServer(props).discard()
        if props.get("purge"):
            remove_folder(_layout(props).data)


class Postgres(Resource, module="local", name="Postgres"):
    """A PostgreSQL server on this machine, reachable by password on 127.0.0.1."""

    state: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        layout: Layout,
        endpoint: DatabaseEndpoint,
        *,
        databases: Sequence[str],
        password: pulumi.Input[str],
        superuser_password: pulumi.Input[str],
        parameters: Mapping[str, str],
        postgres_bin_dir: str,
        service_user: str,
        purge: bool,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the server behind `endpoint`, with every one of `databases` owned by its user."""
        props = {
            "directory": str(layout.root),
            "host": endpoint.host,
            "port": endpoint.port,
            "user": endpoint.user,
            "databases": list(databases),
            "password": pulumi.Output.secret(password),
            "superuser_password": pulumi.Output.secret(superuser_password),
            "parameters": dict(parameters),
            "postgres_bin_dir": str(binary_directory(postgres_bin_dir)),
            "binaries_version": binaries_version(postgres_bin_dir),
            "service_user": service_user,
            "purge": purge,
            "state": "running",
        }
        super().__init__(PostgresProvider(), name, props, opts)


def _layout(props: Properties) -> Layout:
    return Layout(Path(props["directory"]))
