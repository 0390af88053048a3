"""A stack on Google Cloud, broken in what Google's APIs say of it, and named."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from infra.outputs import PlatformOutputs
from infra.settings import PlatformSettings
from tests.end_to_end.stack_on_cloud import ROOT
from tests.infra.stacks import stack
from tests.operations.doctor.conftest import Examine, Pass, outputs_of
from tests.operations.doctor.google_stand_in import GoogleStandIn, google

NAME = "mlops-platform-dev-mlflow"
PROJECT = "mlops-platform-dev"
PLACE = f"v2/projects/{PROJECT}/locations/europe-west3/services/{NAME}"
INSTANCE = f"v1/projects/{PROJECT}/instances/{NAME}"
OPERATIONS = f"v1/projects/{PROJECT}/operations"
SERIES = f"v3/projects/{PROJECT}/timeSeries"
BUCKET = f"{NAME}-artifacts-210987654321"
SECRET = f"v1/projects/{PROJECT}/secrets/{NAME}-pgpassword/versions/1"
HOST = "cloud-sql.invalid"  # as good as a private address: nothing here leads to it
SERVER = f"mlflow-server-dev@{PROJECT}.iam.gserviceaccount.com"
PASSWORD = "the-password-of-the-database"


def utc(**ago: float) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(**ago)).isoformat()


def settings_of_the_stack() -> PlatformSettings:
    text = (ROOT / "Pulumi.gcp-dev.yaml").read_text()
    values: dict[str, Any] = yaml.safe_load(text)["config"]
    plain = {
        key.removeprefix("mlflow-platform:"): yaml.safe_dump(value, default_flow_style=True)
        .removesuffix("\n...\n")
        .strip()
        if isinstance(value, list)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
        for key, value in values.items()
        if key.startswith("mlflow-platform:")
    }
    lists = {key: "[]" for key in plain if plain[key].startswith("[")}
    return stack({**plain, **lists, "cloudRunInvokers": '["group:ml-team@example.com"]'})


@pytest.fixture
def cloud() -> Iterator[GoogleStandIn]:
    """A healthy stack, as Google describes one."""
    with google() as stand_in:
        put = stand_in.put
        put("cloudresourcemanager", f"v1/projects/{PROJECT}", {"lifecycleState": "ACTIVE"})
        put(
            "sqladmin",
            INSTANCE,
            {
                "state": "RUNNABLE",
                "databaseVersion": "POSTGRES_17",
                "ipAddresses": [{"type": "PRIVATE", "ipAddress": HOST}],
                "settings": {
                    "tier": "db-custom-1-3840",
                    "activationPolicy": "ALWAYS",
                    "dataDiskSizeGb": "20",
                    "storageAutoResize": True,
                    "storageAutoResizeLimit": "100",
                    "databaseFlags": [{"name": "max_connections", "value": "220"}],
                },
                "serverCaCert": {"expirationTime": utc(days=-3000)},
            },
        )
        done = {"operationType": "UPDATE", "status": "DONE", "startTime": utc(minutes=5)}
        put("sqladmin", OPERATIONS, {"items": [done]})
        put("monitoring", SERIES, lambda query, _: measured(query, disk=0.3, backends=12))
        put(
            "run",
            PLACE,
            {
                "terminalCondition": {"type": "Ready", "state": "CONDITION_SUCCEEDED"},
                "latestReadyRevision": f"{PLACE}/revisions/{NAME}-00002",
                "latestCreatedRevision": f"{PLACE}/revisions/{NAME}-00002",
                "template": {
                    "scaling": {"minInstanceCount": 1, "maxInstanceCount": 2},
                    "serviceAccount": SERVER,
                    "containers": [
                        {
                            "env": [
                                {"name": "PLAIN", "value": "shown to nobody"},
                                {
                                    "name": "PGPASSWORD",
                                    "valueSource": {
                                        "secretKeyRef": {
                                            "secret": f"{NAME}-pgpassword",
                                            "version": "1",
                                        }
                                    },
                                },
                            ]
                        }
                    ],
                },
            },
        )
        put(
            "storage",
            f"storage/v1/b/{BUCKET}",
            {"iamConfiguration": {"publicAccessPrevention": "enforced"}},
        )
        writer = {"role": "roles/storage.objectUser", "members": [f"serviceAccount:{SERVER}"]}
        put("storage", f"storage/v1/b/{BUCKET}/iam", {"bindings": [writer]})
        put("secretmanager", SECRET, {"state": "ENABLED"})
        data = base64.b64encode(PASSWORD.encode()).decode()
        put("secretmanager", f"{SECRET}:access", {"payload": {"data": data}})
        fine = {"timestamp": utc(minutes=1), "textPayload": "INFO all is well"}
        put("logging", "v2/entries:list", {"entries": [fine]})
        yield stand_in


def measured(query: str, *, disk: float, backends: int) -> dict[str, Any]:
    if "disk" in query:
        return {"timeSeries": [{"points": [{"value": {"doubleValue": disk}}]}]}
    halves = [{"points": [{"value": {"int64Value": str(backends // 2)}}]}] * 2
    return {"timeSeries": halves}


Look = Callable[..., Pass]


@pytest.fixture
def outputs() -> PlatformOutputs:
    return outputs_of(
        target="gcp",
        environment="dev",
        tracking_uri="http://127.0.0.1:1",
        region="europe-west3",
        account=PROJECT,
        artifact_root=f"gs://{BUCKET}",
        artifact_bucket=BUCKET,
        service_name=NAME,
        database_identifier=NAME,
        database_host=HOST,
        database_password=PASSWORD,
    )


@pytest.fixture
def look(cloud: GoogleStandIn, outputs: PlatformOutputs, examine: Examine) -> Look:
    return lambda *argv: examine(outputs, settings_of_the_stack(), *argv, environ=cloud.environ)


def failures(found: Pass) -> list[str]:
    """What is broken on Google's side: no server of the stack answers here."""
    return [name for name in found.failed if name.startswith(("gcp.", "logs."))]


class TestUntouched:
    """A healthy stack has no finding on Google's side, and a closed database is none."""

    def test_no_finding(self, look: Look) -> None:
        found = look()
        assert failures(found) == []
        names = [name for name in found.records if name.startswith("gcp.")]
        assert {found.status(name) for name in names} == {"passed"}, found.records
        assert found.status("database.login") == "not_run"
        assert "private network" in found.evidence("database.login")
        assert PASSWORD not in found.ran.out


class TestBroken:
    """Each change is named, and nothing else is."""

    @pytest.mark.parametrize(
        ("change", "evidence"),
        [
            ({"state": "SUSPENDED"}, f"{NAME} is SUSPENDED"),
            ({"state": "PENDING_DELETE"}, f"{NAME} is PENDING_DELETE"),
            (
                {"settings": {"activationPolicy": "NEVER"}},
                f"{NAME} is stopped (activationPolicy NEVER)",
            ),
            (
                {"ipAddresses": [{"ipAddress": "10.9.9.9"}]},
                f"{NAME} answers at 10.9.9.9, the stack says {HOST}",
            ),
        ],
    )
    def test_the_instance(
        self, cloud: GoogleStandIn, look: Look, change: dict[str, Any], evidence: str
    ) -> None:
        document = cloud.documents[f"sqladmin/{INSTANCE}"]
        settings = {**document["settings"], **change.get("settings", {})}
        cloud.put("sqladmin", INSTANCE, {**document, **change, "settings": settings})
        found = look()
        assert failures(found) == ["gcp.database"]
        assert found.evidence("gcp.database") == evidence

    def test_the_instance_is_gone(self, cloud: GoogleStandIn, look: Look) -> None:
        del cloud.documents[f"sqladmin/{INSTANCE}"]
        found = look()
        assert failures(found) == ["gcp.database"]
        assert found.evidence("gcp.storage") == (
            "Cloud SQL does not describe the instance: see gcp.database"
        )

    def test_an_operation_failed(self, cloud: GoogleStandIn, look: Look) -> None:
        broken = {
            "operationType": "UPDATE",
            "status": "DONE",
            "user": "somebody@example.com",
            "startTime": utc(minutes=9),
            "error": {"errors": [{"code": "ERROR", "message": "disk could not grow"}]},
        }
        old = {**broken, "startTime": utc(days=2)}
        cloud.put("sqladmin", OPERATIONS, {"items": [old]})
        assert failures(look()) == []
        cloud.put("sqladmin", OPERATIONS, {"items": [broken, old]})
        found = look()
        assert failures(found) == ["gcp.events"]
        assert found.evidence("gcp.events").endswith("by somebody@example.com: disk could not grow")

    def test_a_full_disk(self, cloud: GoogleStandIn, look: Look) -> None:
        full: Any = lambda query, _: measured(query, disk=0.96, backends=12)  # noqa: E731
        cloud.put("monitoring", SERIES, full)
        assert failures(look()) == []  # it grows by itself
        cloud.documents[f"sqladmin/{INSTANCE}"]["settings"]["dataDiskSizeGb"] = "100"
        found = look()
        assert failures(found) == ["gcp.storage"]
        assert found.evidence("gcp.storage") == "96% of 100 GB used, grows up to 100 GB"

    def test_connections(self, cloud: GoogleStandIn, look: Look) -> None:
        many: Any = lambda query, _: measured(query, disk=0.3, backends=218)  # noqa: E731
        cloud.put("monitoring", SERIES, many)
        found = look()
        assert failures(found) == ["gcp.connections"]
        assert found.evidence("gcp.connections").startswith("218 of 220 connections: ")

    def test_the_flag_is_gone(self, cloud: GoogleStandIn, look: Look) -> None:
        cloud.documents[f"sqladmin/{INSTANCE}"]["settings"]["databaseFlags"] = []
        found = look()
        assert failures(found) == ["gcp.connections"]
        assert found.evidence("gcp.connections") == (
            "max_connections is not set, the stack was checked for 220"
        )

    def test_the_certificate_ends(self, cloud: GoogleStandIn, look: Look) -> None:
        ends = {"expirationTime": utc(days=-10)}
        cloud.documents[f"sqladmin/{INSTANCE}"]["serverCaCert"] = ends
        assert failures(look()) == ["gcp.database_certificate"]

    def test_the_new_revision_does_not_start(self, cloud: GoogleStandIn, look: Look) -> None:
        document = cloud.documents[f"run/{PLACE}"]
        document["latestCreatedRevision"] = f"{PLACE}/revisions/{NAME}-00003"
        document["terminalCondition"] = {
            "state": "CONDITION_FAILED",
            "message": "The user-provided container failed to start and listen on the port",
        }
        found = look()
        assert failures(found) == ["gcp.service"]
        assert found.evidence("gcp.service") == (
            f"revision {NAME}-00003 does not serve, {NAME}-00002 does: The user-provided container "
            "failed to start and listen on the port"
        )
        assert found.follows("server.health") == "gcp.service"

    def test_no_instance_is_warm(self, cloud: GoogleStandIn, look: Look) -> None:
        cloud.documents[f"run/{PLACE}"]["template"]["scaling"] = {}
        found = look()
        assert failures(found) == ["gcp.service"]
        assert found.evidence("gcp.service") == "0 instances are kept warm, the stack wants 1"

    def test_the_service_is_gone(self, cloud: GoogleStandIn, look: Look) -> None:
        del cloud.documents[f"run/{PLACE}"]
        assert failures(look()) == ["gcp.service"]

    def test_the_bucket(self, cloud: GoogleStandIn, look: Look) -> None:
        iam = f"storage/storage/v1/b/{BUCKET}/iam"
        kept, cloud.documents[iam] = cloud.documents[iam], {"bindings": []}
        found = look()
        assert failures(found) == ["gcp.bucket"]
        assert found.evidence("gcp.bucket") == f"{SERVER} has no role on {BUCKET}"
        cloud.documents[iam] = kept
        cloud.documents[f"storage/storage/v1/b/{BUCKET}"]["iamConfiguration"] = {}
        assert look().evidence("gcp.bucket") == f"{BUCKET}: public access prevention is off"
        del cloud.documents[f"storage/storage/v1/b/{BUCKET}"]
        assert look().evidence("gcp.bucket") == f"Cloud Storage knows no bucket {BUCKET}"

    def test_the_secret(self, cloud: GoogleStandIn, look: Look) -> None:
        other = base64.b64encode(b"rotated-without-the-database").decode()
        cloud.put("secretmanager", f"{SECRET}:access", {"payload": {"data": other}})
        found = look()
        assert failures(found) == ["gcp.secret"]
        assert "rotated-without-the-database" not in found.ran.out
        cloud.put("secretmanager", SECRET, {"state": "DISABLED"})
        assert look().evidence("gcp.secret") == (
            f"version 1 of secret {NAME}-pgpassword is DISABLED"
        )

    def test_the_logs(self, cloud: GoogleStandIn, look: Look) -> None:
        line = {"timestamp": utc(minutes=2), "textPayload": "psycopg.OperationalError: timeout"}
        cloud.put("logging", "v2/entries:list", {"entries": [line]})
        found = look()
        assert failures(found) == ["logs.operational_error"]

    def test_nobody_we_know(self, cloud: GoogleStandIn, look: Look) -> None:
        for service in ("cloudresourcemanager", "sqladmin", "run", "storage", "logging"):
            cloud.refused[service] = 403
        found = look()
        assert failures(found) == ["gcp.account"]
        assert "gcp.account" in found.roots
        assert found.status("gcp.database") == "not_run"
