"""MLflow's schema in the backend store, as a Pulumi resource that goes before the server.

Owns the one time a migration runs: before any server starts on the store, and with none beside it
where the schema is not at the revision that the installed MLflow wants. Two servers that meet an
empty database both try to make its tables, and one of them crashes. Indexes alone are made beside a
running server. Nothing here goes backwards: a schema newer than the installed MLflow is refused.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pulumi
from pulumi.dynamic import Resource

from infra.local.errors import LocalPlatformError
from infra.local.layout import Layout, interpreter, private_directory
from infra.local.log_tail import SHOWN_LINES, masked
from infra.local.mlflow_process import SERVER_PACKAGE
from infra.local.provider import LocalProvider, Properties
from infra.local.schema_revision import installed_revisions, missing_indexes, store_revision
from infra.local.server_process import NAME as SERVER
from infra.local.supervision import STOP_SECONDS, Supervision, inherited_environment

UPGRADE_SECONDS = 3600
"""Enough for a large history; a migration that is killed half-way is worse than a slow one."""


class MigrationProvider(LocalProvider):
    """Brings a schema to the revision that the installed MLflow wants."""

    replace_on = frozenset({"store"})

    def make(self, props: Properties) -> tuple[str, Properties]:
        """Upgrade an empty or an older schema; one at the wanted revision is only tuned."""
        self._upgrade(props)
        return str(props["store"]).partition("?")[0], {}

    def observe(self, props: Properties) -> Properties | None:
        """The revision that is there; unknown (and so unchanged) while the database is away."""
        try:
            found = store_revision(props["store"], props["password_file"])
        except LocalPlatformError:
            return {}  # the database's own resource shows that it is away
        if found is None:
            return None
        return {"revision": _with_its_indexes(props, found)}

    def change(self, olds: Properties, news: Properties) -> Properties:
        """The same as making it."""
        del olds
        self._upgrade(news)
        return {}

    def _upgrade(self, props: Properties) -> None:
        found = store_revision(props["store"], props["password_file"])
        current = found == props["revision"]
        if not current and found is not None and found not in installed_revisions().known:
            raise LocalPlatformError(
                f"the schema of {props['store'].partition('?')[0]} is at revision {found}, which "
                f"MLflow {props['mlflow_version']} does not know: a newer MLflow made it; install "
                "that version, or restore a backup made before its upgrade"
            )
        supervision = Supervision(Layout(Path(props["directory"])))
        report = supervision.report(SERVER)
        serving = report is not None and report.alive and not current
        if serving:
            # Alone: a server that works on tables while they change loses what it is told.
            supervision.client.stop(SERVER, STOP_SECONDS)
        try:
            _run_upgrade(props)
        finally:
            if serving:
                supervision.client.start(SERVER)


def _with_its_indexes(props: Properties, revision: str) -> str:
    """The revision, and which of the migration's indexes are missing: it is to run again."""
    if "--schema-tuning" not in props["command"] or revision != props["revision"]:
        return revision
    if props["command"][props["command"].index("--schema-tuning") + 1] != "on":
        return revision
    missing = missing_indexes(props["store"], props["password_file"])
    return f"{revision} without {', '.join(missing)}" if missing else revision


def _run_upgrade(props: Properties) -> None:
    # Not the server's environment: its statement timeout would cut a long migration short.
    environment = {
        **inherited_environment(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": str(SERVER_PACKAGE),
    }
    if props["password_file"]:
        environment["PGPASSFILE"] = props["password_file"]
    try:
        done = subprocess.run(
            props["command"],
            cwd=private_directory(Path(props["directory"]) / "run"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=UPGRADE_SECONDS,
            check=False,
            text=True,
        )
    except subprocess.TimeoutExpired as error:
        raise LocalPlatformError(
            f"the schema's upgrade did not end within {UPGRADE_SECONDS} s and was stopped: look "
            "for a session that locks a table, then deploy again"
        ) from error
    reached = store_revision(props["store"], props["password_file"])
    if done.returncode != 0 or reached != props["revision"]:
        lines = masked(done.stdout).strip().splitlines()[-SHOWN_LINES:]
        said = "".join(f"\n    {line}" for line in lines)
        raise LocalPlatformError(
            f"the schema's upgrade left it at revision {reached} ({props['revision']} is wanted): "
            f"mend what its last lines name and deploy again:{said}"
        )


class Migration(Resource, module="local", name="Migration"):
    """The schema of the backend store, at the revision of the installed MLflow."""

    revision: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        layout: Layout,
        command: Sequence[str],
        *,
        password_file: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare the schema; `command` is the server definition's `migration_command`."""
        props = {
            "directory": str(layout.root),
            "store": command[-1],
            "command": [interpreter(), *command[1:]],
            "password_file": password_file,
            "revision": installed_revisions().head,
            "mlflow_version": version("mlflow"),
        }
        super().__init__(MigrationProvider(), name, props, opts)
