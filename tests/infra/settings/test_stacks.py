"""The stacks in this repository and the four scenarios load, read as an engine reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from infra.settings import PlatformSettings, load_settings
from infra.settings_declarations import NAMESPACE
from local_engine.project import config_strings, load_project, merge_project_config
from local_engine.stack_config import StackConfig

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples" / "settings"
PASSWORDS = {"MLFLOW_DB_PASSWORD": "hush-hush", "MLFLOW_ADMIN_PASSWORD": "correct horse battery"}


def load_stack(path: Path, environ: Mapping[str, str] | None = None) -> PlatformSettings:
    """A stack's settings: its file, Pulumi.yaml's defaults and types, then the program's rules."""
    stack = path.name.split(".")[1]
    config = StackConfig(path, NAMESPACE)
    merged = merge_project_config(load_project(ROOT / "Pulumi.yaml"), stack, config.values)
    values = {
        key.removeprefix(f"{NAMESPACE}:"): text
        for key, text in config_strings(merged).items()
        if key.startswith(f"{NAMESPACE}:")
    }
    return load_settings(values, stack=stack, environ=environ or {}, cores=2, encrypted=())


class TestStacks:
    """Every stack file of this repository passes Pulumi's types and our rules, without a notice."""

    @pytest.mark.parametrize(
        "path",
        [*sorted(ROOT.glob("Pulumi.*.yaml")), *sorted(EXAMPLES.glob("Pulumi.*.yaml"))],
        ids=lambda path: path.name,
    )
    def test_loads(self, path: Path) -> None:
        settings = load_stack(path, PASSWORDS)
        assert settings.notices == ()
        budget = settings.connection_budget
        assert budget is None or budget.fits_the_database

    def test_this_machine(self) -> None:
        settings = load_stack(ROOT / "Pulumi.local.yaml")
        assert (settings.target, settings.environment) == ("local", "local")
        assert settings.database.backend_store_uri == ""

    def test_dev_and_prod_read_side_by_side(self) -> None:
        def keys(name: str) -> list[str]:
            text = (ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8")
            return list(yaml.safe_load(text)["config"])

        assert keys("dev") == keys("prod")

    def test_dev_is_small_and_prod_is_not(self) -> None:
        dev, prod = (load_stack(ROOT / f"Pulumi.{name}.yaml") for name in ("dev", "prod"))
        assert dev.server.replicas == 1 < prod.server.replicas
        assert dev.database.max_connections < prod.database.max_connections
        assert (dev.environment, prod.environment) == ("dev", "prod")


class TestScenarios:
    """The four ways to run MLflow that the configuration guide names."""

    def test_local_development(self) -> None:
        """SQLite, a folder, one worker."""
        settings = load_stack(EXAMPLES / "Pulumi.local-development.yaml")
        assert settings.database.engine == "sqlite"
        assert settings.database.backend_store_uri == "sqlite:///.state/mlflow.db"
        assert settings.artifacts.store == ".state/mlflow-artifacts"
        assert settings.server.workers == 1

    def test_team_server(self) -> None:
        """The team's PostgreSQL, S3, a name of its own, a password to get in."""
        settings = load_stack(EXAMPLES / "Pulumi.team.yaml", PASSWORDS)
        assert settings.server.tracking_uri == "http://mlflow.team.internal:5000"
        assert settings.database.backend_store_uri == "postgresql://mlflow@db.internal:5432/mlflow"
        assert (settings.database.password, settings.database.ssl_mode) == ("hush-hush", "require")
        assert settings.artifacts.store == "s3://team-mlflow/artifacts/"
        assert settings.authentication.kind == "basic"
        assert settings.authentication.admin_password == "correct horse battery"
        assert settings.server.workers == 2

    def test_team_server_elsewhere(self) -> None:
        """Its database's place comes from the environment."""
        environ = PASSWORDS | {"MLFLOW_DB_HOST": "db2.internal", "MLFLOW_DB_PORT": "6432"}
        database = load_stack(EXAMPLES / "Pulumi.team.yaml", environ).database
        assert (database.host, database.port) == ("db2.internal", 6432)

    def test_production(self) -> None:
        """Database and artifacts are the platform's."""
        settings = load_stack(EXAMPLES / "Pulumi.production.yaml")
        assert settings.server.tracking_uri == "https://mlflow.company.com"
        assert settings.database.backend_store_uri == ""
        assert settings.artifacts.store == ""
        assert settings.authentication.admin_password is None

    def test_hybrid(self) -> None:
        """Served here, kept elsewhere, on an untouched PostgreSQL."""
        settings = load_stack(EXAMPLES / "Pulumi.hybrid.yaml", PASSWORDS)
        assert settings.server.tracking_uri == "http://localhost:5000"
        assert settings.database.host == "remote-db"
        assert settings.artifacts.store == "s3://mlflow-artifacts/"
        assert settings.server.workers == 2
        assert settings.database.max_connections == 100
