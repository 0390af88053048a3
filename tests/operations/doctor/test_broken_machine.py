"""The stack on this machine is broken for real, piece by piece, and each piece is named."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from infra.local.layout import Layout
from infra.local.supervisor_client import SupervisorClient
from infra.local.supervisor_files import socket_path
from infra.outputs import PlatformOutputs
from infra.settings import PlatformSettings
from tests.infra.local.conftest import RealPlatform
from tests.infra.stacks import stack
from tests.operations.doctor.conftest import Examine, Pass, outputs_of

pytestmark = pytest.mark.slow

Look = Callable[..., Pass]

DISK_MIB = 16


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPlatform]:
    real = RealPlatform(Layout(tmp_path_factory.mktemp("state") / "local"))
    try:
        real.up()
        yield real
    finally:
        real.down()


@pytest.fixture(autouse=True)
def fresh_logs(platform: RealPlatform) -> None:
    """What the tests before broke stands in the logs, and would be found there."""
    for path in platform.layout.logs.glob("*.log"):
        os.truncate(path, 0)


@pytest.fixture
def outputs(platform: RealPlatform) -> PlatformOutputs:
    return outputs_of(
        tracking_uri=f"http://127.0.0.1:{platform.server_port}",
        artifact_root=str(platform.layout.artifacts),
        backend_store=platform.endpoint.url(),
        database_host="127.0.0.1",
        database_port=platform.database_port,
        database_name="mlflow",
        database_user="mlflow",
        database_password=platform.password,
        log_directory=str(platform.layout.logs),
    )


@pytest.fixture
def settings(platform: RealPlatform) -> PlatformSettings:
    return stack(databasePort=str(platform.database_port))


@pytest.fixture
def look(examine: Examine, outputs: PlatformOutputs, settings: PlatformSettings) -> Look:
    return lambda *argv: examine(outputs, settings, *argv)


@contextmanager
def superuser(platform: RealPlatform, database: str = "mlflow") -> Iterator[Any]:
    with psycopg.connect(
        host="127.0.0.1",
        port=platform.database_port,
        user="postgres",
        dbname=database,
        password=platform.superuser_password,
        autocommit=True,
    ) as connection:
        yield connection


@contextmanager
def mlflow_session(platform: RealPlatform, **more: Any) -> Iterator[Any]:
    with psycopg.connect(
        host="127.0.0.1",
        port=platform.database_port,
        user="mlflow",
        dbname="mlflow",
        password=platform.password,
        **more,
    ) as connection:
        yield connection


@contextmanager
def stopped(platform: RealPlatform, program: str) -> Iterator[None]:
    supervisor = SupervisorClient(socket_path(platform.layout))
    supervisor.stop(program, 30)
    try:
        yield
    finally:
        platform.up()


def until(look: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


class TestUntouched:
    """A platform that nobody broke has no finding, and every check that has a meaning is asked."""

    def test_no_finding(self, look: Look) -> None:
        found = look()
        assert found.failed == []
        assert found.code == 0
        not_run = {
            name: item["evidence"]
            for name, item in found.records.items()
            if item["status"] == "not_run"
        }
        assert set(not_run) == {"server.certificate", "database.certificate"}
        assert not_run["server.certificate"].endswith("is reached without TLS")
        assert all(item["seconds"] >= 0 for item in found.records.values())

    def test_it_leaves_nothing_behind(self, platform: RealPlatform, look: Look) -> None:
        before = sorted(path.name for path in platform.layout.artifacts.rglob("*.txt"))
        look()
        assert sorted(path.name for path in platform.layout.artifacts.rglob("*.txt")) == before


class TestProcesses:
    """A program that does not run is named, and so is what follows from it."""

    def test_the_database_is_stopped(self, platform: RealPlatform, look: Look) -> None:
        with stopped(platform, "postgresql"):
            found = look()
        assert found.roots[0] == "machine.processes"
        assert "postgresql STOPPED" in found.evidence("machine.processes")
        assert found.follows("database.login") == "machine.processes"
        assert "Connection refused" in found.evidence("database.login")
        assert found.follows("server.query") == "machine.processes"
        assert found.status("server.health") == "passed"
        assert found.status("database.schema") == "not_run"
        assert found.evidence("database.schema") == (
            "the database cannot be asked from here: see database.login"
        )

    def test_the_server_is_stopped(self, platform: RealPlatform, look: Look) -> None:
        with stopped(platform, "mlflow"):
            found = look()
        assert "mlflow STOPPED" in found.evidence("machine.processes")
        assert found.follows("server.health") == "machine.processes"
        assert found.follows("server.query") == "machine.processes"
        assert found.status("database.login") == "passed"

    def test_the_supervisor_is_gone(self, platform: RealPlatform, look: Look) -> None:
        pid = int((platform.layout.run / "supervisord.pid").read_text())
        children = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
        try:
            found = look()
        finally:
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.terminate()
            psutil.wait_procs(children, timeout=30)
            platform.up()
        assert found.records["machine.processes"]["evidence"].startswith(
            "supervisord does not answer"
        )

    def test_the_database_hangs(self, platform: RealPlatform, look: Look) -> None:
        postmaster = int((platform.layout.data / "postmaster.pid").read_text().splitlines()[0])
        frozen = [psutil.Process(postmaster), *psutil.Process(postmaster).children()]
        for process in frozen:
            process.suspend()
        try:
            found = look()
        finally:
            for process in frozen:
                process.resume()
        assert "database.login" in found.roots
        assert "timeout expired" in found.evidence("database.login")
        assert found.follows("server.query") == "database.login"


class TestPasswords:
    """A password that was changed in one place alone is named, and shown nowhere."""

    def test_in_the_database(self, platform: RealPlatform, look: Look) -> None:
        with superuser(platform) as database:
            database.execute("ALTER ROLE mlflow PASSWORD 'changed-behind-its-back'")
            try:
                found = look()
            finally:
                database.execute(f"ALTER ROLE mlflow PASSWORD '{platform.password}'")
        assert "database.login" in found.roots
        assert "password authentication failed" in found.evidence("database.login")
        assert found.records["database.login"]["cause"] == (
            "the password that the stack knows is not the database's: one of them was changed alone"
        )
        assert found.status("machine.password") == "passed"
        assert platform.password not in found.ran.out

    def alone(self, found: Pass) -> None:
        """The file is the one cause: who connects meanwhile is refused, and so is its caller."""
        assert found.roots == ["machine.password"]
        assert set(found.failed) - {"machine.password"} <= {
            "server.query",
            "logs.operational_error",
            "logs.database_fatal",
        }

    def test_in_the_servers_file(self, platform: RealPlatform, look: Look) -> None:
        path = platform.layout.password_file
        text = path.read_text()
        path.write_text(text.replace(platform.password, "written-by-somebody"))
        try:
            found = look()
        finally:
            path.write_text(text)
        self.alone(found)
        assert found.evidence("machine.password").endswith(
            "holds another password than the stack's databasePassword"
        )
        assert "written-by-somebody" not in found.ran.out

    def test_a_file_that_others_can_read(self, platform: RealPlatform, look: Look) -> None:
        path = platform.layout.password_file
        path.chmod(0o644)
        try:
            found = look()
        finally:
            path.chmod(0o600)
        self.alone(found)
        assert "can be read by others (-rw-r--r--)" in found.evidence("machine.password")


class TestConnections:
    """Who takes the connections is named; when none is left, that is said."""

    def test_almost_all_taken(self, platform: RealPlatform, look: Look) -> None:
        with superuser(platform) as database:
            most = int(database.execute("SHOW max_connections").fetchone()[0])
        with contextlib.ExitStack() as held:
            for _ in range(int(most * 0.85)):
                held.enter_context(mlflow_session(platform, application_name="a-report"))
            found = look()
        assert found.roots == ["database.connections"]
        assert "a-report" in found.evidence("database.connections")

    def test_all_taken(self, platform: RealPlatform, look: Look) -> None:
        with contextlib.ExitStack() as held:
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    held.enter_context(mlflow_session(platform))
            found = look()
        assert "database.login" in found.roots
        assert found.records["database.login"]["cause"] == (
            "all connections of the database are taken"
        )

    def test_fewer_than_the_pools_were_checked_for(
        self, platform: RealPlatform, outputs: PlatformOutputs, examine: Examine
    ) -> None:
        bigger = stack(serverWorkers="8", databaseMaxConnections="900")
        found = examine(outputs, bigger)
        assert found.failed == ["database.connections"]
        assert "the settings' pools want up to" in found.evidence("database.connections")


class TestSchema:
    """A schema that is not the server's, and an index that is missing, are named."""

    @contextmanager
    def stamped(self, platform: RealPlatform, revision: str) -> Iterator[None]:
        with superuser(platform) as database:
            before = database.execute("SELECT version_num FROM alembic_version").fetchone()[0]
            database.execute("UPDATE alembic_version SET version_num = %s", (revision,))
            try:
                yield
            finally:
                database.execute("UPDATE alembic_version SET version_num = %s", (before,))

    def test_stamped_back(self, platform: RealPlatform, look: Look) -> None:
        with self.stamped(platform, "451aebb31d03"):  # MLflow's first revision
            found = look()
        assert found.roots == ["database.schema"]
        assert found.evidence("database.schema").startswith(
            "the schema is at revision 451aebb31d03, MLflow 3.17.2 wants "
        )

    def test_of_a_newer_mlflow(self, platform: RealPlatform, look: Look) -> None:
        with self.stamped(platform, "ffffffffffff"):
            found = look()
        assert found.roots == ["database.schema"]
        assert found.evidence("database.schema") == (
            "the schema is at revision ffffffffffff, which MLflow 3.17.2 does not know"
        )

    def test_a_table_that_is_gone(self, platform: RealPlatform, look: Look) -> None:
        with superuser(platform) as database:
            database.execute("ALTER TABLE tags RENAME TO tags_elsewhere")
            try:
                found = look()
            finally:
                database.execute("ALTER TABLE tags_elsewhere RENAME TO tags")
        assert "database.schema" in found.roots
        assert found.evidence("database.schema").endswith("and lacks the tables tags")

    def test_an_empty_database(
        self, platform: RealPlatform, settings: PlatformSettings, outputs: Any, examine: Examine
    ) -> None:
        with superuser(platform, "postgres") as database:
            database.execute("CREATE DATABASE empty OWNER mlflow")
            try:
                found = examine(replace(outputs, database_name="empty"), settings)
            finally:
                database.execute("DROP DATABASE empty WITH (FORCE)")
        assert found.roots == ["database.schema"]
        assert found.evidence("database.schema") == (
            "the database has no table alembic_version: it is empty"
        )

    def test_a_dropped_database(
        self, settings: PlatformSettings, outputs: Any, examine: Examine
    ) -> None:
        found = examine(replace(outputs, database_name="gone"), settings)
        assert found.roots == ["database.login"]
        assert 'database "gone" does not exist' in found.evidence("database.login")

    @pytest.mark.parametrize(
        "index", ["mlflow_platform_model_versions_run", "index_metrics_run_uuid_key_step"]
    )
    def test_a_dropped_index(self, platform: RealPlatform, look: Look, index: str) -> None:
        with mlflow_session(platform, autocommit=True) as database:
            (definition,) = database.execute(
                "SELECT indexdef FROM pg_indexes WHERE indexname = %s", (index,)
            ).fetchone()
            database.execute(f"DROP INDEX {index}")
            try:
                found = look()
            finally:
                database.execute(definition)
        assert found.failed == ["database.indexes"]
        assert found.evidence("database.indexes").startswith(f"missing: {index} on ")

    def test_a_half_built_index(self, platform: RealPlatform, look: Look) -> None:
        index = "mlflow_platform_runs_newest"
        with superuser(platform) as database:
            change = f"UPDATE pg_index SET indisvalid = %s WHERE indexrelid = '{index}'::regclass"
            database.execute(change, (False,))
            try:
                found = look()
            finally:
                database.execute(change, (True,))
        assert found.failed == ["database.indexes"]
        assert found.evidence("database.indexes") == f"half built: {index}"


class TestActivity:
    """Who holds what others wait for, what is slow and what falls behind."""

    def test_a_lock_that_others_wait_for(self, platform: RealPlatform, look: Look) -> None:
        with mlflow_session(platform) as holder, mlflow_session(platform) as waiter:
            holder.execute("LOCK TABLE experiments IN ACCESS EXCLUSIVE MODE")
            pid = holder.info.backend_pid
            thread = threading.Thread(
                target=lambda: waiter.execute("SELECT count(*) FROM experiments")
            )
            thread.start()
            with superuser(platform) as database:
                until(
                    lambda: (
                        database.execute(
                            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                            " AND now() - query_start > interval '4 s'"
                        ).fetchone()
                        is not None
                    )
                )
            found = look()
            holder.rollback()
            thread.join()
        assert found.roots[0] == "database.waiting"
        assert f"a lock of session {pid}" in found.evidence("database.waiting")
        assert found.records["database.waiting"]["next_step"].endswith(
            f"SELECT pg_terminate_backend({pid});"
        )
        assert found.follows("server.query") == "database.waiting"

    def test_a_session_that_does_not_end(
        self, platform: RealPlatform, look: Look, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("operations.doctor.database_activity.IDLE_IN_TRANSACTION_SECONDS", 0.2)
        with mlflow_session(platform, application_name="a-notebook") as session:
            session.execute("SELECT 1")
            pid = session.info.backend_pid
            with superuser(platform) as database:
                until(
                    lambda: database.execute(
                        "SELECT now() - state_change > interval '300 ms' FROM pg_stat_activity "
                        "WHERE pid = %s",
                        (pid,),
                    ).fetchone()[0]
                )
            found = look()
        assert found.failed == ["database.waiting"]
        assert found.evidence("database.waiting").startswith(
            f"1 session idle in a transaction, the oldest (a-notebook, user mlflow, pid {pid})"
        )

    def test_a_slow_statement(
        self, platform: RealPlatform, outputs: PlatformOutputs, examine: Examine
    ) -> None:
        quick = stack(slowQueryMs="100")
        with mlflow_session(platform, application_name="a-report") as session:
            thread = threading.Thread(target=lambda: session.execute("SELECT pg_sleep(8)"))
            thread.start()
            with superuser(platform) as database:
                until(
                    lambda: (
                        database.execute(
                            "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(8)%' AND "
                            "state = 'active' AND pid <> pg_backend_pid() AND "
                            "now() - query_start > interval '200 ms'"
                        ).fetchone()
                        is not None
                    )
                )
            found = examine(outputs, quick)
            thread.join()
        assert found.failed == ["database.slow"]
        assert "a-report" in found.evidence("database.slow")
        assert found.evidence("database.slow").endswith("SELECT pg_sleep(8)")

    def test_an_abandoned_replication_slot(self, platform: RealPlatform, look: Look) -> None:
        with superuser(platform) as database:
            database.execute("SELECT pg_create_physical_replication_slot('an_old_export')")
            try:
                found = look()
            finally:
                database.execute("SELECT pg_drop_replication_slot('an_old_export')")
        assert found.failed == ["database.housekeeping"]
        assert found.evidence("database.housekeeping") == (
            "replication slot an_old_export has no reader"
        )

    def test_autovacuum_is_off(self, platform: RealPlatform, look: Look) -> None:
        with superuser(platform) as database:
            database.execute("CREATE TABLE heap (n int) WITH (autovacuum_enabled = off)")
            database.execute("INSERT INTO heap SELECT generate_series(1, 30000)")
            database.execute("DELETE FROM heap WHERE n <= 29000")
            try:
                until(
                    lambda: database.execute(
                        "SELECT n_dead_tup > 10000 FROM pg_stat_user_tables WHERE relname = 'heap'"
                    ).fetchone()[0]
                )
                found = look()
            finally:
                database.execute("DROP TABLE heap")
        assert found.failed == ["database.housekeeping"]
        assert found.evidence("database.housekeeping") == (
            "tables full of dead rows: heap (29000 dead of 30000)"
        )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own; only root can have one."""
    path = tmp_path / "disk"
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(path)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no disk can be mounted here: that takes root")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


class TestFiles:
    """An artifact folder that cannot be written to is named, and a full disk is."""

    def test_something_else_stands_there(self, platform: RealPlatform, look: Look) -> None:
        folder = platform.layout.artifacts
        aside = folder.with_name("aside")
        folder.rename(aside)
        folder.write_text("no folder")
        try:
            found = look()
        finally:
            folder.unlink()
            aside.rename(folder)
        assert found.roots == ["machine.artifact_folder"]
        assert "is no folder" in found.evidence("machine.artifact_folder")
        assert found.follows("server.artifacts") == "machine.artifact_folder"
        assert found.evidence("server.artifacts").startswith("could not write an artifact: HTTP 5")

    def test_its_rights_were_taken(self, platform: RealPlatform, look: Look) -> None:
        folder = platform.layout.artifacts
        folder.chmod(0o500)
        try:
            found = look()
        finally:
            folder.chmod(0o700)
        assert found.roots == ["machine.artifact_folder"]
        assert "may not be written to (dr-x------" in found.evidence("machine.artifact_folder")

    def test_it_is_gone(self, platform: RealPlatform, look: Look) -> None:
        folder = platform.layout.artifacts
        aside = folder.with_name("aside")
        folder.rename(aside)
        try:
            found = look()
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the server made it again for our probe
            aside.rename(folder)
        assert "machine.artifact_folder" in found.roots
        assert found.evidence("machine.artifact_folder").endswith("No such file or directory")

    def test_a_full_disk(
        self, disk: Path, outputs: PlatformOutputs, settings: PlatformSettings, examine: Examine
    ) -> None:
        (disk / "model.pkl").write_bytes(b"0" * (DISK_MIB * 2**20 - 2**18))
        found = examine(replace(outputs, artifact_root=str(disk)), settings)
        assert found.failed == ["machine.disk"]
        assert found.evidence("machine.disk") == f"{disk}: 0.0 of 0.0 GiB free"

    def test_a_read_only_disk(
        self, disk: Path, outputs: PlatformOutputs, settings: PlatformSettings, examine: Examine
    ) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        found = examine(replace(outputs, artifact_root=str(disk)), settings)
        assert found.failed == ["machine.artifact_folder"]
        assert f"{disk} may not be written to" in found.evidence("machine.artifact_folder")


class TestVersions:
    """Another version than the deployed one is named."""

    def test_another_server(
        self, outputs: PlatformOutputs, settings: PlatformSettings, examine: Examine
    ) -> None:
        found = examine(replace(outputs, mlflow_version="3.16.0"), settings)
        assert found.failed == ["server.versions"]
        assert found.evidence("server.versions") == (
            "the server is MLflow 3.17.2, the stack deployed 3.16.0"
        )
        # What that version wants of the schema is not known here, and it is not guessed.
        assert found.status("database.schema") == "not_run"


class TestLogs:
    """What the server, PostgreSQL and their libraries write is found, and quoted masked."""

    def test_the_server_loses_its_database(self, platform: RealPlatform, look: Look) -> None:
        with superuser(platform) as database:
            database.execute("ALTER ROLE mlflow PASSWORD 'changed-behind-its-back'")
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mlflow'"
            )
            try:
                look()
                found = look()
            finally:
                database.execute(f"ALTER ROLE mlflow PASSWORD '{platform.password}'")
        assert found.follows("logs.database_fatal") == "database.login"
        assert 'password authentication failed for user "mlflow"' in found.evidence(
            "logs.database_fatal"
        )
        assert found.follows("logs.operational_error") == "database.login"
        assert "OperationalError" in found.evidence("logs.operational_error")

    def written(self, platform: RealPlatform, error: BaseException, minutes_ago: int = 1) -> None:
        """An exception in the server's log, as the server writes one."""
        moment = datetime.datetime.now().astimezone() - datetime.timedelta(minutes=minutes_ago)
        text = "".join(traceback.format_exception(error))
        with (platform.layout.logs / "mlflow.log").open("a") as log:
            log.write(f"{moment:%Y/%m/%d %H:%M:%S} ERROR mlflow.server: Exception on /api\n{text}")

    def test_a_full_pool(self, platform: RealPlatform, look: Look) -> None:
        import sqlalchemy

        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://mlflow@127.0.0.1/mlflow",
            connect_args={"port": platform.database_port, "password": platform.password},
            pool_size=1,
            max_overflow=0,
            pool_timeout=0.1,
        )
        with engine.connect(), pytest.raises(sqlalchemy.exc.TimeoutError) as caught:
            engine.connect()
        engine.dispose()
        self.written(platform, caught.value)
        found = look()
        assert found.failed == ["logs.pool"]
        assert "QueuePool limit of size 1 overflow 0 reached" in found.evidence("logs.pool")

    def test_the_store_refuses(self, platform: RealPlatform, look: Look) -> None:
        from simulated_cloud.aws.cloud import MotoAccount, moto_server

        with moto_server() as endpoint, pytest.raises(Exception, match="NoSuchBucket") as caught:
            MotoAccount(endpoint).client("s3", "eu-central-1").put_object(
                Bucket="gone", Key="model.pkl", Body=b""
            )
        self.written(platform, caught.value)
        found = look()
        assert found.failed == ["logs.client_error"]
        assert "NoSuchBucket" in found.evidence("logs.client_error")

    def test_nobody_answers_in_time(self, platform: RealPlatform, look: Look) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            asked = socket.create_connection(silent.getsockname(), timeout=0.05)
            with asked, pytest.raises(TimeoutError) as caught:
                asked.recv(1)
        self.written(platform, caught.value)
        found = look()
        assert found.failed == ["logs.timeout_error"]

    def test_what_is_old_is_not_now(self, platform: RealPlatform, look: Look) -> None:
        self.written(platform, MemoryError(), minutes_ago=20)
        assert look().failed == []
        assert look("--log-minutes", "30").failed == ["logs.no_room"]

    def test_a_password_in_a_line_is_masked(self, platform: RealPlatform, look: Look) -> None:
        self.written(platform, MemoryError(f"postgresql://mlflow:{platform.password}@host/db"))
        found = look()
        assert found.failed == ["logs.no_room"]
        assert platform.password not in found.ran.out
        assert "postgresql://[secret]@host/db" in found.evidence("logs.no_room")
