"""The whole logger against a scripted server."""

import math
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlflow_platform_client import delivery
from mlflow_platform_client.dead_letters import read_dead_letters
from mlflow_platform_client.errors import (
    AuthenticationFailed,
    ConfigurationError,
    ServerFailed,
    ServerUnreachable,
)
from mlflow_platform_client.spool import Spool
from tests.client.fake_tracking import FakeTracking
from tests.client.logging_desk import logger_on, quick
from tests.client.test_spool import in_child_until_killed, kill


@pytest.fixture
def server() -> FakeTracking:
    return FakeTracking("run1", "run2")


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(delivery, "LONGEST_PAUSE_SECONDS", 0.01)


def sessions(folder: Path) -> list[Path]:
    return Spool(folder / "spool").sessions()


def reasons(folder: Path) -> list[tuple[str, str]]:
    return [
        (item["kind"], item["key"])
        for path in sorted((folder / "spool" / "rejected").glob("*.jsonl"))
        for item in read_dead_letters(path)
    ]


class TestEverythingArrives:
    """Metrics, parameters, tags and texts, of one run and of others."""

    def test_one_of_each(self, server: FakeTracking, tmp_path: Path) -> None:
        with logger_on(server, tmp_path) as logger:
            logger.log_metric("loss", 0.5, step=3, timestamp=17)
            logger.log_metrics({"lr": 0.1, "nan": math.nan}, step=4, timestamp=18)
            logger.log_param("depth", 3)
            logger.log_params({"a": None, "b": [1, 2]})
            logger.set_tag("team", "vision")
            logger.set_tags({"team": "language", "x": 1})
            logger.log_text("short", "prompt.txt")
            logger.log_text("x" * 1001, "texts/long.txt")
            logger.log_metric("other", 1, run_id="run2", timestamp=1)
        run = server["run1"]
        assert list(run.rows) == [("loss", 17, 3, 0.5), ("lr", 18, 4, 0.1), ("nan", 18, 4, "NaN")]
        assert run.params == {
            "depth": "3",
            "a": "None",
            "b": "[1, 2]",
            "texts/long_truncated": "x" * 100 + "...",
        }
        assert run.tags == {"team": "language", "x": "1"}
        assert run.texts == {"prompt.txt": "short"}
        assert list(server["run2"].rows) == [("other", 1, 0, 1.0)]
        assert sessions(tmp_path) == []

    def test_ten_thousand_in_few_requests_and_in_order(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        server.gate.clear()
        with logger_on(server, tmp_path, flush_seconds=60) as logger:
            for step in range(10_000):
                logger.log_metric("loss", float(step), step=step)
            server.gate.set()
            assert logger.flush(20)
            assert len(server.bodies) <= 11
            assert server["run1"].values == [float(step) for step in range(10_000)]

    def test_from_many_threads(self, server: FakeTracking, tmp_path: Path) -> None:
        with logger_on(server, tmp_path) as logger:

            def work(name: str) -> None:
                for step in range(500):
                    logger.log_metric(name, float(step), step=step)

            threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(server["run1"].rows) == 2000
        for name in ("t0", "t1", "t2", "t3"):
            steps = [row[2] for row in server["run1"].rows if row[0] == name]
            assert steps == list(range(500))

    def test_several_loggers_on_one_spool(self, server: FakeTracking, tmp_path: Path) -> None:
        loggers = [logger_on(server, tmp_path) for _ in range(3)]
        for number, logger in enumerate(loggers):
            logger.log_metric("loss", float(number), step=number)
        for logger in loggers:
            assert logger.close()
        assert sorted(server["run1"].values) == [0.0, 1.0, 2.0]

    def test_mlflows_run_or_its_id(self, server: FakeTracking, tmp_path: Path) -> None:
        from mlflow_platform_client.tracking_logger import TrackingLogger

        run = SimpleNamespace(info=SimpleNamespace(run_id="run2"))
        with TrackingLogger(
            run, tracking_uri="http://x", server=server, settings=quick(tmp_path)
        ) as logger:
            logger.log_metric("loss", 1.0)
        assert server["run2"].values == [1.0]

    def test_no_run_at_all_is_said_before_training(self, tmp_path: Path) -> None:
        from mlflow_platform_client.tracking_logger import TrackingLogger

        with pytest.raises(ConfigurationError, match="MLflow has no active one"):
            TrackingLogger(settings=quick(tmp_path))


class TestNothingIsRaisedInTraining:
    """Whatever is handed over and whatever the server says, a call returns."""

    def test_values_that_are_no_numbers(self, server: FakeTracking, tmp_path: Path) -> None:
        class Odd:
            def __str__(self) -> str:
                raise RuntimeError("no text")

        with logger_on(server, tmp_path) as logger:
            logger.log_metric("text", "abc")  # type: ignore[arg-type]
            logger.log_metric("none", None)  # type: ignore[arg-type]
            logger.log_metrics({"list": [1, 2], "good": 1})  # type: ignore[dict-item]
            logger.log_param("odd", Odd())
            logger.log_metric("bad*name", 1)
            logger.log_metric(7, 1)  # type: ignore[arg-type]
            logger.log_metric("step", 1.0, step="abc")  # type: ignore[arg-type]
            logger.log_metrics(None)  # type: ignore[arg-type]
            logger.log_params(3)  # type: ignore[arg-type]
            logger.log_text(None, "none.txt")  # type: ignore[arg-type]
            logger.log_metric("true", True)
            logger.log_metric("digits", "1.5")  # type: ignore[arg-type]
        assert {row[0]: row[3] for row in server["run1"].rows} == {
            "good": 1.0,
            "true": 1.0,
            "digits": 1.5,
        }
        assert reasons(tmp_path) == [
            ("metric", "text"),
            ("metric", "none"),
            ("metric", "list"),
            ("param", "odd"),
            ("metric", "bad*name"),
            ("metric", "7"),
            ("metric", "step"),
            ("metric", ""),
            ("param", ""),
            ("text", "none.txt"),
        ]

    def test_arrays_and_tensors_of_one_element(self, server: FakeTracking, tmp_path: Path) -> None:
        numpy = pytest.importorskip("numpy")
        with logger_on(server, tmp_path) as logger:
            logger.log_metric("scalar", numpy.float32(0.5))
            logger.log_metric("array", numpy.array([[2.0]]))
        assert server["run1"].values == [0.5, 2.0]

    def test_refusals_do_not_hold_up_what_follows(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        with logger_on(server, tmp_path) as logger:
            logger.log_param("a", 1)
            logger.log_param("a", 2)
            logger.log_metric("loss", 1.0)
            logger.log_metric("gone", 1.0, run_id="nowhere")
            logger.log_metric("loss", 2.0)
            assert logger.flush(20)
        assert server["run1"].values == [1.0, 2.0]
        assert server["run1"].params == {"a": "1"}
        assert reasons(tmp_path) == [("param", "a"), ("metric", "gone")]


class TestExactlyOnce:
    """However often a batch is sent, its rows are there once, and tags end as they were set."""

    def test_answers_that_were_lost(self, server: FakeTracking, tmp_path: Path) -> None:
        server.after.extend(ServerUnreachable("the answer was lost") for _ in range(3))
        with logger_on(server, tmp_path, breaker_failures=100) as logger:
            for step in range(100):
                logger.log_metric("loss", float(step), step=step)
                logger.set_tag("last", step)
            assert logger.flush(20)
        assert server["run1"].values == [float(step) for step in range(100)]
        assert server["run1"].tags == {"last": "99"}
        assert len(server.bodies) > 3

    @pytest.mark.parametrize(
        "error",
        [
            ServerFailed("HTTP 503"),
            ServerUnreachable("connection refused"),
            AuthenticationFailed("HTTP 401: token expired", status=401),
        ],
    )
    def test_trouble_loses_nothing(
        self, server: FakeTracking, tmp_path: Path, error: Exception
    ) -> None:
        server.before.extend([error] * 8)  # the breaker opens on the way
        with logger_on(server, tmp_path) as logger:
            logger.log_metrics({f"m{n}": 1.0 for n in range(50)})
            assert logger.flush(20)
            assert logger.telemetry.breaker_transitions["log_batch", "open"] >= 1
            assert logger.telemetry.breaker_states["log_batch"] == "closed"
        assert len(server["run1"].rows) == 50
        assert reasons(tmp_path) == []

    def test_a_batch_that_is_too_slow_is_cut_smaller(
        self, server: FakeTracking, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        def slow(body: dict[str, list[object]]) -> Exception | None:
            if len(body.get("metrics", [])) > 300:
                return ServerUnreachable("Read timed out. (read timeout=5.0)")
            return None

        server.poison = slow  # type: ignore[assignment]
        with logger_on(server, tmp_path) as logger:
            logger.log_metrics({f"m{n}": 1.0 for n in range(1000)})
            assert logger.flush(20)
        assert len(server["run1"].rows) == 1000
        assert "from now on 250 metrics at most" in caplog.text

    def test_a_server_too_slow_for_the_smallest_batch_is_given_more_time(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        def slow(_body: dict[str, object]) -> Exception | None:
            if server.timeouts[-1] < 40:
                return ServerUnreachable("Read timed out. (read timeout=5.0)")
            return None

        server.poison = slow
        with logger_on(server, tmp_path) as logger:
            logger.log_metric("loss", 1.0)
            assert logger.flush(20)
        assert server["run1"].values == [1.0]
        assert server.timeouts == [5.0, 10.0, 20.0, 40.0]


class TestTheServerIsAway:
    """Values go to disk, the process may end in any way, and the next logger sends them first."""

    def test_at_exit_the_path_is_printed(
        self, server: FakeTracking, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server.away = True
        logger = logger_on(server, tmp_path)
        logger.log_metrics({"a": 1.0, "b": 2.0})
        logger.log_text("text", "prompt.txt")
        assert not logger.close(0.05)
        [folder] = sessions(tmp_path)
        said = capsys.readouterr().err
        assert (
            f"3 values of run run1 are not with the server yet; they are kept in {folder}" in said
        )
        assert f"spool replay --directory {tmp_path / 'spool'}" in said

        server.away = False
        with logger_on(server, tmp_path) as after:
            after.log_metric("c", 3.0)
        assert [row[0] for row in server["run1"].rows] == ["a", "b", "c"]
        assert server["run1"].texts == {"prompt.txt": "text"}
        assert sessions(tmp_path) == []

    def test_replay_can_be_switched_off(self, server: FakeTracking, tmp_path: Path) -> None:
        server.away = True
        logger = logger_on(server, tmp_path)
        logger.log_metric("a", 1.0)
        logger.close(0)
        server.away = False
        with logger_on(server, tmp_path, replay_on_start=False) as after:
            after.log_metric("c", 3.0)
        assert [row[0] for row in server["run1"].rows] == ["c"]
        assert len(sessions(tmp_path)) == 1

    def test_killed_with_nine_while_the_server_is_away(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        server.away = True

        def train() -> None:
            logger = logger_on(server, tmp_path)
            for step in range(2500):
                logger.log_metric("loss", float(step), step=step)
                logger.set_tag("last", step)
            assert logger.commit(20)

        kill(in_child_until_killed(train))
        assert len(sessions(tmp_path)) == 1
        server.away = False
        with logger_on(server, tmp_path) as logger:
            logger.set_tag("last", "later")
            assert logger.flush(20)
        assert server["run1"].values == [float(step) for step in range(2500)]
        assert server["run1"].tags == {"last": "later"}
        assert sessions(tmp_path) == []

    def test_killed_between_the_servers_work_and_our_memory_of_it(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        logger = logger_on(server, tmp_path)
        logger.log_metrics({f"m{n}": 1.0 for n in range(10)}, timestamp=1)
        assert logger.flush(20)
        [folder] = sessions(tmp_path)
        (folder / "batches" / "position").unlink()  # as if killed before it was written
        pipeline = logger._pipeline
        assert pipeline is not None
        logger._pipeline = None
        pipeline._urgency.stop()
        pipeline.session.close()
        with logger_on(server, tmp_path):
            pass
        assert len(server.bodies) == 2
        assert len(server["run1"].rows) == 10

    def test_a_refused_login_during_replay_does_not_hold_up_this_process(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        server.away = True
        logger = logger_on(server, tmp_path)
        logger.log_metric("old", 1.0, run_id="run2")
        logger.close(0)
        server.away = False

        def denied(body: dict[str, object]) -> Exception | None:
            if body["run_id"] == "run2":
                return AuthenticationFailed("HTTP 403: not yours", status=403)
            return None

        server.poison = denied
        with logger_on(server, tmp_path) as after:
            after.log_metric("new", 1.0)
            assert after.flush(20)
        assert [row[0] for row in server["run1"].rows] == ["new"]
        assert len(sessions(tmp_path)) == 1


class TestTheDurabilityPromise:
    """On disk when `commit` returns, or when the call returns in durable mode."""

    @staticmethod
    def on_disk(folder: Path) -> int:
        return sum(
            path.read_bytes().count(b'"key":"loss"')
            for path in (folder / "spool").glob("*/batches/*.log")
        )

    def test_commit(self, server: FakeTracking, tmp_path: Path) -> None:
        server.gate.clear()
        logger = logger_on(server, tmp_path, spool_delay_ms=9000, flush_seconds=60)
        for step in range(10):
            logger.log_metric("loss", 1.0, step=step)
        assert logger.commit(20)  # does not wait for the 9 s
        assert self.on_disk(tmp_path) == 10
        server.gate.set()
        logger.close()

    def test_durable_is_on_disk_when_the_call_returns(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        server.gate.clear()
        logger = logger_on(
            server, tmp_path, durable=True, spool_fsync=True, max_block_ms=20_000, flush_seconds=60
        )
        for step in range(1, 6):
            logger.log_metric("loss", 1.0, step=step)
            assert self.on_disk(tmp_path) == step
        server.gate.set()
        logger.close()

    def test_without_anybody_asking_it_is_written_by_itself(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        server.away = True
        logger = logger_on(server, tmp_path)
        logger.log_metric("loss", 1.0)
        assert server.asked.wait(20)  # it is sent from the disk
        assert self.on_disk(tmp_path) == 1
        logger.close(0)


class TestTheBounds:
    """Dropped is nothing until the spool is full and memory behind it; then the newest, counted."""

    def test_a_full_spool(
        self,
        server: FakeTracking,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        server.away = True
        (tmp_path / "spool").mkdir()
        with (tmp_path / "spool" / "others").open("wb") as others:
            others.truncate(32 * 1024 * 1024)
        logger = logger_on(server, tmp_path, spool_max_mib=32, queue_max_items=100, max_block_ms=10)
        for step in range(150):
            logger.log_metric("loss", 1.0, step=step)
        assert logger.depth.queue_items == 100
        assert logger.depth.dropped == 50
        assert 0 < logger.depth.blocked_seconds < 5
        assert "its bound of 32 MiB is reached" in caplog.text
        assert "values are dropped until it has" in caplog.text
        assert not logger.close(0)
        assert "were dropped" in capsys.readouterr().err

    def test_depth_shows_where_values_are(self, server: FakeTracking, tmp_path: Path) -> None:
        server.gate.clear()
        logger = logger_on(server, tmp_path)
        logger.log_metrics({f"m{n}": 1.0 for n in range(20)})
        assert logger.commit(20)
        depth = logger.depth
        assert (depth.handed_over, depth.queue_items, depth.spool_records) == (20, 0, 20)
        assert depth.spool_bytes > 1000
        server.gate.set()
        assert logger.flush(20)
        assert logger.depth.spool_records == 0
        logger.close()


class TestForks:
    """A child logs through a session of its own, and sends nothing of its parent's."""

    def test_parent_and_child_both_arrive(self, server: FakeTracking, tmp_path: Path) -> None:
        server.gate.clear()
        logger = logger_on(server, tmp_path, flush_seconds=60)
        logger.log_metric("parent", 1.0)
        child_values = tmp_path / "child"
        child = os.fork()
        if child == 0:
            try:
                server.bodies.clear()
                server.gate.set()
                logger.log_metric("child", 2.0)
                logger.close()
                child_values.write_text(repr([row[0] for row in server["run1"].rows]))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        server.gate.set()
        assert logger.close()
        assert child_values.read_text() == "['child']"
        assert [row[0] for row in server["run1"].rows] == ["parent"]
        assert sessions(tmp_path) == []

    def test_a_multiprocessing_child_flushes_when_it_ends(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        import multiprocessing

        logger = logger_on(server, tmp_path)

        def work() -> None:
            server.away = True
            logger.log_metric("child", 2.0)

        quick_settings = quick(tmp_path, close_seconds=0.05)
        logger.settings = quick_settings
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join(30)
        assert process.exitcode == 0
        logger.close()
        [left] = sessions(tmp_path)
        session = Spool(tmp_path / "spool").claim(left)
        assert session is not None
        assert session.pending == 1

    def test_a_child_that_logs_nothing_leaves_nothing(
        self, server: FakeTracking, tmp_path: Path
    ) -> None:
        logger = logger_on(server, tmp_path)
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        assert len(sessions(tmp_path)) == 1
        logger.log_metric("parent", 1.0)
        assert logger.close()
        assert server["run1"].values == [1.0]


class TestAfterClose:
    """A value logged after `close` is not lost: the logger starts again."""

    def test_it_starts_again(self, server: FakeTracking, tmp_path: Path) -> None:
        logger = logger_on(server, tmp_path)
        logger.close()
        logger.log_metric("late", 1.0)
        assert logger.close()
        assert server["run1"].values == [1.0]

    def test_the_interpreters_end_closes(self, tmp_path: Path) -> None:
        import subprocess

        program = (
            "from tests.client.logging_desk import logger_on\n"
            "from tests.client.fake_tracking import FakeTracking\n"
            "from pathlib import Path\n"
            "import atexit, sys\n"
            "server = FakeTracking()\n"
            "atexit.register(lambda: print(server['run1'].values))\n"
            "logger = logger_on(server, Path(sys.argv[1]), flush_seconds=60)\n"
            "logger.log_metric('loss', 1.0)\n"
            "from mlflow_platform_client import logger_life\n"
            # Handlers run last in, first out: the check above must come after the closing.
            "atexit.unregister(logger_life._close_all)\n"
            "atexit.register(logger_life._close_all)\n"
        )
        found = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.splitlines() == ["[1.0]"], found.stderr
        assert sessions(tmp_path) == []
