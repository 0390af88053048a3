"""The stacks gcp-dev and gcp-prod are deployed, drift, are repaired and go, leaving nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import simulated_cloud
from simulated_cloud import SimulatedCloud
from tests.end_to_end.stack_on_cloud import EMBEDDED, NEEDS_PULUMI, PULUMI, StackOnCloud

INSTANCE = "gcp:sql/databaseInstance:DatabaseInstance"
BUCKET = "gcp:storage/bucket:Bucket"
SERVICE = "gcp:cloudrunv2/service:Service"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCloud]:
    with simulated_cloud.running(tmp_path_factory.mktemp("cloud")) as running:
        yield running


def unprotected(stack: StackOnCloud) -> None:
    """What whoever really wants to remove a production stack does first."""
    stack.run("state", "unprotect", "--all", "--yes")
    store = stack.cloud.store("gcp")
    for kind, identity, path in (
        (INSTANCE, "mlops-platform-prod-mlflow", ("deletionProtection",)),
        (INSTANCE, "mlops-platform-prod-mlflow", ("settings", "deletionProtectionEnabled")),
        (SERVICE, next(iter(store.list(SERVICE)), ""), ("deletionProtection",)),
    ):
        properties = store.get(kind, identity)
        if properties is None:
            continue
        target = properties
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = False
        store.put(kind, identity, properties)


class TestStacks:
    """Preview, up, an empty preview, drift found exactly, repaired, destroyed."""

    @pytest.mark.parametrize(
        ("name", "engine"),
        [
            ("gcp-dev", EMBEDDED),
            ("gcp-prod", EMBEDDED),
            pytest.param("gcp-dev", PULUMI, marks=NEEDS_PULUMI),
        ],
        ids=["gcp-dev", "gcp-prod", "gcp-dev-pulumi"],
    )
    def test_life(
        self, cloud: SimulatedCloud, tmp_path: Path, name: str, engine: Sequence[str]
    ) -> None:
        stack = StackOnCloud(name, cloud, tmp_path / "state").on(engine)
        environment = name.removeprefix("gcp-")
        base = f"mlops-platform-{environment}-mlflow"
        with stack.timed("preview"):
            foreseen = stack.preview()
        assert set(foreseen) == {"create"}

        with stack.timed("up"):
            stack.up()
        with stack.timed("preview of no change"):
            assert stack.changed("--refresh") == {}
        assert stack.outputs()["artifactRoot"] == f"gs://{base}-artifacts-210987654321"

        store = cloud.store("gcp")
        instance = store.get(INSTANCE, base) or {}
        instance["settings"]["backupConfiguration"]["enabled"] = False
        store.put(INSTANCE, base, instance)
        bucket = store.get(BUCKET, f"{base}-artifacts-210987654321") or {}
        bucket["versioning"] = {"enabled": False}
        store.put(BUCKET, f"{base}-artifacts-210987654321", bucket)
        down = next(
            identity
            for identity, policy in store.list(POLICY).items()
            if policy["displayName"] == "MLflowDown"
        )
        store.remove(POLICY, down)

        with stack.timed("preview of drift"):
            assert stack.changed("--refresh") == {
                f"{base}-database-instance": ["settings.backupConfiguration.enabled"],
                f"{base}-artifacts-bucket": ["versioning.enabled"],
                f"{base}-alerts-MLflowDown": [],
            }
        with stack.timed("repair"):
            stack.up()
        assert stack.changed("--refresh") == {}

        if name == "gcp-prod":
            unprotected(stack)
        with stack.timed("destroy"):
            stack.destroy()
        assert cloud.store("gcp").kinds() == {}

    def test_production_is_not_destroyed_by_mistake(
        self, cloud: SimulatedCloud, tmp_path: Path
    ) -> None:
        stack = StackOnCloud("gcp-prod", cloud, tmp_path / "state")
        stack.up()
        stack.run("destroy", "--yes", "--skip-preview", expect=1)
        assert cloud.store("gcp").list(INSTANCE)
        assert cloud.store("gcp").list(BUCKET)
        cloud.store("gcp").clear()


class TestState:
    """Nothing secret stands in the state, and everything has its component for a parent."""

    def test_gcp_dev(self, cloud: SimulatedCloud, tmp_path: Path) -> None:
        stack = StackOnCloud("gcp-dev", cloud, tmp_path / "state")
        stack.up()
        password = stack.outputs()["databasePassword"]
        assert len(password) == 32
        files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if password in path.read_text(errors="replace")] == []
        orphans = [
            item["urn"]
            for item in stack.resources()
            if not item["type"].startswith("pulumi:")
            and item["type"] != "mlflow-platform:gcp:GcpPlatform"
            and "mlflow-platform:gcp:" not in item["parent"]
        ]
        assert orphans == []
        stack.destroy()
