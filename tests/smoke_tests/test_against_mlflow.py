"""The check against a real MLflow server, with a static prefix and basic authentication."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from smoke_tests.authentication import AuthenticationOptions, choose_authentication
from smoke_tests.masking import Masker
from smoke_tests.target import parse_target
from tests.smoke_tests.conftest import Check, RealMlflow

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

GUIDE_REPORT = """\
============================================================
MLflow Integration Test
============================================================
Tracking URI: {uri}

=== Test 1: MLflow Server Health ===
✓ MLflow server healthy (response time: 0.3s)

=== Test 2: Create/Get Experiment ===
✓ Got existing experiment: integration-test (id=4)

=== Test 3: Create Run and Log Metrics ===
✓ Created run: abc123...
✓ Logged metric: test_metric=0.95
✓ Ended run successfully

=== Test 4: Retrieve Metrics ===
✓ Retrieved 1 metrics
    test_metric: 0.95

============================================================
✅ ALL TESTS PASSED - MLflow integration is working!
============================================================
"""


def call(server: RealMlflow, path: str, content: dict[str, object] | None = None) -> dict:
    """Ask the server as anybody would, not through the code under test."""
    pair = choose_authentication(
        AuthenticationOptions(),
        target=parse_target(server.uri, masker=Masker(), source="test"),
        environ=server.environ,
        masker=Masker(),
    )
    request = urllib.request.Request(
        f"{server.uri}/api/2.0/mlflow/{path}",
        data=None if content is None else json.dumps(content).encode(),
        headers={**pair.headers("GET", "", None), "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def experiment(server: RealMlflow, name: str) -> dict:
    query = urllib.parse.urlencode({"experiment_name": name})
    return call(server, f"experiments/get-by-name?{query}")["experiment"]


class TestHealthyServer:
    """A healthy server passes, and the report is the one the integration guide shows."""

    def test_report_is_the_guides_line_for_line(self, check: Check, real_mlflow: RealMlflow):
        check(real_mlflow.uri, environ=real_mlflow.environ)
        ran = check(real_mlflow.uri, environ=real_mlflow.environ)
        assert (ran.code, ran.err) == (0, "")
        out = re.sub(r"time: \d+\.\ds", "time: 0.3s", ran.out)
        out = re.sub(r"\(id=\d+\)", "(id=4)", out)
        out = re.sub(r"run: [0-9a-f]{32}", "run: abc123...", out)
        assert out == GUIDE_REPORT.format(uri=real_mlflow.uri)

    def test_what_was_reported_is_on_the_server(self, check: Check, real_mlflow: RealMlflow):
        report = json.loads(check(real_mlflow.uri, "--json", environ=real_mlflow.environ).out)
        run = call(real_mlflow, f"runs/get?run_id={report['run_id']}")["run"]
        assert run["info"]["status"] == "FINISHED"
        assert run["info"]["experiment_id"] == report["experiment_id"]
        assert [(m["key"], m["value"]) for m in run["data"]["metrics"]] == [("test_metric", 0.95)]


class TestWrongPassword:
    """A wrong password fails the second stage at once: health needs none."""

    def test_remedy_names_the_password(self, check: Check, real_mlflow: RealMlflow):
        environ = {**real_mlflow.environ, "MLFLOW_TRACKING_PASSWORD": "wrong-password"}
        ran = check(real_mlflow.uri, environ=environ)
        assert ran.code == 1
        assert ran.slept == []
        assert "✓ MLflow server healthy" in ran.out
        assert "✗ Failed to get/create experiment: HTTP 401" in ran.out
        assert "❌ FAILED: Cannot create experiment. Check IAM permissions." in ran.out
        assert "User name or password is wrong" in ran.out


class TestWrongPrefix:
    """Without the static prefix the server is not found, and the remedy says so."""

    def test_remedy_names_the_prefix(self, check: Check, real_mlflow: RealMlflow):
        uri = real_mlflow.uri.removesuffix("/team/mlflow") + "/elsewhere"
        ran = check(uri, environ=real_mlflow.environ)
        assert ran.code == 1
        assert "❌ FAILED: MLflow server not reachable. Check Cloud Run service." in ran.out
        assert "--static-prefix" in ran.out


class TestUnknownHostName:
    """A name that MLflow was not told about is refused by MLflow's host check, not by health."""

    def test_remedy_names_the_host(self, check: Check, real_mlflow: RealMlflow):
        address = urllib.parse.urlsplit(real_mlflow.uri)
        # As through a load balancer: the request arrives under a name of the outside world.
        environ = {**real_mlflow.environ, "HTTP_PROXY": f"http://{address.netloc}"}
        ran = check(f"http://mlflow.example.org{address.path}", environ=environ)
        assert ran.code == 1
        assert "✓ MLflow server healthy" in ran.out
        assert "HTTP 403 Forbidden: Invalid Host header" in ran.out
        assert "add mlflow.example.org to allowedHosts" in ran.out


class TestCleanup:
    """`--cleanup` removes what this pass wrote and nothing else."""

    def test_own_experiment_goes_and_its_name_is_free_again(
        self, check: Check, real_mlflow: RealMlflow
    ):
        arguments = (real_mlflow.uri, "--cleanup", "--experiment", "brief")
        for _ in range(2):
            ran = check(*arguments, environ=real_mlflow.environ)
            assert ran.code == 0, ran.out
            assert "✓ Created experiment: brief" in ran.out
            assert "✓ Deleted experiment: brief" in ran.out

    def test_experiment_that_was_there_stays(self, check: Check, real_mlflow: RealMlflow):
        call(real_mlflow, "experiments/create", {"name": "kept"})
        ran = check(
            real_mlflow.uri, "--cleanup", "--experiment", "kept", environ=real_mlflow.environ
        )
        assert ran.code == 0
        assert "✓ Deleted run: " in ran.out
        assert "Deleted experiment" not in ran.out
        found = experiment(real_mlflow, "kept")
        assert found["lifecycle_stage"] == "active"
        left = call(real_mlflow, "runs/search", {"experiment_ids": [found["experiment_id"]]})
        assert "runs" not in left


class TestDeletedExperiment:
    """A deleted experiment keeps its name; the check says how to get it back."""

    def test_remedy_restores_it(self, check: Check, real_mlflow: RealMlflow):
        created = call(real_mlflow, "experiments/create", {"name": "gone"})
        call(real_mlflow, "experiments/delete", created)
        ran = check(real_mlflow.uri, "--experiment", "gone", environ=real_mlflow.environ)
        number = created["experiment_id"]
        assert ran.code == 1
        assert f"'gone' (id={number}) is deleted" in ran.out
        assert f"mlflow experiments restore --experiment-id {number}" in ran.out


class TestBesideItself:
    """Any number of checks run at once on one server, the creation of the experiment included."""

    def test_eight_processes_pass(self, real_mlflow: RealMlflow, tmp_path: Path):
        command = [sys.executable, "-m", "smoke_tests", real_mlflow.uri, "--json", "--cleanup"]
        command += ["--experiment", "shared", "--junit"]
        environment = {**os.environ, **real_mlflow.environ}
        processes = [
            subprocess.Popen(
                [*command, str(tmp_path / f"{number}.xml")],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
            )
            for number in range(8)
        ]
        reports = [json.loads(process.communicate()[0]) for process in processes]
        assert [process.returncode for process in processes] == [0] * 8, reports
        assert len({report["run_id"] for report in reports}) == 8
        for number in range(8):
            suite = ET.parse(tmp_path / f"{number}.xml").getroot()
            assert (suite.get("tests"), suite.get("failures")) == ("5", "0")


class TestAsPytest:
    """The same stages run as pytest tests on a live server."""

    def test_four_tests_pass(self, real_mlflow: RealMlflow):
        command = [sys.executable, "-m", "pytest", "smoke_tests", "-q", "-p", "no:cacheprovider"]
        ran = subprocess.run(
            [*command, "--tracking-uri", real_mlflow.uri],
            cwd=ROOT,
            env={**os.environ, **real_mlflow.environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
        assert "4 passed" in ran.stdout
