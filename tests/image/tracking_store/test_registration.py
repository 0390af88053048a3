"""Who builds the store: one variable decides, and an unknown MLflow is refused."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Metric
from mlflow.server import handlers
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.tracking.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore
from mlflow.tracking._tracking_service import utils

from mlflow_platform_server import tracking_store
from mlflow_platform_server.tracking_store import (
    FastTrackingStore,
    FastWorkspaceTrackingStore,
    UntestedMlflow,
    build,
    check_mlflow_version,
    register,
    store_class,
)
from tests.image.tracking_store.postgres import Postgres

IMAGE = Path(__file__).resolve().parents[3] / "image"


@pytest.fixture
def uri(postgres: Postgres) -> str:
    return postgres.uri(postgres.new_database())


class TestBuild:
    """`fast` on PostgreSQL through psycopg; MLflow's own store everywhere else."""

    @pytest.mark.parametrize(
        ("variable", "workspaces", "kind"),
        [
            ("fast", "false", FastTrackingStore),
            ("fast", "true", FastWorkspaceTrackingStore),
            ("mlflow", "false", SqlAlchemyStore),
            ("mlflow", "true", WorkspaceAwareSqlAlchemyStore),
            (None, "false", SqlAlchemyStore),
        ],
    )
    def test_kind(
        self,
        variable: str | None,
        workspaces: str,
        kind: type,
        uri: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv(tracking_store.VARIABLE, raising=False)
        if variable:
            monkeypatch.setenv(tracking_store.VARIABLE, variable)
        monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", workspaces)
        monkeypatch.setenv("MLFLOW_WORKSPACE", "default")
        store = build(uri, "s3://bucket/root")
        assert type(store) is kind
        assert store.artifact_root_uri == "s3://bucket/root"
        store.engine.dispose()

    @pytest.mark.parametrize("scheme", ["postgresql+psycopg2", "postgresql+pg8000"])
    def test_another_driver(self, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(tracking_store.VARIABLE, "fast")
        assert store_class(f"{scheme}://mlflow@db/mlflow") is SqlAlchemyStore
        assert store_class("postgresql+psycopg://mlflow@db/mlflow") is FastTrackingStore

    def test_another_database(self, tmp_path: Path) -> None:
        """The class itself, on a database it has no statements for, is MLflow's store."""
        store = FastTrackingStore(f"sqlite:///{tmp_path / 'store.db'}", "s3://bucket/root")
        run = store.create_run("0", "someone", 1, [], "run").info.run_id
        store.log_metric(run, Metric("loss", 1.0, 1, 1))
        assert store.get_run(run).data.metrics == {"loss": 1.0}
        store.engine.dispose()

    def test_artifact_root_of_the_server(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Code inside the server asks without one."""
        monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", "s3://bucket/of-the-server")
        store = build(uri)
        assert store.artifact_root_uri == "s3://bucket/of-the-server"
        store.engine.dispose()

    def test_one_pool_for_both_kinds(self, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The connection budget counts one pool for each process."""
        stock = SqlAlchemyStore(uri, "s3://bucket/root")
        assert FastTrackingStore(uri, "s3://bucket/root").engine is stock.engine
        stock.engine.dispose()


class TestRegister:
    """The registries of the server and of its inner client build through us."""

    def test_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        registries = (handlers._tracking_store_registry, utils._tracking_store_registry)
        for registry in registries:
            monkeypatch.setattr(registry, "_registry", dict(registry._registry))
        register()
        for registry in registries:
            assert registry._registry["postgresql"] is build
            assert registry._registry["sqlite"] is not build

    def test_entry_point(self) -> None:
        """What an installed package declares is the same function."""
        declared = (IMAGE / "pyproject.toml").read_text()
        value = "mlflow_platform_server.tracking_store:build"
        assert '[project.entry-points."mlflow.tracking_store"]' in declared
        assert f'postgresql = "{value}"' in declared
        assert EntryPoint("postgresql", value, "mlflow.tracking_store").load() is build


class TestVersion:
    """It repeats what one version of MLflow does, so another version is refused in a sentence."""

    MESSAGE = (
        "The fast tracking store was tested with MLflow 3.17.2 and this is 3.18.0: set "
        "mlflow-platform:serverTrackingStore to mlflow (variable MLFLOW_PLATFORM_TRACKING_STORE) "
        "for MLflow's own store, or install a version it was tested with"
    )

    def test_installed(self) -> None:
        check_mlflow_version()

    def test_refused_when_registering(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(tracking_store.VARIABLE, "fast")
        monkeypatch.setattr(mlflow, "__version__", "3.18.0")
        with pytest.raises(UntestedMlflow) as caught:
            register()
        assert str(caught.value) == self.MESSAGE

    def test_refused_when_building(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(tracking_store.VARIABLE, "fast")
        monkeypatch.setattr(mlflow, "__version__", "3.18.0")
        with pytest.raises(UntestedMlflow) as caught:
            build("postgresql+psycopg://mlflow@127.0.0.1:1/none", "s3://bucket/root")
        assert str(caught.value) == self.MESSAGE

    def test_not_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """MLflow's own store is there for every version."""
        monkeypatch.setenv(tracking_store.VARIABLE, "mlflow")
        monkeypatch.setattr(mlflow, "__version__", "3.18.0")
        register()
