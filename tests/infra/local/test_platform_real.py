"""The platform on one machine, with the real supervisord, PostgreSQL and MLflow server."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from infra.database_tuning import parameters
from infra.local import leftovers
from infra.local.local_platform import DATABASE_MEMORY_MIB
from infra.local.postgres_database import Login
from infra.local.postgres_server import PostgresServer
from infra.local.server_process import ServerProcess
from infra.local.supervision import Supervision
from tests.infra.local.conftest import RealPlatform, descendants, wait_until
from tests.infra.stacks import stack

pytestmark = pytest.mark.slow


def call(platform: RealPlatform, path: str, **body: Any) -> dict[str, Any]:
    """One call of MLflow's REST API; retried by nobody."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{platform.server_port}/api/2.0/mlflow/{path}",
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def serves(platform: RealPlatform) -> bool:
    try:
        call(platform, "experiments/search?max_results=1")
    except OSError:
        return False
    return True


def process(platform: RealPlatform, words: str) -> psutil.Process:
    """The one process of the stack whose command line holds `words`."""
    return next(p for p in descendants(platform.layout) if words in " ".join(p.cmdline()))


def supervised(platform: RealPlatform) -> dict[str, int]:
    supervision = Supervision(platform.layout)
    reports = {name: supervision.report(name) for name in ("postgresql", "mlflow")}
    return {name: report.pid for name, report in reports.items() if report}


def orphans(platform: RealPlatform) -> set[int]:
    """Processes of the stack that its supervisord does not look after."""
    server, database = ServerProcess(platform.server()), PostgresServer(platform.database())
    found = [*leftovers.find(server.trace), *leftovers.find(database.trace)]
    return {p.pid for p in found} - {p.pid for p in descendants(platform.layout)}


class TestASecondUp:
    """Nothing changes and no process is restarted when nothing changed."""

    def test_every_resource_stays(self, platform: RealPlatform) -> None:
        before = supervised(platform)
        assert set(platform.up().values()) == {"same"}
        assert supervised(platform) == before

    def test_creating_again_adopts_what_an_interrupted_up_left(
        self, platform: RealPlatform
    ) -> None:
        before = supervised(platform)["mlflow"]
        provider, props = platform.resources()["server"]
        provider.create(dict(props))
        assert supervised(platform)["mlflow"] == before


class TestASettingOfTheServer:
    """A changed pool is an update of the server alone, and the running server uses it."""

    def test_only_the_server_is_updated(self, platform: RealPlatform) -> None:
        database = supervised(platform)["postgresql"]
        platform.pool_size += 7
        done = platform.up()
        assert done.pop("server") == "update"
        assert set(done.values()) == {"same"}
        assert supervised(platform)["postgresql"] == database
        environment = process(platform, "mlflow_platform_server serve").environ()
        assert environment["MLFLOW_SQLALCHEMYSTORE_POOL_SIZE"] == str(platform.pool_size)


class TestKilled:
    """What is killed comes back by itself, and what was acknowledged is still there."""

    @pytest.mark.parametrize(
        ("program", "victim"),
        [
            ("mlflow", "-m mlflow_platform_server"),
            ("postgresql", "/bin/postgres -D"),
        ],
    )
    def test_served_again_with_every_metric(
        self, platform: RealPlatform, program: str, victim: str
    ) -> None:
        experiment = call(platform, "experiments/search?max_results=1")["experiments"][0]
        run = call(platform, "runs/create", experiment_id=experiment["experiment_id"])
        run_id = run["run"]["info"]["run_id"]
        for step in range(5):
            call(
                platform, "runs/log-metric", run_id=run_id, key="m", value=1, timestamp=1, step=step
            )
        before = supervised(platform)[program]
        process(platform, victim).kill()
        # Not merely "it answers": for a moment, what the killed process left behind does.
        wait_until(lambda: supervised(platform)[program] not in (0, before))
        wait_until(lambda: not orphans(platform))
        wait_until(lambda: serves(platform))
        history = call(platform, f"metrics/get-history?run_id={run_id}&metric_key=m")["metrics"]
        assert len(history) == 5
        wait_until(lambda: not platform.drift())


class TestAnIndexDropped:
    """An index of the migration that somebody dropped is drift, and the next `up` makes it anew."""

    def test_it_is_back(self, platform: RealPlatform) -> None:
        before = supervised(platform)["mlflow"]
        props = platform.resources()["schema"][1]
        store = props["store"].replace("+psycopg", "", 1)
        index = "mlflow_platform_model_versions_run"
        with psycopg.connect(store, passfile=props["password_file"], autocommit=True) as connection:
            connection.execute(f"DROP INDEX {index}")
            found = f"{props['revision']} without {index}"
            assert platform.drift() == {"schema": {"revision": found}}
            done = platform.up()
            assert done.pop("schema") == "update"
            assert set(done.values()) == {"same"}
            asked = connection.execute("SELECT to_regclass(%s)", [index]).fetchone()
        assert asked == (index,)
        assert platform.drift() == {}
        assert supervised(platform)["mlflow"] == before


class TestStopped:
    """What somebody stopped is drift, and the next `up` repairs it and nothing else."""

    def test_server(self, platform: RealPlatform) -> None:
        server = ServerProcess(platform.server())
        server.supervision.stop("mlflow", server.trace)
        assert platform.drift() == {"server": {"state": "stopped"}}
        done = platform.up()
        assert done.pop("server") == "update"
        assert set(done.values()) == {"same"}
        assert serves(platform)

    def test_supervisor_killed_leaves_no_process_twice(self, platform: RealPlatform) -> None:
        before = supervised(platform)
        supervisord = psutil.Process(before["mlflow"]).parent()
        assert supervisord is not None
        supervisord.kill()
        supervisord.wait(10)
        assert serves(platform)  # what ran goes on
        assert platform.drift() == {
            "supervisor": {"state": "stopped"},
            "database": {"state": "unsupervised"},
            "server": {"state": "unsupervised"},
        }
        platform.up()
        assert platform.drift() in ({}, {"server": {"state": "starting"}})
        assert not any(psutil.pid_exists(pid) for pid in before.values())
        assert orphans(platform) == set()

    def test_removed_password_file_is_written_again(self, platform: RealPlatform) -> None:
        platform.layout.password_file.unlink()
        assert platform.drift() == {"password_file": "gone"}
        assert platform.up()["password_file"] == "create"
        assert platform.drift() == {}


class TestSecrets:
    """No password stands in an argument list, in a log or in supervisord's configuration."""

    def test_arguments_logs_and_configuration(self, platform: RealPlatform) -> None:
        secrets = (platform.password, platform.superuser_password, "the-session-key")
        seen = [" ".join(p.cmdline()) for p in descendants(platform.layout)]
        files = [*platform.layout.logs.iterdir(), *platform.layout.run.rglob("*.conf")]
        seen += [path.read_text(errors="replace") for path in files if path.is_file()]
        assert len(seen) > 8
        assert not [text for text in seen for secret in secrets if secret in text]

    def test_everything_is_for_its_owner_alone(self, platform: RealPlatform) -> None:
        assert not [
            path
            for path in [platform.layout.root, *platform.layout.run.rglob("*")]
            if path.stat().st_mode & 0o077
        ]


class TestPostgreSql:
    """Durable, on loopback only, by password only, never as root."""

    def test_settings_of_the_running_server(self, platform: RealPlatform) -> None:
        wanted = {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "wal_compression": "pglz",
        }
        superuser = self.login(platform, "postgres", platform.superuser_password)
        with superuser.connect() as connection:
            found = {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in wanted}
            shared = parameters(stack(), DATABASE_MEMORY_MIB)
            in_force = {
                name: connection.execute(
                    "SELECT setting FROM pg_settings WHERE name = %s", (name,)
                ).fetchone()[0]
                for name in shared
            }
        assert found == wanted
        assert in_force == shared

    def test_a_wrong_password_is_refused(self, platform: RealPlatform) -> None:
        assert self.login(platform).answer() == "accepts"
        assert self.login(platform, password="wrong").answer() == "refuses"
        assert self.login(platform, user="postgres").answer() == "refuses"

    def test_the_role_is_no_superuser(self, platform: RealPlatform) -> None:
        with self.login(platform).connect() as connection:
            row = connection.execute(
                "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'mlflow'"
            ).fetchone()
        assert row == (False, False, False)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges")
    def test_root_drops_to_a_user_with_no_more_than_reading(self, platform: RealPlatform) -> None:
        status = Path(f"/proc/{supervised(platform)['postgresql']}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in fields["Uid"].split("\t")
        assert int(fields["CapEff"], 16) & ~0b110 == 0  # DAC_OVERRIDE and DAC_READ_SEARCH at most
        assert fields["CapBnd"] == fields["CapEff"]

    def login(
        self, platform: RealPlatform, user: str = "mlflow", password: str | None = None
    ) -> Login:
        return Login(
            host="127.0.0.1",
            port=platform.database_port,
            user=user,
            password=platform.password if password is None else password,
            database="mlflow",
        )


class TestDestroyKeepsTheData:
    """`destroy` ends every process; the next `up` finds the data, whatever its passwords are."""

    def test_data_survives_with_new_passwords(self, platform: RealPlatform) -> None:
        run = call(platform, "experiments/create", name="kept across destroy")
        before = descendants(platform.layout)
        platform.down()
        assert not [p for p in before if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        assert not platform.layout.run.exists()
        platform.password = "another-role-password"
        platform.superuser_password = "another-superuser-password"
        assert set(platform.up().values()) == {"create"}
        found = call(platform, "experiments/get-by-name?experiment_name=kept%20across%20destroy")
        assert found["experiment"]["experiment_id"] == run["experiment_id"]
