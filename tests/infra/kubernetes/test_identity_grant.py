"""The step that makes a database take the server's identity, on a real PostgreSQL.

RDS sends members of `rds_iam` to its token check and everybody else to their password; here the
members are let in unasked, which is all that the difference is about.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import simulated_cloud
from benchmarks.throwaway_postgres import ThrowawayPostgres
from infra.kubernetes.migration_job import GRANT
from simulated_cloud import SimulatedCloud

IMAGE = Path(__file__).resolve().parents[3] / "image"
PASSWORD = "kept-by-rds"


@pytest.fixture(scope="module")
def postgres() -> Iterator[ThrowawayPostgres]:
    with ThrowawayPostgres() as cluster:
        cluster.query("postgres", "CREATE ROLE rds_iam")
        # As RDS's master user may, this one may grant the role.
        cluster.query("postgres", f"CREATE ROLE runs LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        ((path,),) = cluster.query("postgres", "SHOW hba_file")
        file = Path(path)
        rules = (
            "host all mlflow 127.0.0.1/32 trust\n"
            "host all +rds_iam 127.0.0.1/32 trust\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )
        file.write_text(rules + file.read_text(encoding="utf-8"), encoding="utf-8")
        cluster.query("postgres", "SELECT pg_reload_conf()")
        yield cluster


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCloud]:
    with simulated_cloud.running(tmp_path_factory.mktemp("cloud")) as running:
        yield running


def secret(cloud: SimulatedCloud, name: str, password: str) -> str:
    content = json.dumps({"username": "runs", "password": password})
    kept = cloud.client("secretsmanager").create_secret(Name=name, SecretString=content)
    return str(kept["ARN"])


def run(
    postgres: ThrowawayPostgres, cloud: SimulatedCloud, arn: str
) -> subprocess.CompletedProcess[str]:
    store = f"postgresql+psycopg://runs@127.0.0.1:{postgres.port}/postgres"
    return subprocess.run(
        [sys.executable, "-c", GRANT.read_text(encoding="utf-8"), store],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(IMAGE),
            "DATABASE_SECRET_ARN": arn,
            **cloud.environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestGrant:
    """Once by the password that RDS keeps, and never again."""

    def test_a_password_that_is_not_the_databases(
        self, postgres: ThrowawayPostgres, cloud: SimulatedCloud
    ) -> None:
        done = run(postgres, cloud, secret(cloud, "wrong", "another"))
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith(
            "the database takes neither the server's token nor the password of runs in Secrets "
            "Manager ("
        )
        assert done.stderr.endswith(
            "): reset the master password of the instance, and run this Job again\n"
        )
        assert "another" not in done.stderr

    def test_by_the_password_and_then_by_tokens(
        self, postgres: ThrowawayPostgres, cloud: SimulatedCloud
    ) -> None:
        arn = secret(cloud, "right", PASSWORD)
        done = run(postgres, cloud, arn)
        assert (done.returncode, done.stdout, done.stderr) == (
            0,
            "",
            "runs is a member of rds_iam: from now on tokens log in\n",
        )
        members = postgres.query(
            "postgres",
            "SELECT member::regrole::text FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole",
        )
        assert ("runs",) in members
        cloud.client("secretsmanager").delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
        done = run(postgres, cloud, arn)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
