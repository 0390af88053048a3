"""Training begins when tracking is proven, and not otherwise."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mlflow_platform_client import (
    AuthenticationFailed,
    PreflightFailed,
    ServerUnreachable,
    preflight,
    read_tracking_status,
    resolve_settings,
)
from mlflow_platform_client.client_settings import ClientSettings
from mlflow_platform_client.findings import Outcome, PreflightReport
from mlflow_platform_client.tracking_api import Answer
from mlflow_platform_client.training_preflight import run_preflight
from tests.client.fake_mlflow import FakeClock, FakeMlflow, serving

pytestmark = pytest.mark.usefixtures("clean_environment")

STEPS = ["health", "authentication", "versions", "experiment", "run", "metric", "artifact"]


def settings_for(uri: str, **values: object) -> ClientSettings:
    """Settings for a server that is there or not, without waiting for it."""
    chosen: dict[str, object] = {
        "health_waits_seconds": (),
        "connect_seconds": 2,
        "cold_start_timeout_seconds": 10,
        "preflight_timeout_seconds": 10,
        **values,
    }
    return resolve_settings(environ={}, tracking_uri=uri, **chosen)


def failed(settings: ClientSettings, **arguments: object) -> PreflightReport:
    """The report of a preflight that must fail."""
    with pytest.raises(PreflightFailed) as caught:
        preflight(settings, **arguments)  # pyright: ignore[reportArgumentType]
    return caught.value.report


def outcomes(report: PreflightReport) -> dict[str, str]:
    return {item.step: item.outcome.value for item in report.findings}


def only_failure(report: PreflightReport) -> tuple[str, str, str]:
    (item,) = report.failed
    return item.step, item.message, item.remedy or ""


class TestAHealthyServer:
    """Every step passes, the run is running, and what was written is really there."""

    def test_each_step_passes_and_the_run_is_open(self) -> None:
        fake = FakeMlflow()
        with serving(fake) as uri:
            run = preflight(settings_for(uri), run_name="first", tags={"team": "a"})
        assert list(outcomes(run.report)) == STEPS
        assert set(outcomes(run.report).values()) == {"passed"}
        assert fake.runs[run.run_id]["info"]["status"] == "RUNNING"
        assert fake.runs[run.run_id]["info"]["run_name"] == "first"
        assert {"key": "team", "value": "a"} in fake.runs[run.run_id]["data"]["tags"]
        assert [item["key"] for item in fake.metrics[run.run_id]] == ["preflight_seconds"]
        assert (run.info.run_id, run.experiment_id) == (run.run_id, "0")

    def test_the_artifact_is_taken_away_again(self) -> None:
        fake = FakeMlflow()
        with serving(fake) as uri:
            preflight(settings_for(uri))
        assert fake.artifacts == {}
        assert any(request.startswith("PUT ") for request in fake.requests)

    def test_a_rehearsal_leaves_no_run(self) -> None:
        fake = FakeMlflow()
        with serving(fake) as uri:
            report = run_preflight(settings_for(uri), is_rehearsal=True)
        assert report.passed
        info = fake.runs[str(report.run_id)]["info"]
        assert (info["status"], info["lifecycle_stage"]) == ("FINISHED", "deleted")

    def test_a_run_can_be_gone_on_with(self) -> None:
        fake = FakeMlflow()
        with serving(fake) as uri:
            first = preflight(settings_for(uri))
            second = preflight(settings_for(uri), run_id=first.run_id)
        assert second.run_id == first.run_id
        assert len(fake.runs) == 1

    def test_mlflow_is_set_up_for_the_job(self) -> None:
        import os

        import mlflow

        with serving(FakeMlflow()) as uri:
            preflight(settings_for(uri))
            assert mlflow.get_tracking_uri() == uri
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "300"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "7"


class TestReachingTheServer:
    """A cold start is waited out; what waiting cannot mend is said at once."""

    def test_nothing_listening_is_tried_six_times_over_the_seeds_waits(self) -> None:
        clock, uri = FakeClock(), f"http://127.0.0.1:{closed_port()}"
        settings = resolve_settings(environ={}, tracking_uri=uri)
        report = failed(settings, clock=clock.clock())
        assert clock.waits == [10, 20, 30, 30, 30]
        assert only_failure(report) == (
            "health",
            "could not reach the server: connection refused (6 attempts over 120 s)",
            (
                "Nothing listens there: start the server, or correct host and port of the tracking "
                "URI."
            ),
        )
        assert list(outcomes(report).values()) == ["failed", *["not_run"] * 6]

    def test_a_cold_server_that_answers_after_25_seconds(self) -> None:
        clock, fake = FakeClock(), FakeMlflow()

        def send(method: str, path: str, **more: object) -> Answer:
            if path == "/health":
                clock.now += 25
            return fake.send(method, path, **more)  # pyright: ignore[reportArgumentType]

        with serving(fake) as uri:  # artifacts go through MLflow itself
            report = run_preflight(settings_for(uri), clock=clock.clock(), send=send)
        assert report.passed
        (warning,) = report.warnings
        assert warning.message == f"{uri} answered after 25.0 s: a cold start"
        assert warning.remedy == (
            "Keep one instance running (min-instances=1), so that jobs do not wait for it."
        )
        assert warning.seconds == 25
        assert clock.waits == []

    def test_a_server_that_comes_up_at_the_third_attempt(self) -> None:
        clock, fake = FakeClock(), FakeMlflow()
        refusals = iter([503, 502])

        def send(method: str, path: str, **more: object) -> Answer:
            if path == "/health" and (status := next(refusals, None)):
                return Answer(status=status, body=b"<html>warming up", content_type="text/html")
            return fake.send(method, path, **more)  # pyright: ignore[reportArgumentType]

        with serving(fake) as uri:
            settings = settings_for(uri, health_waits_seconds=(10, 20, 30))
            report = run_preflight(settings, clock=clock.clock(), send=send)
        assert clock.waits == [10, 20]
        assert report.warnings[0].message == (
            f"{uri} answered at attempt 3 after 30.0 s: a cold start"
        )

    def test_a_server_that_hangs(self) -> None:
        with serving(FakeMlflow(), hangs=True) as uri:
            report = failed(settings_for(uri, cold_start_timeout_seconds=0.2))
        assert only_failure(report) == (
            "health",
            (
                "could not reach the server: connected, but no answer within the time allowed "
                "(one attempt)"
            ),
            (
                "The server accepts connections and does not answer: look at its log and its "
                "database; restart it if it hangs."
            ),
        )

    def test_a_server_that_drips_is_left_too(self) -> None:
        """A timeout of requests counts from byte to byte; the preflight's does not."""
        clock = FakeClock()
        waiting, silent = socket.socketpair()

        def send(method: str, path: str, **more: object) -> Answer:
            waiting.recv(1)
            raise AssertionError

        settings = settings_for("http://h", connect_seconds=0.1, cold_start_timeout_seconds=0.1)
        report = failed(settings, clock=clock.clock(), send=send)
        assert only_failure(report)[1] == (
            "could not reach the server: nothing came within 1 s (one attempt)"
        )
        silent.close()
        waiting.close()

    def test_an_unknown_host_is_not_waited_for(self) -> None:
        clock = FakeClock()

        def send(method: str, path: str, **more: object) -> Answer:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        settings = resolve_settings(environ={}, tracking_uri="http://mlfow.internal")
        report = failed(settings, clock=clock.clock(), send=send)
        assert clock.waits == []
        assert only_failure(report)[1:] == (
            "could not reach the server: no such host",
            "Check the spelling of the host in the tracking URI, and this machine's DNS.",
        )

    def test_something_else_answers(self) -> None:
        fake = FakeMlflow(answers_by_path={"/health": (200, b"<html>login</html>")})
        report = failed(settings_for("http://h"), send=fake.send)
        assert only_failure(report)[1] == "what answers /health is not MLflow"

    def test_a_front_end_that_wants_to_know_who_asks(self) -> None:
        fake = FakeMlflow(answers_by_path={"/health": (403, b"<html>Forbidden</html>")})
        clock = FakeClock()
        report = failed(
            resolve_settings(environ={}, tracking_uri="http://h"),
            send=fake.send,
            clock=clock.clock(),
        )
        assert only_failure(report)[0] == "health"
        assert "roles/run.invoker" in only_failure(report)[2]
        assert clock.waits == []


class TestWhoAsks:
    """A wrong password is said at once, names where it came from, and never appears itself."""

    def test_wrong_password(self) -> None:
        with serving(FakeMlflow(password="correct horse")) as uri:
            settings = settings_for(uri, username="admin", password="hunter2-hunter2")
            report = failed(settings)
        assert only_failure(report) == (
            "authentication",
            (
                "could not list experiments: HTTP 401: You are not authenticated. Please see the "
                "documentation."
            ),
            (
                "User name or password is wrong: check --username and --password; a password "
                "changed in the platform's settings does not change that of an existing MLflow "
                "user."
            ),
        )
        assert outcomes(report)["versions"] == "not_run"
        assert "hunter2" not in str(report)

    def test_no_password(self) -> None:
        with serving(FakeMlflow(password="correct horse")) as uri:
            report = failed(settings_for(uri))
        assert only_failure(report)[2] == (
            "The server wants to know who asks: set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
        )

    def test_the_right_password_passes_every_step(self) -> None:
        with serving(FakeMlflow(password="correct horse")) as uri:
            run = preflight(settings_for(uri, username="admin", password="correct horse"))
        assert run.report.passed

    def test_a_server_whose_words_repeat_the_password(self) -> None:
        answer = (401, b'{"error_code": "X", "message": "no user with hunter2-hunter2"}')
        fake = FakeMlflow(answers_by_path={"/api/2.0/mlflow/experiments/search": answer})
        settings = settings_for("http://127.0.0.1:9", username="a", password="hunter2-hunter2")
        assert "no user with ***" in str(failed(settings, send=fake.send).failed[0])


class TestVersions:
    """Another major version stops training; an older server is a warning."""

    def test_another_major_version(self) -> None:
        with serving(FakeMlflow(version="2.22.0")) as uri:
            report = failed(settings_for(uri))
        step, message, remedy = only_failure(report)
        assert (step, remedy) == (
            "versions",
            "Upgrade the server to MLflow 3, or install mlflow-skinny 2.* here.",
        )
        assert message.endswith("the server 2.22.0: the major versions differ")
        # The others were looked at all the same.
        assert outcomes(report)["artifact"] == "passed"

    def test_an_older_server_of_the_same_major(self) -> None:
        with serving(FakeMlflow(version="3.1.4")) as uri:
            report = preflight(settings_for(uri)).report
        assert [item.step for item in report.warnings] == ["versions"]

    def test_a_server_that_tells_no_version(self) -> None:
        fake = FakeMlflow(answers_by_path={"/version": (404, b"<html>")})
        with serving(fake) as uri:
            report = preflight(settings_for(uri)).report
        assert report.warnings[0].message == "the server does not tell its version"


class TestTheExperiment:
    """It is found or created; a deleted one is restored only when told."""

    def test_created(self) -> None:
        fake = FakeMlflow()
        with serving(fake) as uri:
            run = preflight(settings_for(uri, experiment_name="new one"))
        assert fake.experiments["new one"]["experiment_id"] == run.experiment_id

    def test_deleted(self) -> None:
        fake = FakeMlflow()
        fake.experiments["Default"]["lifecycle_stage"] = "deleted"
        with serving(fake) as uri:
            report = failed(settings_for(uri))
        step, message, remedy = only_failure(report)
        assert (step, message) == ("experiment", "experiment 'Default' (id 0) was deleted")
        assert "--restore-deleted-experiment" in remedy
        assert fake.runs == {}

    def test_restored_when_told(self) -> None:
        fake = FakeMlflow()
        fake.experiments["Default"]["lifecycle_stage"] = "deleted"
        with serving(fake) as uri:
            preflight(settings_for(uri), restore_deleted_experiment=True)
        assert fake.experiments["Default"]["lifecycle_stage"] == "active"

    def test_created_by_another_job_in_between(self) -> None:
        fake = FakeMlflow()

        def send(method: str, path: str, **more: object) -> Answer:
            if path.endswith("experiments/create"):
                fake.add_experiment("shared")
            return fake.send(method, path, **more)  # pyright: ignore[reportArgumentType]

        with serving(fake) as uri:
            assert run_preflight(settings_for(uri, experiment_name="shared"), send=send).passed


class TestADatabaseThatTakesNoWrites:
    """It is told apart from other failures by the database's words, whatever the status."""

    @pytest.mark.parametrize(("status", "code"), [(400, "BAD_REQUEST"), (500, "INTERNAL_ERROR")])
    def test_read_only(self, status: int, code: str) -> None:
        with serving(FakeMlflow(read_only_status=status)) as uri:
            report = failed(settings_for(uri))
        step, message, remedy = only_failure(report)
        assert step == "run"
        assert message == (
            f"could not start a run: HTTP {status} {code}: (psycopg.errors.ReadOnlySqlTransaction) "
            "cannot execute INSERT in a read-only transaction"
        )
        assert remedy == (
            "The server's database accepts no writes: it is a replica, was set to "
            "default_transaction_read_only, or its disk is full. Point the server at the primary, "
            "or make the database writable again."
        )
        # The artifact store is looked at even so, at the experiment's own location.
        assert outcomes(report) == {
            **dict.fromkeys(STEPS[:4], "passed"),
            "run": "failed",
            "metric": "not_run",
            "artifact": "passed",
        }

    def test_a_metric_that_is_acknowledged_and_lost(self) -> None:
        fake = FakeMlflow(forgets_metrics=True)
        with serving(fake) as uri:
            report = failed(settings_for(uri))
        step, message, _ = only_failure(report)
        assert step == "metric"
        assert message.endswith("was acknowledged and is not in the run's history")
        (info,) = (run["info"] for run in fake.runs.values())
        assert info["status"] == "FAILED"


class TestTheArtifactStore:
    """Bytes are written with the job's own identity, and come back the same."""

    def test_the_server_cannot_write(self) -> None:
        fake = FakeMlflow(artifacts_fail_with=(500, "[Errno 13] Permission denied: '/artifacts'"))
        with serving(fake) as uri:
            report = failed(settings_for(uri))
        step, message, remedy = only_failure(report)
        assert step == "artifact"
        assert "[Errno 13] Permission denied: '/artifacts'" in message
        assert remedy == (
            "The artifact folder cannot be written: make it writable for the user that writes "
            "there (the server's where it serves artifacts, this job's otherwise)."
        )

    def test_the_server_does_not_say_why(self) -> None:
        """MLflow 3.17 answers an unwritable folder with a bare HTTP 500."""
        path = "/api/2.0/mlflow-artifacts/artifacts"
        fake = FakeMlflow(artifacts_fail_with=(500, "Internal Server Error"))
        with serving(fake) as uri:
            report = failed(settings_for(uri))
        _, message, remedy = only_failure(report)
        assert message.endswith("HTTP 500 INTERNAL_ERROR: Internal Server Error")
        assert remedy.startswith("The server serves artifacts and cannot store them: check that")
        assert any(request.startswith(f"PUT {path}") for request in fake.requests)

    def test_the_server_denies_it(self) -> None:
        fake = FakeMlflow(artifacts_fail_with=(403, "Permission denied"))
        with serving(fake) as uri:
            assert only_failure(failed(settings_for(uri)))[0] == "artifact"

    def test_bytes_that_change_on_the_way(self) -> None:
        with serving(FakeMlflow(changes_artifacts=True)) as uri:
            report = failed(settings_for(uri))
        assert report.failed[0].message.endswith("and 7 others read back")

    def test_a_folder_the_job_writes_to_itself(self, tmp_path: Path) -> None:
        with serving(FakeMlflow(artifact_root=str(tmp_path))) as uri:
            report = preflight(settings_for(uri)).report
        assert report.findings[-1].message.endswith("read back, directly")
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way of a folder")
        with serving(FakeMlflow(artifact_root=str(tmp_path / "file"))) as uri:
            report = failed(settings_for(uri))
        assert only_failure(report)[0] == "artifact"

    def test_a_folder_on_another_machine(self) -> None:
        fake = FakeMlflow(artifact_root="/mlruns-of-the-server")
        report = failed(settings_for("http://mlflow.internal"), send=fake.send)
        step, message, _ = only_failure(report)
        assert (step, "artifacts would stay on this machine" in message) == ("artifact", True)


class TestEveryFindingIsListed:
    """One error, every finding, each with its remedy; the run does not stay open."""

    def test_three_things_at_once(self) -> None:
        fake = FakeMlflow(
            version="2.1.0",
            read_only_status=400,
            artifacts_fail_with=(500, "No space left on device"),
        )
        with serving(fake) as uri, pytest.raises(PreflightFailed) as caught:
            preflight(settings_for(uri))
        assert [item.step for item in caught.value.findings] == ["versions", "run", "artifact"]
        assert all(item.remedy for item in caught.value.findings)
        text = str(caught.value)
        assert text.startswith(f"training did not begin: the preflight of {uri} failed after")
        assert "The store is full" in text
        assert "not checked: metric" in text

    def test_settings_that_do_not_hold(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        with pytest.raises(PreflightFailed) as caught:
            preflight()
        (finding,) = caught.value.findings
        assert (finding.step, finding.outcome) == ("configuration", Outcome.FAILED)
        assert finding.message.startswith(
            "tracking_uri is 'sqlite:///mlflow.db' (environment (MLFLOW_TRACKING_URI))"
        )

    def test_what_a_step_did_not_foresee_is_a_finding(self) -> None:
        answer = (200, b'{"run": {}}')
        fake = FakeMlflow(answers_by_path={"/api/2.0/mlflow/runs/create": answer})
        with serving(fake) as uri:
            report = failed(settings_for(uri))
        assert only_failure(report)[:2] == ("run", "unexpected KeyError: 'info'")

    def test_an_error_is_of_one_tree(self) -> None:
        assert issubclass(PreflightFailed, Exception)
        assert not issubclass(AuthenticationFailed, ServerUnreachable)


class TestStatusFiles:
    """What became of the preflight stands in the status file, also when it failed."""

    def test_success(self, tmp_path: Path) -> None:
        with serving(FakeMlflow()) as uri:
            run = preflight(settings_for(uri, status_directory=str(tmp_path)))
        status = read_tracking_status(str(tmp_path))
        assert (status.is_tracked, status.run_id, status.attempt) == (True, run.run_id, 1)
        assert status.links["run"] == f"{uri}/#/experiments/0/runs/{run.run_id}"

    def test_failure_and_a_second_attempt(self, tmp_path: Path) -> None:
        with serving(FakeMlflow(read_only_status=400)) as uri:
            settings = settings_for(uri, status_directory=str(tmp_path))
            failed(settings)
            failed(settings)
        status = read_tracking_status(str(tmp_path))
        assert (status.stage, status.attempt, status.run_id) == ("failed", 2, None)
        assert "run: could not start a run: HTTP 400" in str(status.error)
        assert "accepts no writes" in status.remedies[0]

    def test_an_interrupt(self, tmp_path: Path) -> None:
        fake = FakeMlflow()

        def send(method: str, path: str, **more: object) -> Answer:
            if path.endswith("log-metric"):
                raise KeyboardInterrupt
            return fake.send(method, path, **more)  # pyright: ignore[reportArgumentType]

        settings = settings_for("http://h", status_directory=str(tmp_path))
        with pytest.raises(KeyboardInterrupt):
            preflight(settings, send=send)
        status = read_tracking_status(str(tmp_path))
        assert status.error == "the preflight was interrupted: KeyboardInterrupt"
        assert [run["info"]["status"] for run in fake.runs.values()] == ["KILLED"]

    def test_settings_that_do_not_hold(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_PLATFORM_STATUS_DIRECTORY", str(tmp_path))
        with pytest.raises(PreflightFailed):
            preflight()
        assert "tracking_uri is not set" in read_tracking_status(str(tmp_path)).explanation

    def test_a_status_file_that_cannot_be_written_is_a_warning(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way of a folder")
        with serving(FakeMlflow()) as uri:
            run = preflight(settings_for(uri, status_directory=str(tmp_path / "file")))
        assert [item.step for item in run.report.warnings] == ["status"]


class TestAgainstARealServer:
    """The same against MLflow itself."""

    def test_every_step_passes(self, mlflow_server: str) -> None:
        import mlflow

        settings = resolve_settings(
            environ={}, tracking_uri=mlflow_server, experiment_name="preflight"
        )
        run = preflight(settings, run_name="real")
        assert set(outcomes(run.report).values()) <= {"passed", "warning"}
        assert outcomes(run.report)["artifact"] == "passed"
        with mlflow.start_run(run_id=run.run_id):
            mlflow.log_metric("after", 1.0)
        client = mlflow.MlflowClient()
        assert sorted(client.get_run(run.run_id).data.metrics) == ["after", "preflight_seconds"]
        assert client.list_artifacts(run.run_id, "preflight") == []

    def test_a_deleted_experiment(self, mlflow_server: str) -> None:
        import mlflow

        client = mlflow.MlflowClient(tracking_uri=mlflow_server)
        client.delete_experiment(client.create_experiment("gone"))
        settings = resolve_settings(environ={}, tracking_uri=mlflow_server, experiment_name="gone")
        assert only_failure(failed(settings))[0] == "experiment"
        assert preflight(settings, restore_deleted_experiment=True).report.passed


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
