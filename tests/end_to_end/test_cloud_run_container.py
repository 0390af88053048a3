"""The container that Cloud Run would start, started: it serves, and large artifacts pass it by.

Command, environment and secrets are those of the deployed Service and Job, as the simulated cloud
keeps them. PostgreSQL is real; the bucket is a server of Cloud Storage's protocol; in front of it
stand IAM's check and the limit of 32 MiB. Two words differ from what is deployed: the port, since
a process has no network of its own as a container has, and `sslmode=require`, since the wheel's
PostgreSQL is built without TLS.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gcp_storage_emulator.server import create_server

import simulated_cloud
from benchmarks.throwaway_postgres import ThrowawayPostgres, free_port
from tests.client.google_endpoints import Google
from tests.client.google_endpoints import token as token_for
from tests.end_to_end.cloud_run_frontend import LARGEST_REQUEST, CloudRunFrontend, in_front_of
from tests.end_to_end.stack_on_cloud import ROOT, StackOnCloud

pytestmark = pytest.mark.slow

SERVICE = "gcp:cloudrunv2/service:Service"
JOB = "gcp:cloudrunv2/job:Job"
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"

STARTUP_SECONDS = 120

LARGE = 40 * 2**20
"""Bytes of an artifact that Cloud Run would answer 413 to."""


@dataclass
class Container:
    """A container's definition, and what stands around it on this machine."""

    definition: dict[str, Any]
    secrets: dict[str, str]  # by secret and version
    outside: dict[str, str]  # what differs from Google's machines
    port: int
    scratch: Path

    @property
    def command(self) -> list[str]:
        words = [self._here(word) for word in self.definition["commands"]]
        assert words[0] == "python"
        if "--port" in words:
            words[words.index("--port") + 1] = str(self.port)
        return [sys.executable, *words[1:]]

    @property
    def environment(self) -> dict[str, str]:
        values = {item["name"]: self._value(item) for item in self.definition["envs"]}
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "image"),
            **values,
            **self.outside,
        }

    def _value(self, item: dict[str, Any]) -> str:
        if "value" in item:
            return self._here(str(item["value"]))
        reference = item["valueSource"]["secretKeyRef"]
        return self.secrets[f"{reference['secret']}/{reference['version']}"]

    def _here(self, word: str) -> str:
        return word.replace("sslmode=require", "sslmode=disable").replace(
            "/tmp/prometheus",
            str(self.scratch),
        )


@dataclass
class Deployed:
    """What the simulated cloud was told to run."""

    service: Container
    migration: Container
    host: str
    bucket: str


@pytest.fixture(scope="module")
def bucket_server() -> Iterator[Any]:
    server = create_server("127.0.0.1", free_port(), in_memory=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def google() -> Iterator[Google]:
    """The metadata server, which gives callers their tokens."""
    server = Google()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, bucket_server: Any) -> Iterator[Deployed]:
    """The stack gcp-dev, with a database and a bucket on this machine."""
    folder = tmp_path_factory.mktemp("cloud-run")
    port = free_port()
    with simulated_cloud.running(folder / "cloud") as cloud, ThrowawayPostgres() as postgres:
        stack = StackOnCloud("gcp-dev", cloud, folder / "state")
        stack.up()
        store = cloud.store("gcp")
        (service,) = store.list(SERVICE).values()
        (job,) = store.list(JOB).values()
        secrets = {
            f"{identity.split('/secrets/')[1].replace('/versions/', '/')}": values["secretData"]
            for identity, values in store.list(VERSION).items()
        }
        postgres.create("mlflow")
        outputs = stack.outputs()
        outside = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres.port),
            "STORAGE_EMULATOR_HOST": emulator_address(bucket_server),
            "NO_GCE_CHECK": "true",
        }
        scratch = folder / "prometheus"
        definitions = (
            service["template"]["containers"][0],
            job["template"]["template"]["containers"][0],
        )
        made = [Container(item, secrets, outside, port, scratch) for item in definitions]
        make_bucket(outputs["artifactBucket"], bucket_server)
        yield Deployed(
            service=made[0],
            migration=made[1],
            host=outputs["trackingUri"].removeprefix("https://"),
            bucket=outputs["artifactBucket"],
        )


def emulator_address(server: Any) -> str:
    return f"http://127.0.0.1:{server._api._port}"


def make_bucket(name: str, server: Any) -> None:
    request = urllib.request.Request(
        f"{emulator_address(server)}/storage/v1/b?project=p",
        data=json.dumps({"name": name}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


@pytest.fixture(scope="module")
def front(deployed: Deployed) -> Iterator[CloudRunFrontend]:
    """The service, migrated, started and behind Google's front end."""
    migration = deployed.migration
    done = subprocess.run(
        migration.command,
        env=migration.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    service = deployed.service
    service.scratch.mkdir()
    log = service.scratch.parent / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            service.command,
            env=service.environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_start(process, service, log)
        with in_front_of(service.port, deployed.host) as frontend:
            yield frontend
        process.send_signal(signal.SIGTERM)
        # Cloud Run kills it after ten seconds; a busy machine gets more.
        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for_start(process: subprocess.Popen[bytes], service: Container, log: Path) -> None:
    """Ask what the start-up probe asks, with its Host header."""
    probe = service.definition["startupProbe"]["httpGet"]
    headers = {item["name"]: item["value"] for item in probe["httpHeaders"]}
    url = f"http://127.0.0.1:{service.port}{probe['path']}"
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(log.read_text())


def caller(google: Google, **more: str) -> dict[str, str]:
    """The environment of a program on Google Cloud that calls the service."""
    metadata = dict.fromkeys(
        ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"), google.host
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "GOOGLE_"))}
    path = os.pathsep.join([str(ROOT), str(ROOT / "client")])
    return {**clean, **metadata, "PYTHONPATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", **more}


class TestContainer:
    """What is deployed is a server that works."""

    def test_four_stages(self, front: CloudRunFrontend, google: Google) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "smoke_tests", front.address, "--auth", "google", "--json"],
            cwd=ROOT,
            env=caller(google),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        stages = json.loads(done.stdout)["stages"]
        assert [stage["result"] for stage in stages] == ["passed"] * 4

    def test_nobody_without_a_token(self, front: CloudRunFrontend) -> None:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{front.address}/health", timeout=10)
        assert refused.value.code == 403
        refused.value.close()


UPLOAD = """
import hashlib, os, sys, tempfile
import mlflow
from mlflow.tracking.request_auth.registry import _request_auth_provider_registry as registry
from mlflow_platform_client.google_identity import GoogleIdentityProvider

registry.register(GoogleIdentityProvider)  # what installing the client's package does
size, digest = int(sys.argv[1]), hashlib.sha256()
with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
    path = os.path.join(folder, "model.bin")
    with open(path, "wb") as file:
        for _ in range(size // 2**20):
            block = os.urandom(2**20)
            digest.update(block)
            file.write(block)
    mlflow.log_artifact(path, "model")
    mlflow.log_metric("accuracy", 0.9)
    back = mlflow.artifacts.download_artifacts(
        run_id=run.info.run_id, artifact_path="model/model.bin", dst_path=os.path.join(folder, "b")
    )
    with open(back, "rb") as file:
        same = hashlib.file_digest(file, "sha256").hexdigest() == digest.hexdigest()
    print(run.info.artifact_uri, os.path.getsize(back), same)
"""


class TestLargeArtifact:
    """A model that is larger than a request may be goes up and comes back byte for byte."""

    def test_goes_to_the_bucket_and_not_through_the_server(
        self, front: CloudRunFrontend, google: Google, deployed: Deployed
    ) -> None:
        front.largest = 0
        done = subprocess.run(
            [sys.executable, "-c", UPLOAD, str(LARGE)],
            env=caller(
                google,
                MLFLOW_TRACKING_URI=front.address,
                MLFLOW_TRACKING_AUTH="mlflow-platform-google",
                STORAGE_EMULATOR_HOST=deployed.service.outside["STORAGE_EMULATOR_HOST"],
            ),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("gs://")]
        uri, size, same = line.split()
        assert uri.startswith(f"gs://{deployed.bucket}/")
        assert (int(size), same) == (LARGE, "True")
        assert 413 not in front.refused
        assert front.largest < 2**20

    def test_the_limit_is_real(self, front: CloudRunFrontend, google: Google) -> None:
        assert front.refusal(None, 0) == 403
        del google
        headers = {"Authorization": f"Bearer {token_for(front.address)}"}
        request = urllib.request.Request(
            f"{front.address}/api/2.0/mlflow-artifacts/artifacts/x",
            data=b"\0",
            headers={**headers, "Content-Length": str(LARGEST_REQUEST + 1)},
            method="PUT",
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code == 413
        refused.value.close()
