"""The comparison from end to end: databases, starts, cells, lost values, errors, interruption."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.server_comparison import cases, variants
from benchmarks.server_comparison.cases import Case, Plan
from benchmarks.server_comparison.harness import Comparison
from benchmarks.server_comparison.results import CellRecord, Results
from benchmarks.server_comparison.server import Pace, RunningServer, ServerFailedError
from benchmarks.server_comparison.summary import measured
from benchmarks.server_comparison.variants import Launch, Place, Variant
from benchmarks.throwaway_postgres import free_port
from tests.benchmarks.fake_tracking_server import make_schema
from tests.benchmarks.recorded import recorded

ROOT = Path(__file__).resolve().parents[2]
FEW = {"seconds": 30.0, "repeats": 1, "patience_seconds": 20.0, "requests_per_client": 6}
SHORT = Pace(warm_up_seconds=0.1, settle_look_seconds=0.1, settle_seconds=0.3, idle_seconds=0.2)
SMALL = tuple(item for item in cases.OPERATIONS if item not in cases.LARGE_FILES)
READS = (cases.SEARCH_RUNS, cases.SEARCH_FILTERED, cases.DOWNLOAD_1_MIB)
ENDS_AT_ONCE = "import sys; sys.exit('a setting is wrong')"


def fake(name: str, manner: str = "honest") -> Variant:
    def launch(place: Place, _work: Path) -> Launch:
        artifacts = place.folder / "artifacts"
        where = (str(place.port), str(place.database_port), place.database, str(artifacts))
        return Launch(
            command=(sys.executable, "-m", "tests.benchmarks.fake_tracking_server", *where, manner),
            environment={"PYTHONPATH": str(ROOT)},
            artifacts=artifacts,
        )

    return Variant(name=name, meaning=f"a fake that is {manner}", launch=launch)


def few(operation: str, **more: object) -> Case:
    return Case(**{"operation": operation, **FEW, **more})  # type: ignore[arg-type]


def compared(tmp_path: Path, plan: Plan, *group: Variant) -> tuple[Results, list[str]]:
    results = replace(recorded(), cells=[], starts=[], variants=[], ceiling={})
    said: list[str] = []
    Comparison(
        plan,
        [group],
        results,
        work=tmp_path,
        seed=3,
        progress=said.append,
        pace=SHORT,
        make_schema=make_schema,
    ).run()
    return results, said


def living_from(folder: Path) -> list[str]:
    """Command lines of living processes that work in a folder."""
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.cwd() or str(folder) in " ".join(process.cmdline()):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


class TestEveryCase:
    """Each operation is measured on each server, near and far, and what was kept is counted."""

    PLAN = Plan(
        name="tiny",
        cases=(
            *(few(operation, clients=2) for operation in SMALL),
            few(cases.LOG_METRIC, client_ms=3.0),
            few(cases.LOG_BATCH_100, database_ms=3.0),
        ),
        cold_starts=1,
        search_runs=20,
    )

    def test_measured(self, tmp_path: Path) -> None:
        results, said = compared(tmp_path, self.PLAN, fake("default"), fake("profile"))
        assert results.skipped == []
        found = measured(results)
        assert len(found) == 2 * len(self.PLAN.cases)
        for item in found:
            assert (item.acknowledged, item.failed) == (6 * item.key.clients, 0)
            assert item.missing == (None if item.key.operation in READS else 0)
            assert item.p50_ms is not None
            assert item.p50_ms.median >= item.key.client_ms + item.key.database_ms
            is_file = item.key.operation in cases.SMALL_FILES
            assert (item.extra_pss_mib is not None) == is_file
        assert [item.variant for item in results.starts] == ["default", "profile"]
        for start in results.starts:
            assert (start.processes, start.pss_mib > 5) == (1, True)
            assert 0 < start.health_seconds <= start.answer_seconds
        assert results.ceiling["1_client"] > 0
        assert "start 1/1 of default" in "".join(said)
        assert living_from(tmp_path) == []


class TestWhatGoesWrong:
    """A lost value, an error and a server that does not start are in the results; the rest too."""

    PLAN = Plan(name="tiny", cases=(few(cases.LOG_METRIC),), cold_starts=0, search_runs=0)

    def cells(self, tmp_path: Path, *group: Variant) -> tuple[dict[str, CellRecord], list[str]]:
        results, _ = compared(tmp_path, self.PLAN, *group)
        return {cell.variant: cell for cell in results.cells}, results.skipped

    def test_lost_and_refused(self, tmp_path: Path) -> None:
        group = (fake("default", "forgetful"), fake("profile", "refusing"))
        cells, skipped = self.cells(tmp_path, *group)
        assert (cells["default"].acknowledged, cells["default"].missing) == (6, 2)
        assert (cells["profile"].acknowledged, cells["profile"].missing) == (4, 0)
        assert cells["profile"].error_kinds == {"HTTP 500: no": 2}
        assert skipped == []

    def test_one_that_does_not_start(self, tmp_path: Path) -> None:
        def launch(place: Place, _work: Path) -> Launch:
            return Launch(command=(sys.executable, "-c", ENDS_AT_ONCE), artifacts=place.folder)

        broken = Variant(name="default", meaning="broken", launch=launch)
        cells, skipped = self.cells(tmp_path, broken, fake("profile"))
        assert list(cells) == ["profile"]
        ended = "default ended during its start; its last words:\na setting is wrong\n"
        assert skipped == [f"start of default: {ended}"]

    def test_a_migration_that_fails(self, tmp_path: Path) -> None:
        def migration(place: Place, _work: Path) -> Launch:
            return Launch(command=(sys.executable, "-c", ENDS_AT_ONCE), artifacts=place.folder)

        _, skipped = self.cells(tmp_path, replace(fake("profile"), migration=migration))
        assert skipped == ["migration of profile: its migration failed:\na setting is wrong\n"]


class TestNothingIsLeft:
    """A server's whole family ends with it; an interrupted run ends in order."""

    def test_a_child_in_a_session_of_its_own_parentage(self, tmp_path: Path) -> None:
        # The child outlives its parent's parent: it is found by its session.
        script = (
            "import subprocess, sys, time\n"
            'code = \'import subprocess, sys; subprocess.Popen([sys.executable, "-c", '
            '"import time; time.sleep(600)", sys.argv[1]])\'\n'
            "subprocess.run([sys.executable, '-c', code, sys.argv[1]])\n"
            "time.sleep(600)\n"
        )

        def launch(place: Place, _work: Path) -> Launch:
            return Launch(
                command=(sys.executable, "-c", script, str(tmp_path)), artifacts=place.folder
            )

        place = Place(folder=tmp_path, port=free_port(), database_port=1, database="none")
        server = RunningServer(Variant(name="x", meaning="", launch=launch), place, tmp_path)
        with pytest.raises(ServerFailedError, match=r"^x does not run$"):
            _ = server.pid
        server.launch_process()
        until = time.monotonic() + 20
        while len(living_from(tmp_path)) < 2 and time.monotonic() < until:
            time.sleep(0.02)  # the family comes to be
        assert len(living_from(tmp_path)) == 2
        server.stop()
        assert living_from(tmp_path) == []
        server.stop()  # again: nothing happens

    def test_interrupted(self, tmp_path: Path) -> None:
        script = tmp_path / "run.py"
        script.write_text(
            "import sys\n"
            "from pathlib import Path\n"
            "from benchmarks.server_comparison import cli, cases, harness, variants\n"
            "from tests.benchmarks import test_harness, fake_tracking_server\n"
            "cli.WORK = Path(sys.argv[1])\n"
            "harness.mlflow_schema = fake_tracking_server.make_schema\n"
            "variants.compared = lambda _settings: [test_harness.fake('default')]\n"
            "sys.exit(cli.main(sys.argv[2:]))\n"
        )
        results = tmp_path / "results"
        options = ("--case", "log-metric, 1 client", "--seconds", "1000", "--search-runs", "0")
        child = subprocess.Popen(
            [sys.executable, script, tmp_path, *options, "--results", results],
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        try:
            until = time.monotonic() + 60
            while not (database := database_under_load(child.pid)):
                assert time.monotonic() < until
                assert child.poll() is None, child.communicate()[1]
                time.sleep(0.02)  # the first cell begins
            child.send_signal(signal.SIGTERM)
            _, said = child.communicate(timeout=30)
        finally:
            child.kill()
        assert child.returncode == 2
        assert "interrupted: nothing is left running, what was measured is written\n" in said
        assert living_from(tmp_path) == []
        gone = not database.is_running() or database.status() == psutil.STATUS_ZOMBIE
        assert gone
        assert {item.name for item in results.iterdir()} == {"results.json", "report.md"}


def database_under_load(pid: int) -> psutil.Process | None:
    """PostgreSQL of a running benchmark, once a server of its is asked."""
    try:
        lines = [process.cmdline() for process in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return None
    servers = [line for line in lines if "tests.benchmarks.fake_tracking_server" in line]
    if not servers or not any("load_generator" in " ".join(line) for line in lines):
        return None
    port = servers[0][servers[0].index("tests.benchmarks.fake_tracking_server") + 2]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if f"-p {port}" in " ".join(process.cmdline()) and "postgres" in process.name():
                return process
    return None


@pytest.mark.slow
class TestTheRealProfile:
    """Our server, as it is rendered, starts on MLflow's own schema and passes a small run."""

    PLAN = Plan(
        name="tiny",
        cases=(few(cases.LOG_BATCH_100), few(cases.CREATE_RUN), few(cases.SEARCH_RUNS)),
        cold_starts=0,
        search_runs=20,
    )

    def test_measured(self, tmp_path: Path) -> None:
        results = replace(recorded(), cells=[], starts=[], variants=[])
        comparison = Comparison(
            self.PLAN,
            [[variants.profile()]],
            results,
            work=tmp_path,
            seed=3,
            progress=lambda _line: None,
            pace=SHORT,
        )
        comparison.run()
        assert results.skipped == []
        assert [(cell.acknowledged, cell.failed) for cell in results.cells] == [(6, 0)] * 3
        assert [cell.missing for cell in results.cells] == [0, 0, None]
