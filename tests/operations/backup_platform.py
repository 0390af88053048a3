"""A small platform to back up: real PostgreSQL, a folder of artifacts, an engine that knows both.

The tables are MLflow's by name and key, as far as a backup looks at them; that a backup of a real
MLflow's database works is the subject of test_backup_of_mlflow.py.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.throwaway_postgres import ThrowawayPostgres
from operations.archive.encryption import Identities, new_identity
from operations.backup import BackupMade, BackupRequest, make_backup
from operations.place import Place
from smoke_tests.masking import Masker
from tests.operations.conftest import Operate, Ran

RUNS = 6
METRICS = 60
VERSION = "3.17.0"  # not the installed one, which could not use these tables
PASSWORD = "tr0ub4dor-and-three"  # PostgreSQL trusts this machine; nobody may read it all the same

TABLES = """
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('a1b2c3');
CREATE TABLE experiments (
    experiment_id serial PRIMARY KEY, name text UNIQUE NOT NULL, artifact_location text);
CREATE TABLE runs (
    run_uuid text PRIMARY KEY, experiment_id int REFERENCES experiments, artifact_uri text,
    start_time bigint, end_time bigint);
CREATE TABLE metrics (
    key text, value double precision, timestamp bigint, run_uuid text REFERENCES runs,
    step bigint, is_nan boolean, PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan));
CREATE TABLE params (key text, value text, run_uuid text REFERENCES runs,
    PRIMARY KEY (key, run_uuid));
CREATE TABLE tags (key text, value text, run_uuid text REFERENCES runs,
    PRIMARY KEY (key, run_uuid));
CREATE TABLE registered_models (name text PRIMARY KEY);
CREATE TABLE model_versions (
    name text REFERENCES registered_models, version int, source text, storage_location text,
    run_id text, PRIMARY KEY (name, version));
CREATE TYPE mood AS ENUM ('good');
CREATE VIEW newest AS SELECT max(start_time) FROM runs;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER guard BEFORE DELETE ON alembic_version EXECUTE FUNCTION refuse();
INSERT INTO experiments (name, artifact_location) VALUES ('Prüfung', 'mlflow-artifacts:/1');
"""


@dataclass
class BackupPlatform:
    """One stack called `local`, in a folder and a database of its own."""

    cluster: ThrowawayPostgres
    folder: Path
    operate_with: Operate
    database: str = field(default_factory=lambda: f"mlflow_{uuid4().hex[:8]}")
    outputs: dict[str, object] = field(default_factory=dict[str, object])
    config: dict[str, object] = field(default_factory=dict[str, object])

    def __post_init__(self) -> None:
        """Make it and fill it."""
        self.artifacts = self.folder / "artifacts"
        self.destination = self.folder / "backups"
        self.secret_key, self.recipient = new_identity()
        self.masker = Masker()
        self.cluster.create(self.database)
        self.query(TABLES)
        for number in range(RUNS):
            self.add_run(f"run{number}")
        self.query(
            "INSERT INTO metrics SELECT 'loss', 1 / g::double precision, 1000 + g, "
            f"'run' || (g % {RUNS}), g, false FROM generate_series(1, {METRICS}) g"
        )
        self.query("INSERT INTO registered_models VALUES ('resnet')")
        self.query(
            "INSERT INTO model_versions VALUES "
            "('resnet', 1, 'mlflow-artifacts:/1/run1/artifacts/model', NULL, 'run1')"
        )
        self.write("1/run1/artifacts/model/weights.bin", os.urandom(300_000))
        self.export()

    def export(self, **changes: object) -> None:
        """Let the engine answer with these outputs."""
        self.outputs = {
            "environment": "local",
            "target": "local",
            "trackingUri": "http://127.0.0.1:1",
            "healthUrl": "http://127.0.0.1:1/health",
            "experimentName": "check",
            "artifactRoot": str(self.artifacts),
            "backendStore": f"postgresql+psycopg://mlflow@127.0.0.1/{self.database}",
            "authentication": "off",
            "mlflowVersion": VERSION,
            "connectionBudget": "",
            "clientEnvironment": {},
            "databaseHost": "127.0.0.1",
            "databasePort": self.cluster.port,
            "databaseName": self.database,
            "databaseUser": "mlflow",
            "databasePassword": PASSWORD,
        } | changes
        engine = self.folder / "bin" / "pulumi"
        engine.parent.mkdir(exist_ok=True)
        said = {"output": json.dumps(self.outputs), "config": json.dumps(self.config)}
        engine.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"print(next(text for word, text in {said!r}.items() if word in sys.argv))\n"
        )
        engine.chmod(0o755)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows straight from the database."""
        return self.cluster.query(self.database, sql, *values)

    def count(self, table: str) -> int:
        """Its rows."""
        return int(self.query(f"SELECT count(*) FROM {table}")[0][0])

    def add_run(self, name: str) -> None:
        """A run with a parameter, a tag and two artifacts, one of them empty."""
        uri = f"mlflow-artifacts:/1/{name}/artifacts"
        self.query("INSERT INTO runs VALUES (%s, 1, %s, 1, 2)", name, uri)
        self.query("INSERT INTO params VALUES ('rate', '0.1', %s)", name)
        self.query("INSERT INTO tags VALUES ('who', 'ärger', %s)", name)
        self.write(f"1/{name}/artifacts/a b/ü.txt", f"this is {name}\n".encode() * 500)
        self.write(f"1/{name}/artifacts/empty", b"")

    def write(self, name: str, content: bytes) -> Path:
        """An artifact."""
        path = self.artifacts / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def content(self) -> dict[str, bytes]:
        """Every artifact."""
        return {
            path.relative_to(self.artifacts).as_posix(): path.read_bytes()
            for path in sorted(self.artifacts.rglob("*"))
            if path.is_file()
        }

    @property
    def environ(self) -> dict[str, str]:
        """What a command is started with."""
        return {
            "PATH": str(self.folder / "bin"),
            "MLFLOW_PLATFORM_BACKUP_IDENTITY": self.secret_key,
            "MLFLOW_PLATFORM_BACKUP_RECIPIENT": self.recipient,
        }

    def operate(self, *words: str, **environ: str) -> Ran:
        """Run a command on the stack."""
        stack = () if words[0] == "backup-key" else ("--stack", "local")
        ran = self.operate_with(words[0], *stack, *words[1:], environ=self.environ | environ)
        for text in (ran.out, ran.err):
            assert PASSWORD not in text
            assert self.secret_key not in text
        return ran

    def back_up(self, *words: str, **environ: str) -> Ran:
        """`backup` into the platform's own destination."""
        return self.operate("backup", "--to", str(self.destination), *words, **environ)

    def place(self, stack: str = "local") -> Place:
        """For the Python interface."""
        return Place(stack=stack, url=None, environ=self.environ, masker=self.masker)

    @property
    def identities(self) -> Identities:
        """The key."""
        return Identities.given(None, self.environ, self.masker)

    def make(self, **changes: Any) -> BackupMade:
        """A backup through the Python interface."""
        request: dict[str, Any] = {
            "to": str(self.destination),
            "recipients": self.identities.recipients,
        }
        return make_backup(self.place(), BackupRequest(**(request | changes)))

    @property
    def backups(self) -> list[Path]:
        """What lies at the destination, oldest first."""
        return sorted(self.destination.iterdir()) if self.destination.is_dir() else []
