"""An upgrade goes back whatever stops it: a step's answer, a defect of ours, a Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.throwaway_postgres import ThrowawayPostgres
from operations.backup import DatabaseAccess, login_of
from operations.place import Place
from operations.upgrade import Upgrade
from operations.upgrade_report import UpgradePlan, UpgradeReport
from operations.upgrade_steps import Schema
from tests.operations.backup_platform import METRICS, BackupPlatform
from tests.operations.conftest import Operate


@pytest.fixture
def platform(cluster: ThrowawayPostgres, tmp_path: Path, operate: Operate) -> BackupPlatform:
    return BackupPlatform(cluster, tmp_path, operate)


class TestWayBack:
    """The data is the backup's again, and the report says what stopped it."""

    @pytest.mark.parametrize(
        ("stopped", "said"),
        [
            (RuntimeError("no such attribute"), "failed: RuntimeError: no such attribute"),
            (KeyboardInterrupt(), "failed: it was interrupted"),
        ],
        ids=["a defect", "Ctrl-C"],
    )
    def test_what_nobody_thought_of(
        self,
        platform: BackupPlatform,
        monkeypatch: pytest.MonkeyPatch,
        stopped: BaseException,
        said: str,
    ) -> None:
        before = platform.content()

        def halfway(_place: Place, _login: object) -> None:
            platform.query("DELETE FROM metrics")
            raise stopped

        monkeypatch.setattr("operations.upgrade.migrate", halfway)
        report = self.upgrade(platform)
        assert (report.outcome, report.problem, report.exit_code) == ("went back", said, 1)
        assert platform.count("metrics") == METRICS
        assert platform.content() == before

    def test_a_second_ctrl_c(
        self, platform: BackupPlatform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever ends the way back, too, is told which backup there is."""

        def interrupted(*_arguments: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("operations.upgrade.migrate", interrupted)
        monkeypatch.setattr("operations.upgrade.restore_backup", interrupted)
        report = self.upgrade(platform)
        assert report.outcome == "stuck"
        assert report.problem == (
            "failed: it was interrupted; and on the way back: it was interrupted"
        )
        (backup,) = platform.backups
        assert [line.text for line in report.lines()][-1] == (
            f"not back: restore the backup {backup.name} by hand (docs/runbooks/backup.md)"
        )

    def upgrade(self, platform: BackupPlatform) -> UpgradeReport:
        place = platform.place()
        schema = Schema(revision="a", head="b", ahead=("b",))
        plan = UpgradePlan(
            stack="local",
            from_version="3.16.0",
            to_version="3.17.2",
            schema=schema,
            connections=0,
            backup_to=str(platform.destination),
        )
        report = UpgradeReport(plan=plan)
        Upgrade(
            place=place,
            login=login_of(place, DatabaseAccess()),
            access=DatabaseAccess(),
            identities=platform.identities,
            to=str(platform.destination),
            scratch=None,
            report=report,
        ).run(roll_command=None, roll_back_command=None)
        return report


class TestPlan:
    """Who says yes knows what rolls the server, and what else that does."""

    def test_the_engines_up(self) -> None:
        schema = Schema(revision="a", head="b", ahead=("b",))
        plan = UpgradePlan(
            stack="local",
            from_version="1",
            to_version="2",
            schema=schema,
            connections=0,
            backup_to="there",
        )
        assert list(plan.lines())[4] == (
            "  4 roll       the server: the engine's `up`, which applies whatever else the stack's "
            "file changes"
        )


class TestRefused:
    """A command that no shell could read is refused before anything is done."""

    @pytest.mark.parametrize("option", ["--roll", "--roll-back"])
    @pytest.mark.parametrize("command", ["deploy 'the new one", " "])
    def test_commands(self, platform: BackupPlatform, option: str, command: str) -> None:
        ran = platform.operate(
            "upgrade", "--to", str(platform.destination), option, command, "--confirm", "local"
        )
        assert (ran.code, platform.backups) == (2, [])
        assert ran.err == (
            f"error: {option} is {command!r}, which is no command with its quotes closed: give "
            "one as a shell takes it\n"
        )
