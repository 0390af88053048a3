"""The server's command line and environment, word for word, for each way it can run."""

from __future__ import annotations

import configparser

import pytest

from infra.database_endpoint import DatabaseEndpoint
from infra.mlflow_server import MlflowServer
from tests.infra.stacks import DATABASE_URL, server, stack, wiring

PROCESSES = (
    *("--kind", "uvicorn", "--workers", "2", "--threads", "15"),
    *("--keep-alive-seconds", "75", "--drain-seconds", "0", "--grace-seconds", "30"),
    *("--database-wait-seconds", "90"),
)

LOOPBACK = "localhost,localhost:5000,127.0.0.1,127.0.0.1:5000,[::1],[::1]:5000"

ENVIRONMENT = {
    "MLFLOW_SERVER_ALLOWED_HOSTS": LOOPBACK,
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MALLOC_ARENA_MAX": "2",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_PLATFORM_TRACKING_STORE": "fast",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "1800",
}

OF_A_DATABASE = {
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "10",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "20",
    "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": "1800",
    "PGOPTIONS": "-c statement_timeout=30s",
    "PGPASSFILE": "/srv/pgpass",
}


def option(rendered: MlflowServer, name: str) -> str:
    """The value that follows an option."""
    return rendered.command[rendered.command.index(name) + 1]


class TestTheLocalServer:
    """What `make up` runs."""

    def test_command(self) -> None:
        assert server(wired=wiring(prometheus_dir="/srv/prometheus")).command == (
            *("python", "-m", "mlflow_platform_server", "serve"),
            *("--backend-store-uri", DATABASE_URL),
            *("--host", "127.0.0.1", "--port", "5000"),
            *PROCESSES,
            *("--serve-artifacts", "--artifacts-destination", "/srv/artifacts"),
            *("--expose-prometheus", "/srv/prometheus"),
        )

    def test_environment(self) -> None:
        assert server().environment == {**ENVIRONMENT, **OF_A_DATABASE}

    def test_it_needs_no_secret_variable(self) -> None:
        assert server().secret_environment == ()
        assert server().auth_config is None

    def test_the_migration_is_about_the_same_store(self) -> None:
        assert server().migration_command == (
            *("python", "-m", "mlflow_platform_server", "migrate"),
            *("--schema-tuning", "on", "--backend-store-uri", DATABASE_URL),
        )

    def test_a_schema_left_as_mlflow_made_it(self) -> None:
        command = server(databaseTuning="false").migration_command
        assert command[command.index("--schema-tuning") + 1] == "off"


class TestAServerInACloud:
    """Nothing that a deployment still has to make stands in what is rendered before it."""

    PLACE = DatabaseEndpoint(host="", port=5432, name="mlflow", user="mlflow", ssl_mode="require")

    def test_the_databases_host_is_left_to_the_environment(self) -> None:
        rendered = server(target="aws", wired=wiring(backend_store=self.PLACE, password_file=None))
        url = option(rendered, "--backend-store-uri")
        assert url.startswith("postgresql+psycopg://mlflow@/mlflow?")
        assert url.endswith("&sslmode=require")
        assert rendered.secret_environment == ("PGPASSWORD",)
        assert "PGHOST" not in rendered.environment

    @pytest.mark.parametrize("cloud", ["aws", "google"])
    def test_a_token_instead_of_a_password(self, cloud: str) -> None:
        rendered = server(
            target="aws",
            wired=wiring(backend_store=self.PLACE, password_file=None, database_login=cloud),
        )
        assert option(rendered, "--database-login") == cloud
        assert rendered.secret_environment == ()
        assert rendered.migration_command == (
            *("python", "-m", "mlflow_platform_server", "migrate"),
            *("--schema-tuning", "on", "--database-login", cloud),
            *("--backend-store-uri", self.PLACE.url()),
        )

    def test_no_token_unless_asked_for(self) -> None:
        assert "--database-login" not in server().command


class TestShutdown:
    """The process and whoever stops it wait for the same time."""

    @pytest.mark.parametrize(
        ("target", "drain", "grace", "whole"),
        [("local", 0, 30, 35), ("aws", 10, 30, 45), ("gcp", 0, 8, 13)],
    )
    def test_draining_then_what_is_in_flight_then_the_end(
        self, target: str, drain: int, grace: int, whole: int
    ) -> None:
        rendered = server(target=target)
        assert option(rendered, "--drain-seconds") == str(drain)
        assert option(rendered, "--grace-seconds") == str(grace)
        assert (rendered.drain_seconds, rendered.graceful_shutdown_seconds) == (drain, whole)


class TestEachSettingHasItsPlace:
    """A setting changes the part of the definition that it is about, and no other."""

    @pytest.mark.parametrize(
        ("key", "value", "flag"),
        [
            ("serverKind", "gunicorn", "--kind"),
            ("serverHost", "::1", "--host"),
            ("serverPort", "5001", "--port"),
            ("serverWorkers", "3", "--workers"),
            ("serverThreads", "7", "--threads"),
            ("serverKeepAliveSeconds", "5", "--keep-alive-seconds"),
            ("serverDrainSeconds", "4", "--drain-seconds"),
            ("serverGraceSeconds", "9", "--grace-seconds"),
        ],
    )
    def test_an_option_of_the_process(self, key: str, value: str, flag: str) -> None:
        assert option(server({key: value}), flag) == value

    def test_an_access_log_is_asked_for(self) -> None:
        assert "--access-log" in server(serverAccessLog="true").command
        assert "--access-log" not in server().command

    def test_a_static_prefix(self) -> None:
        assert option(server(serverStaticPrefix="/mlflow"), "--static-prefix") == "/mlflow"
        assert "--static-prefix" not in server().command

    def test_artifacts_past_the_server(self) -> None:
        rendered = server(
            serveArtifacts="false",
            artifactStore="s3://team-mlflow/artifacts",
            wired=wiring(artifact_root="s3://team-mlflow/artifacts"),
        )
        assert "--no-serve-artifacts" in rendered.command
        assert option(rendered, "--default-artifact-root") == "s3://team-mlflow/artifacts"
        assert not {"--serve-artifacts", "--artifacts-destination"} & set(rendered.command)

    def test_a_registry_in_another_database_of_the_same_server(self) -> None:
        rendered = server(
            backendStoreUri="postgresql://me@db.internal:6432/runs?sslmode=require",
            registryStoreUri="postgres://me@db.internal:6432/models",
            wired=wiring(
                backend_store=DatabaseEndpoint(
                    host="db.internal", port=6432, name="runs", user="me", ssl_mode="require"
                )
            ),
        )
        url = option(rendered, "--registry-store-uri")
        assert url.startswith("postgresql+psycopg://me@db.internal:6432/models?")
        assert url.endswith("&sslmode=require")

    def test_a_registry_in_a_file(self) -> None:
        rendered = server(registryStoreUri="sqlite:////srv/registry.db")
        assert option(rendered, "--registry-store-uri") == "sqlite:////srv/registry.db"

    def test_the_registry_is_in_the_backend_store(self) -> None:
        assert "--registry-store-uri" not in server().command

    def test_no_counters_for_prometheus(self) -> None:
        rendered = server(prometheusEnabled="false", wired=wiring(prometheus_dir="/srv/prometheus"))
        assert "--expose-prometheus" not in rendered.command

    @pytest.mark.parametrize(
        ("key", "value", "variable", "rendered"),
        [
            ("poolMaxOverflow", "70", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW", "70"),
            ("poolRecycleSeconds", "600", "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE", "600"),
            ("serverQueryTimeoutSeconds", "7", "PGOPTIONS", "-c statement_timeout=7s"),
            ("serverJobExecution", "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "true"),
            ("serverTrackingStore", "mlflow", "MLFLOW_PLATFORM_TRACKING_STORE", "mlflow"),
            (
                "serverArtifactTimeoutSeconds",
                "3600",
                "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT",
                "3600",
            ),
            (
                "allowedHosts",
                '["mlflow.internal"]',
                "MLFLOW_SERVER_ALLOWED_HOSTS",
                f"{LOOPBACK},mlflow.internal,mlflow.internal:5000",
            ),
            (
                "corsAllowedOrigins",
                '["https://a.example", "https://b.example"]',
                "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
                "https://a.example,https://b.example",
            ),
        ],
    )
    def test_a_variable(self, key: str, value: str, variable: str, rendered: str) -> None:
        changed = server({key: value}).environment
        assert changed.items() - server().environment.items() == {(variable, rendered)}


class TestBasicAuthentication:
    """Users are kept in the database; the file that says so holds no password."""

    def test_command_and_environment(self) -> None:
        rendered = server(authentication="basic", authAdminUsername="root")
        assert option(rendered, "--app-name") == "basic-auth"
        assert rendered.environment == {
            **ENVIRONMENT,
            **OF_A_DATABASE,
            "MLFLOW_AUTH_CONFIG_PATH": "/srv/basic_auth.ini",
            "MLFLOW_AUTH_ADMIN_USERNAME": "root",
        }
        assert rendered.secret_environment == (
            "MLFLOW_FLASK_SERVER_SECRET_KEY",
            "MLFLOW_AUTH_ADMIN_PASSWORD",
        )

    def test_the_file(self) -> None:
        rendered = server(authentication="basic", authCacheTtlSeconds="7")
        assert rendered.auth_config == (
            "[mlflow]\n"
            "default_permission = READ\n"
            f"database_uri = {DATABASE_URL}\n"
            "auth_cache_ttl_seconds = 7\n"
        )

    def test_a_name_with_a_percent_sign_in_its_url_survives_the_file(self) -> None:
        store = DatabaseEndpoint(host="db", port=5432, name="mlflow", user="mlflow@server")
        rendered = server(authentication="basic", wired=wiring(backend_store=store))
        read = configparser.ConfigParser()
        read.read_string(rendered.auth_config or "")
        assert read["mlflow"]["database_uri"] == store.url()
        assert "mlflow%40server" in store.url()

    def test_it_is_not_rendered_without_a_place_for_its_file(self) -> None:
        with pytest.raises(
            ValueError, match=r"^basic authentication needs a place for its configuration file$"
        ):
            server(authentication="basic", wired=wiring(auth_config_file=None))


class TestASqliteFile:
    """A file has no password, and a pool that can run dry like any other."""

    def test_command_and_environment(self) -> None:
        uri = "sqlite:////srv/mlflow.db"
        rendered = server(backendStoreUri=uri, wired=wiring(backend_store=uri, password_file=None))
        assert option(rendered, "--backend-store-uri") == uri
        assert option(rendered, "--workers") == "1"
        pool = {
            "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "10",
            "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "20",
            "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": "1800",
        }
        assert rendered.environment == ENVIRONMENT | pool
        assert rendered.secret_environment == ()
        assert rendered.migration_command[-1] == uri


class TestPoolNumbersCount:
    """MLflow takes 0 for "not set", so 0 is never rendered."""

    @pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
    @pytest.mark.parametrize("size", ["1", "10", "29", "30", "500", "auto"])
    def test_never_zero(self, kind: str, size: str) -> None:
        environment = server(serverKind=kind, poolSize=size).environment
        assert int(environment["MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"]) >= 1
        assert int(environment["MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW"]) >= 1

    def test_they_are_the_settings(self) -> None:
        settings = stack(poolSize="30", poolMaxOverflow="55")
        assert (settings.pool.size, settings.pool.max_overflow) == (30, 55)
