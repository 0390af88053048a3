"""The Deployment as deployed starts a server that works.

Command and environment are taken from the objects that the provider keeps, not from the program
that declared them; PostgreSQL is real and asks for the password; artifacts go to moto's S3.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import simulated_cloud
from benchmarks.throwaway_postgres import ThrowawayPostgres
from infra.kubernetes.prometheus_rules import alerts
from infra.server_address import SERVICE_HOST
from infra.settings import PlatformSettings
from simulated_cloud import SimulatedCloud
from simulated_cloud.kubernetes.package import VARIABLE
from tests.infra.kubernetes.manifests import deploy
from tests.infra.stacks import stack
from tests.kubernetes.pod_process import PodProcess
from tests.simulated_cloud.desk import Desk

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "mlops-platform-test-mlflow-artifacts-123456789012"
PASSWORD = "a-database-password"  # what the wiring of the manifests hands over
ADMIN = "an-administrators-password"


@dataclass
class Retained:
    """The CronJob's pod."""

    pod: PodProcess
    container: Mapping[str, Any]

    def run(self, address: str) -> subprocess.CompletedProcess[str]:
        """Run it as its hour strikes, with the Service's name where the server is here."""
        words = [word.replace(SERVICE_HOST, address) for word in self.container["command"]]
        return self.pod.run({**self.container, "command": words})


@dataclass
class Served:
    """A server that runs as its pod says."""

    pod: PodProcess
    container: Mapping[str, Any]
    process: subprocess.Popen[bytes]
    port: int
    cloud: SimulatedCloud
    settings: PlatformSettings
    retention: Retained

    @property
    def login(self) -> dict[str, str]:
        """Headers of the administrator, where there is one."""
        if self.settings.authentication.kind != "basic":
            return {}
        return {"Authorization": f"Basic {base64_of(f'admin:{ADMIN}')}"}

    def send(self, method: str, path: str, body: bytes) -> Any:
        """A call of the administrator's; what the server answered."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=body,
            method=method,
            headers={**self.login, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"{}")

    def get(self, path: str, host: str, **headers: str) -> int:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Host": host, **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def postgres() -> Iterator[ThrowawayPostgres]:
    """A database `runs` whose user must know the password."""
    with ThrowawayPostgres() as cluster:
        cluster.query("postgres", f"CREATE ROLE runs LOGIN PASSWORD '{PASSWORD}'")
        cluster.query("postgres", "CREATE DATABASE runs OWNER runs")
        ((path,),) = cluster.query("postgres", "SHOW hba_file")
        file = Path(path)
        rule = "host all runs 127.0.0.1/32 scram-sha-256\n"
        file.write_text(rule + file.read_text(encoding="utf-8"), encoding="utf-8")
        cluster.query("postgres", "SELECT pg_reload_conf()")
        yield cluster


@pytest.fixture(scope="module", params=["off", "basic"])
def served(
    request: pytest.FixtureRequest,
    postgres: ThrowawayPostgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """The server of a stack, deployed to the simulated cloud and then started from there."""
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch, simulated_cloud.running(folder / "cloud") as cloud:
        patch.delenv(VARIABLE, raising=False)
        cloud.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = stack(
            target="aws",
            serverPort=str(port),
            authentication=request.param,
            databaseUser="runs",
            databaseName="runs",
            databasePort=str(postgres.port),
            databaseInstanceClass="db.m7g.xlarge",
            serverDrainSeconds="1",
            retentionSchedule="0 3 * * 0",
        )
        desk = Desk("kubernetes", cloud.ports["kubernetes"])
        basic = {"admin_password": ADMIN, "session_key": "a-session-key" * 3}
        deployed = deploy(
            settings,
            artifact_root=f"s3://{BUCKET}/artifacts",
            database_host="127.0.0.1",
            database_ssl_mode=None,
            environment={"AWS_REGION": "eu-central-1"},
            **(basic if request.param == "basic" else {}),
        )
        for item in deployed.declared:
            desk.create(item.type, item.name, **item.inputs)
        yield from started(cloud, folder, port, settings)


def started(
    cloud: SimulatedCloud, folder: Path, port: int, settings: PlatformSettings
) -> Iterator[Served]:
    store = cloud.store("kubernetes")

    def of_kind(kind: str) -> dict[str, dict[str, Any]]:
        (section,) = [name for name in store.kinds() if name.endswith(f"/{kind}")]
        return store.list(section)

    def find(kind: str, name: str) -> Mapping[str, Any]:
        return of_kind(kind)[f"mlflow/{name}"]

    # The cloud's identity, which a webhook adds to pods; and where the simulated one answers.
    outside = {key: value for key, value in cloud.environment.items() if key.startswith("AWS_")}
    (job,) = of_kind("Job").values()
    spec = job["spec"]["template"]["spec"]
    migration = PodProcess(spec, find, folder / "migration", outside)
    for container in [*spec["initContainers"], *spec["containers"]]:
        done = migration.run(container)
        assert done.returncode == 0, f"{container['name']}: {done.stdout}{done.stderr}"
    spec = find("Deployment", "mlflow")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    pod = PodProcess(spec, find, folder / "server", outside)
    (cron_job,) = of_kind("CronJob").values()
    collecting = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    retention = Retained(
        PodProcess(collecting, find, folder / "retention", outside), collecting["containers"][0]
    )
    process = pod.start(container, folder / "server.log")
    try:
        served = Served(pod, container, process, port, cloud, settings, retention)
        wait_for_start(served, folder / "server.log")
        yield served
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_start(served: Served, log: Path) -> None:
    """Ask what the startup probe asks, as often as it may."""
    probe = served.container["startupProbe"]
    assert probe["httpGet"]["port"] == "http"
    for _ in range(probe["failureThreshold"]):
        try:
            if served.get(probe["httpGet"]["path"], f"127.0.0.1:{served.port}") == 200:
                return
        except OSError:
            pass  # nobody listens yet
        assert served.process.poll() is None, log.read_text(encoding="utf-8")
        time.sleep(probe["periodSeconds"])
    pytest.fail(log.read_text(encoding="utf-8"))


class TestTheDeployedServer:
    """It starts within the startup probe's patience, is ready, passes the check, and goes."""

    def test_it_is_ready_as_kubernetes_asks_it(self, served: Served) -> None:
        probe = served.container["readinessProbe"]
        if "exec" in probe:
            done = served.pod.probe(served.container, "readinessProbe")
            assert (done.returncode, done.stderr) == (0, "")
        else:
            path = probe["httpGet"]["path"]
            assert served.get(path, f"127.0.0.1:{served.port}") == 200

    def test_the_four_stage_check_passes(self, served: Served) -> None:
        basic = served.settings.authentication.kind == "basic"
        login = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": ADMIN}
        done = subprocess.run(
            [sys.executable, "-m", "smoke_tests", f"http://127.0.0.1:{served.port}", "--json"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **(login if basic else {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        stages = json.loads(done.stdout)["stages"]
        assert [stage["result"] for stage in stages] == ["passed"] * 4

    def test_artifacts_go_to_the_bucket(self, served: Served) -> None:
        served.send("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/a/model.txt", b"weights")
        found = served.cloud.client("s3").get_object(Bucket=BUCKET, Key="artifacts/0/a/model.txt")
        assert found["Body"].read() == b"weights"

    def test_names_of_the_service_are_answered_and_others_are_not(self, served: Served) -> None:
        path = "/api/2.0/mlflow/experiments/search?max_results=1"
        allowed = 401 if served.settings.authentication.kind == "basic" else 200
        for host in ("mlflow.mlflow.svc.cluster.local", "mlflow.mlflow"):
            assert served.get(path, f"{host}:{served.port}") == allowed
        assert served.get(path, "attacker.example") == 403
        assert served.get(path, "10.1.2.3") == 403

    def test_prometheus_finds_what_the_alerts_ask_for(self, served: Served) -> None:
        """By the pod's own address, which is how Prometheus calls it."""
        headers = {"Host": f"127.0.0.1:{served.port}"}
        if served.settings.authentication.kind == "basic":
            assert served.get("/metrics", headers["Host"]) == 401
            headers |= served.login
        url = f"http://127.0.0.1:{served.port}/metrics"
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read().decode()
        assert names_asked_for(served.settings) <= names_exposed(text)
        assert 'le="10.0",method="POST"' in text
        assert 'status="200"' in text

    def test_retention_removes_what_was_deleted_long_ago(
        self, served: Served, postgres: ThrowawayPostgres
    ) -> None:
        """The CronJob as deployed: with its run goes the artifact, through the server."""
        runs = "/api/2.0/mlflow/runs"
        keys: dict[str, str] = {}
        for kind in ("old", "recent", "live"):
            made = served.send("POST", f"{runs}/create", b'{"experiment_id": "0"}')["run"]["info"]
            path = made["artifact_uri"].removeprefix("mlflow-artifacts:/")
            served.send("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}/m", b"weights")
            keys[kind] = f"artifacts/{path}/m"
            if kind != "live":
                run_id = json.dumps({"run_id": made["run_id"]}).encode()
                served.send("POST", f"{runs}/delete", run_id)
            if kind == "old":
                past = (
                    time.time() - 86_400 * (served.settings.kubernetes.retention.days + 1)
                ) * 1e3
                postgres.query(
                    "runs",
                    "UPDATE runs SET deleted_time = %s WHERE run_uuid = %s",
                    int(past),
                    made["run_id"],
                )
        done = served.retention.run("127.0.0.1")
        assert done.returncode == 0, done.stdout + done.stderr
        listed = served.cloud.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
        there = {item["Key"] for item in listed}
        assert {kind for kind, key in keys.items() if key in there} == {"recent", "live"}
        left = "SELECT count(*) FROM runs WHERE run_uuid = %s"
        assert postgres.query("runs", left, keys["old"].split("/")[2]) == [(0,)]
        assert postgres.query("runs", left, keys["recent"].split("/")[2]) == [(1,)]

    def test_it_goes_within_its_grace_period(self, served: Served) -> None:
        spec_seconds = 1 + served.settings.server.grace_seconds + 10
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(timeout=spec_seconds) == 0


def names_asked_for(settings: PlatformSettings) -> set[str]:
    """Metrics in the alerts' expressions; `up` is Prometheus' own."""
    import re

    text = " ".join(alert.expression for alert in alerts(settings))
    return set(re.findall(r"\bmlflow_\w+", text))


def names_exposed(text: str) -> set[str]:
    return {line.partition("{")[0].partition(" ")[0] for line in text.splitlines()}


def base64_of(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()
