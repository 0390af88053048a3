"""Answers that arrive and are wrong: statuses, bodies, and values that are not what was written."""

from __future__ import annotations

import pytest

from tests.smoke_tests.conftest import Check
from tests.smoke_tests.stand_in_mlflow import LOST, Reply, StandInMlflow, error

API = "/api/2.0/mlflow/"
HOST_BODY = "Invalid Host header - possible DNS rebinding attack detected"


class TestStandIn:
    """The stand-in is honest: an untouched one passes the whole check, kept alive."""

    def test_passes_over_one_connection(self, check: Check, stand_in: StandInMlflow):
        ran = check(stand_in.uri)
        assert ran.code == 0, ran.out
        assert stand_in.paths() == [
            "/health",
            f"{API}experiments/get-by-name",
            f"{API}experiments/create",
            f"{API}runs/create",
            f"{API}runs/log-metric",
            f"{API}runs/update",
            f"{API}runs/get",
        ]
        assert len({request.connection for request in stand_in.requests}) == 1


class TestHealth:
    """Only MLflow's own `OK` is health."""

    @pytest.mark.parametrize(
        ("reply", "problem", "remedy"),
        [
            (
                Reply(200, "<html>hello</html>", {"Content-Type": "text/html"}),
                "HTTP 200 OK: an HTML page",
                "Something else than MLflow answers there",
            ),
            (Reply(404, "Not Found"), "HTTP 404 Not Found", "--static-prefix"),
            (
                Reply(302, "", {"Location": "https://accounts.google.com/o/oauth2?x=1"}),
                "HTTP 302 Found",
                "--google-audience",
            ),
            (
                Reply(301, "", {"Location": "https://127.0.0.1/health"}),
                "HTTP 301",
                "The server wants TLS: use https://127.0.0.1",
            ),
            (
                Reply(307, "", {"Location": "https://sso.example.org/login?state=abc"}),
                "HTTP 307",
                "sends callers to https://sso.example.org/login:",
            ),
            (Reply(500, "boom"), "HTTP 500 Internal Server Error: boom", "cannot reach its data"),
            (
                Reply(403, "<title>403</title>does not have permission to get URL /health"),
                "HTTP 403 Forbidden: an HTML page",
                "pass --auth google",
            ),
            (
                Reply(403, {"message": "Missing Token"}, {"x-amzn-RequestId": "1"}),
                "HTTP 403 Forbidden: Missing Token",
                "pass --auth aws-sigv4",
            ),
        ],
    )
    def test_not_retried_and_explained(
        self, check: Check, stand_in: StandInMlflow, reply: Reply, problem: str, remedy: str
    ):
        stand_in.replies["/health"] = [reply]
        ran = check(stand_in.uri)
        assert ran.code == 1
        assert f"✗ MLflow server not reachable: {problem}" in ran.out
        assert "FAILED: MLflow server not reachable. Check Cloud Run service." in ran.out
        assert remedy in ran.out
        assert ran.slept == []
        assert stand_in.paths() == ["/health"]

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_passing_trouble_is_retried(self, check: Check, stand_in: StandInMlflow, status: int):
        stand_in.replies["/health"] = [Reply(status, "later"), Reply(status, "later")]
        ran = check(stand_in.uri)
        assert ran.code == 0
        assert sum(ran.slept) == 10 + 20
        assert f"health check failed (attempt 2/6): HTTP {status}" in ran.out


class TestExperiment:
    """The second stage tells apart who said no."""

    def test_host_check_names_the_host(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}experiments/get-by-name"] = [Reply(403, HOST_BODY)]
        ran = check(stand_in.uri)
        assert f"HTTP 403 Forbidden: {HOST_BODY}" in ran.out
        assert f"add 127.0.0.1:{stand_in.port} to allowedHosts" in ran.out
        assert "❌ FAILED: Cannot create experiment. Check IAM permissions." in ran.out

    def test_mlflow_permission(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}experiments/create"] = [error(403, "PERMISSION_DENIED")]
        ran = check(stand_in.uri)
        assert "MLflow knows the user and denies the action" in ran.out
        assert ran.out.count("- Not run: test 2 failed") == 2

    def test_exhausted_pool_names_the_settings(self, check: Check, stand_in: StandInMlflow):
        refusal = error(400, "BAD_REQUEST", "QueuePool limit of size 5 overflow 10 reached")
        stand_in.replies[f"{API}experiments/get-by-name"] = [refusal]
        assert "raise poolSize and poolMaxOverflow" in check(stand_in.uri).out

    @pytest.mark.parametrize("body", [b"[]", b"{", b"", b"\xff\xfe", b'{"experiment": 7}'])
    def test_wrong_json(self, check: Check, stand_in: StandInMlflow, body: bytes):
        stand_in.replies[f"{API}experiments/get-by-name"] = [Reply(200, body)]
        ran = check(stand_in.uri)
        assert ran.code == 1
        assert "✗ Failed to get/create experiment: " in ran.out
        assert "Something else than MLflow answers there" in ran.out

    def test_created_by_another_check_meanwhile(self, check: Check, stand_in: StandInMlflow):
        stand_in.answer("/api/2.0/mlflow/experiments/create", {}, {"name": "integration-test"})
        stand_in.replies[f"{API}experiments/get-by-name"] = [error(404, "RESOURCE_DOES_NOT_EXIST")]
        ran = check(stand_in.uri, "--cleanup")
        assert ran.code == 0
        assert "✓ Got existing experiment: integration-test (id=1)" in ran.out
        assert "Deleted experiment" not in ran.out

    def test_own_creation_whose_answer_was_lost(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}experiments/create"] = [LOST]
        ran = check(stand_in.uri, "--cleanup")
        assert ran.code == 0, ran.out
        assert len(stand_in.experiments) == 1
        assert "✓ Deleted experiment: integration-test (id=1)" in ran.out

    def test_cleaned_up_by_another_check_meanwhile(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}runs/create"] = [
            error(400, "INVALID_PARAMETER_VALUE", "must be in the 'active' state")
        ]
        stand_in.replies[f"{API}experiments/get-by-name"] = [
            Reply(200, {"experiment": {"experiment_id": "77", "name": "integration-test"}}),
        ]
        ran = check(stand_in.uri)
        assert ran.code == 0, ran.out
        assert list(stand_in.experiments) == ["1"]


class TestRun:
    """A write whose answer is lost is never made twice."""

    def test_run_is_looked_up_before_it_is_created_again(
        self, check: Check, stand_in: StandInMlflow
    ):
        stand_in.replies[f"{API}runs/create"] = [LOST]
        ran = check(stand_in.uri)
        assert ran.code == 0, ran.out
        assert len(stand_in.runs) == 1
        assert stand_in.paths().count(f"{API}runs/create") == 1
        assert "Create run failed (attempt 1/6): connection closed" in ran.out

    def test_run_is_created_again_when_it_is_not_there(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}runs/create"] = [Reply(503, "busy")]
        ran = check(stand_in.uri)
        assert ran.code == 0, ran.out
        assert len(stand_in.runs) == 1

    def test_failing_look_up_counts_as_the_attempt(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}runs/create"] = [LOST]
        stand_in.replies[f"{API}runs/search"] = [Reply(503, "busy")]
        ran = check(stand_in.uri)
        assert ran.code == 0, ran.out
        assert len(stand_in.runs) == 1
        assert sum(ran.slept) == 10 + 20

    def test_repeated_metric_is_one_metric(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}runs/log-metric"] = [LOST]
        ran = check(stand_in.uri)
        assert ran.code == 0, ran.out
        assert "✓ Retrieved 1 metrics\n    test_metric: 0.95\n" in ran.out

    @pytest.mark.parametrize(
        ("call", "line"),
        [
            ("runs/create", "✗ Failed to create run: HTTP 500"),
            ("runs/log-metric", "✗ Failed to log metric: HTTP 500"),
            ("runs/update", "✗ Failed to end run: HTTP 500"),
        ],
    )
    def test_every_step_fails_the_stage(
        self, check: Check, stand_in: StandInMlflow, call: str, line: str
    ):
        stand_in.replies[API + call] = [error(500, "INTERNAL_ERROR", "database is locked")]
        ran = check(stand_in.uri)
        assert ran.code == 1
        assert line in ran.out
        assert "❌ FAILED: Cannot create run. Check MLflow configuration." in ran.out
        assert ran.out.count("- Not run: test 3 failed") == 1


class TestMetric:
    """What comes back is compared with what was written."""

    def changed(self, **changes: object) -> Reply:
        run = {
            "info": {"run_id": "r1", "status": "FINISHED"},
            "data": {"metrics": [{"key": "test_metric", "value": 0.95}]},
        }
        run["info"] |= {k: v for k, v in changes.items() if k in ("run_id", "status")}
        if "metrics" in changes:
            run["data"] = {"metrics": changes["metrics"]}
        return Reply(200, {"run": run})

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            (
                {"metrics": [{"key": "test_metric", "value": 0.5}]},
                "test_metric was written as 0.95, and reads back as 0.5",
            ),
            (
                {"metrics": [{"key": "test_metric", "value": "0.95"}]},
                "test_metric was written as 0.95, and reads back as 0.95",
            ),
            (
                {"metrics": [{"key": "other", "value": 0.95}]},
                "test_metric was written, and the metrics are: other",
            ),
            ({"metrics": []}, "test_metric was written, and the metrics are: none"),
            ({"status": "RUNNING"}, "the run was ended, and reads back as RUNNING"),
            ({"run_id": "r2"}, "asked for run r1, got r2"),
        ],
    )
    def test_difference_fails(
        self, check: Check, stand_in: StandInMlflow, changes: dict[str, object], problem: str
    ):
        stand_in.replies[f"{API}runs/create"] = [Reply(200, {"run": {"info": {"run_id": "r1"}}})]
        for call in ("log-metric", "update"):
            stand_in.replies[f"{API}runs/{call}"] = [Reply(200, {})]
        stand_in.replies[f"{API}runs/get"] = [self.changed(**changes)]
        ran = check(stand_in.uri)
        assert ran.code == 1
        assert f"✗ Failed to retrieve metrics: {problem}\n" in ran.out
        assert "\n❌ FAILED: Cannot retrieve metrics.\n" in ran.out
        assert "Retrieved" not in ran.out


class TestCleanUp:
    """Clean-up runs whatever happened, and its own failure fails the check."""

    def test_runs_after_a_failed_stage(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}runs/get"] = [error(500, "INTERNAL_ERROR")]
        ran = check(stand_in.uri, "--cleanup")
        assert ran.code == 1
        assert "✓ Deleted run: " in ran.out
        assert "FAILED: Cannot retrieve metrics." in ran.out

    def test_failure_says_what_is_left(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies[f"{API}runs/delete"] = [error(403, "PERMISSION_DENIED")]
        ran = check(stand_in.uri, "--cleanup")
        assert ran.code == 1
        assert "❌ FAILED: Cannot clean up what the test wrote." in ran.out
        assert "carries the tag smoke_test_token=" in ran.out

    def test_experiment_with_a_strangers_run_stays(self, check: Check, stand_in: StandInMlflow):
        class Intruding(list):
            """Adds a stranger's run just before the check looks for one."""

            def pop(self, index: int = -1) -> None:
                stand_in.runs["x"] = {
                    "info": {"run_id": "x", "experiment_id": "1", "lifecycle_stage": "active"},
                    "data": {"tags": []},
                }
                super().pop(index)

        stand_in.replies[f"{API}experiments/update"] = Intruding([None])
        ran = check(stand_in.uri, "--cleanup")
        assert ran.code == 0, ran.out
        assert "  Kept experiment: integration-test (others use it)" in ran.out
        assert stand_in.experiments["1"]["name"] == "integration-test"
        assert stand_in.experiments["1"]["lifecycle_stage"] == "active"


class TestInterruption:
    """Ctrl-C ends the pass with exit code 2; what was written is still cleaned up."""

    def test_during_a_wait(self, stand_in: StandInMlflow):
        from smoke_tests.command_line import main
        from smoke_tests.retrying import Clock
        from tests.smoke_tests.conftest import Screen

        def interrupt(seconds: float) -> None:
            raise KeyboardInterrupt

        stand_in.replies[f"{API}runs/log-metric"] = [Reply(503, "busy")]
        out = Screen()
        code = main(
            [stand_in.uri, "--cleanup"],
            environ={},
            stdout=out,
            stderr=Screen(),
            clock=Clock(sleep=interrupt),
        )
        assert code == 2
        assert out.getvalue().count("- Not run: interrupted") == 2
        assert "✓ Deleted run: " in out.getvalue()
        assert "Interrupted: the check did not finish." in out.getvalue()


class TestPrefix:
    """Every request goes below the path of the URI."""

    def test_health_too(self, check: Check):
        server = StandInMlflow(prefix="/a/b")
        try:
            ran = check(f"{server.uri}/")
            assert ran.code == 0, ran.out
            assert all(request.url.startswith("/a/b/") for request in server.requests)
            assert f"Tracking URI: {server.uri}\n" in ran.out
        finally:
            server.close()
