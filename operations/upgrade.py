"""`upgrade`: the stack to the MLflow that is installed here, with a way back that was tried first.

Owns the order: look, show the plan, ask; then a backup made now, encrypted, and read back whole;
the migration; the revision compared with MLflow's; the server rolled; the four-stage check. When a
step after the backup fails, the database and the artifacts go back to it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from importlib.metadata import version

from operations.archive.encryption import Identities, Recipients
from operations.archive.rotation import find_backup
from operations.archive.spool import Spool
from operations.archive.stores import open_store
from operations.backup import (
    BackupMade,
    BackupRequest,
    DatabaseAccess,
    add_backup_arguments,
    login_of,
    make_backup,
    megabytes,
    platform_of,
    temporary_folder,
)
from operations.confirmation import add_confirmation, require_confirmation
from operations.database_login import DatabaseLogin
from operations.place import Place
from operations.report import Report
from operations.restore import RestoreRequest, restore_backup
from operations.upgrade_report import UpgradePlan, UpgradeReport
from operations.upgrade_steps import (
    StepFailed,
    check,
    connections_of,
    migrate,
    require_command,
    revision_of,
    roll,
    schema_of,
)
from smoke_tests.errors import CouldNotLook


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add(
        "--to",
        metavar="PLACE",
        required=True,
        help="where the backup goes: a path, s3://bucket/… or gs://bucket/…",
    )
    add("--identity-file", metavar="FILE", help="the file with age's secret key")
    add("--roll", metavar="COMMAND", help="what rolls the server (default: the engine's up)")
    add(
        "--roll-back",
        metavar="COMMAND",
        help="what puts the server of before in its place (default: say what to do)",
    )
    add_confirmation(parser)
    add_backup_arguments(parser)


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Look, show, ask, upgrade.

    Raises:
        CouldNotLook: it cannot begin, or no backup could be made: nothing was changed.
    """
    access = DatabaseAccess.from_arguments(arguments)
    require_command("--roll", arguments.roll)
    require_command("--roll-back", arguments.roll_back)
    identities = Identities.given(arguments.identity_file, place.environ, place.masker)
    outputs = platform_of(place)
    login = login_of(place, access)
    schema = schema_of(login)
    if schema.revision is None:
        raise CouldNotLook(
            f"the database of stack {place.stack} holds no schema of MLflow: there is nothing to "
            f"upgrade; deploy it with `make up STACK={place.stack}`"
        )
    plan = UpgradePlan(
        stack=str(place.stack),
        from_version=outputs.mlflow_version,
        to_version=version("mlflow"),
        schema=schema,
        connections=connections_of(login),
        backup_to=arguments.to,
        roll=arguments.roll,
    )
    report = UpgradeReport(plan=plan, revision=schema.revision)
    if not schema.ahead and plan.from_version == plan.to_version:
        report.outcome = "nothing to do"
        return report
    if arguments.confirm is None:
        return report
    for line in plan.lines():
        place.show(line)
    require_confirmation(
        place, arguments.confirm, f"it upgrades {place.stack} and rolls its server"
    )
    upgrade = Upgrade(
        place=place,
        login=login,
        access=access,
        identities=identities,
        to=arguments.to,
        scratch=arguments.scratch,
        report=report,
    )
    upgrade.run(roll_command=arguments.roll, roll_back_command=arguments.roll_back)
    return report


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """One upgrade under way."""

    place: Place
    login: DatabaseLogin
    access: DatabaseAccess
    identities: Identities
    to: str
    scratch: str | None
    report: UpgradeReport

    def run(self, *, roll_command: str | None, roll_back_command: str | None) -> None:
        """Gate, steps, and the way back.

        Raises:
            CouldNotLook: no verified backup: nothing was changed.
        """
        made = self._gate()
        rolled = False
        try:
            self._step("migrating the schema")
            migrate(self.place, self.login)
            self._done(f"migrated    schema {self.report.plan.schema.head}, as MLflow wants it")
            self._step("rolling the server")
            rolled = True
            roll(self.place, roll_command)
            self._done("rolled      the server")
            self._step("checking the four stages")
            check(self.place)
            self._done("checked     health, experiment, run, metric")
        except (Exception, KeyboardInterrupt) as problem:  # whatever it is: the schema has changed
            self.report.problem = f"failed: {self._said(problem)}"
            self._go_back(made, roll_back_command, rolled=rolled)
            return
        self.report.outcome = "upgraded"
        self.report.revision = revision_of(self.login)

    def _gate(self) -> BackupMade:
        """A backup of now, read back whole: decrypted, every byte against its manifest."""
        self._step("making the backup")
        recipients: Recipients = self.identities.recipients
        request = BackupRequest(
            to=self.to, recipients=recipients, access=self.access, scratch=self.scratch
        )
        made = make_backup(self.place, request)
        self._step("reading the backup back")
        store = open_store(self.to, self.place.environ, setting="--to")
        with temporary_folder(self.scratch) as folder, Spool(folder) as spool:
            find_backup(store, str(self.place.stack), made.name).verify(
                self.identities, spool, self.place.progress
            )
        self.report.backup = made.name
        manifest = made.manifest
        self._done(
            f"backed up   {made.name}: {manifest.count('runs'):,} runs, "
            f"{manifest.count('metrics'):,} metrics, {manifest.artifacts:,} artifacts, "
            f"{megabytes(made.size_bytes)}, read back whole"
        )
        return made

    def _go_back(self, made: BackupMade, roll_back_command: str | None, *, rolled: bool) -> None:
        self._step("going back to the backup")
        request = RestoreRequest(
            source=self.to,
            identities=self.identities,
            backup=made.name,
            access=self.access,
            scratch=self.scratch,
        )
        try:
            restore_backup(self.place, request)
            self.report.revision = revision_of(self.login)
            self._done(f"restored    {made.name}")
            if rolled and roll_back_command is not None:
                self._step("putting the server of before in its place")
                roll(self.place, roll_back_command)
                self._done("rolled back the server")
        except (Exception, KeyboardInterrupt) as problem:  # the report names the backup
            said = self._said(problem)
            self.report.problem = f"{self.report.problem}; and on the way back: {said}"
            self.report.outcome = "stuck"
            return
        self.report.outcome = "went back"
        if rolled and roll_back_command is None:
            before = self.report.plan.from_version
            self.report.next_step = (
                f"The server that runs now may be the new one, on MLflow {before}'s schema: check "
                f"out the commit with MLflow {before} and deploy it"
            )

    def _said(self, problem: BaseException) -> str:
        if isinstance(problem, KeyboardInterrupt):
            return "it was interrupted"
        if isinstance(problem, StepFailed | CouldNotLook):
            return str(problem)
        return f"{type(problem).__name__}: {self.place.masker.foreign(str(problem))}"

    def _step(self, text: str) -> None:
        self.place.progress(text)

    def _done(self, text: str) -> None:
        self.report.steps.append(text)
