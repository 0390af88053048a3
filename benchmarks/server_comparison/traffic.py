"""What each operation sends to MLflow, and how many of its values the store then has.

Owns the requests of all clients of a case and the look into database or artifact folder that says
whether what was acknowledged is there. Experiments, runs and known metric keys are put into the
database by SQL: no server's speed decides how a case begins.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server_comparison import cases
from benchmarks.server_comparison.cases import Case
from benchmarks.server_comparison.http_connection import CHUNK_BYTES, zeros
from benchmarks.server_comparison.load_generator import STEP, Question
from benchmarks.throwaway_postgres import ThrowawayPostgres

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
FIRST_TIMESTAMP_MS = 1_700_000_000_000
SEARCHED = "searched"
SEARCHES: dict[str, dict[str, object]] = {
    # The page of an experiment's runs.
    cases.SEARCH_RUNS: {"order_by": ["attributes.start_time DESC"], "max_results": 100},
    cases.SEARCH_FILTERED: {
        "filter": "metrics.loss < 0.05 AND params.optimizer = 'adam'",
        "order_by": ["metrics.accuracy DESC"],
        "max_results": 100,
    },
}
METRICS_PER_REQUEST = {
    cases.LOG_METRIC: 1,
    cases.LOG_BATCH_100: 100,
    cases.LOG_BATCH_1000: 1000,
}
FILE_BYTES = {
    cases.UPLOAD_1_MIB: 1 << 20,
    cases.DOWNLOAD_1_MIB: 1 << 20,
    cases.UPLOAD_1_GIB: 1 << 30,
    cases.DOWNLOAD_1_GIB: 1 << 30,
}

_INSERT_RUN = """
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
                  start_time, source_version, lifecycle_stage, artifact_uri, experiment_id)
SELECT id, 'load', 'LOCAL', '', '', 'load', 'RUNNING', %s, '', 'active', '', %s
FROM unnest(%s::text[]) id"""

_INSERT_KNOWN = """
INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid)
SELECT 'm' || number, 0, %s, 0, false, id
FROM unnest(%s::text[]) id, generate_series(0, %s - 1) number"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """A case made ready on one database."""

    questions: tuple[Question, ...]  # one for each client
    stored: Callable[[], list[int]] | None  # requests of each client that are in the store
    clean_up: Callable[[], None]


def prepare(case: Case, cluster: ThrowawayPostgres, database: str, artifacts: Path) -> Traffic:
    """Make a case's runs, keys and files, and say what to ask."""
    if case.operation in METRICS_PER_REQUEST:
        return _metrics(case, cluster, database)
    if case.operation == cases.CREATE_RUN:
        return _new_runs(case, cluster, database)
    if case.operation in SEARCHES:
        return _search(case, cluster, database)
    return _files(case, artifacts)


def fill_with_runs(cluster: ThrowawayPostgres, database: str, count: int) -> None:
    """The experiment that search-runs looks through, each run with metrics, parameters and tags."""
    experiment = _experiment(cluster, database, SEARCHED)
    runs = f"(SELECT md5('run ' || number) id, number FROM generate_series(1, {count}) number) run"
    statements = (
        f"""INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id,
            status, start_time, end_time, source_version, lifecycle_stage, artifact_uri,
            experiment_id)
        SELECT id, 'run-' || number, 'LOCAL', 'train.py', '', 'load', 'FINISHED',
            {FIRST_TIMESTAMP_MS} + number, {FIRST_TIMESTAMP_MS} + number + 60000, '', 'active',
            '', {experiment} FROM {runs}""",
        *(
            f"""INSERT INTO {table} (key, value, timestamp, step, is_nan, run_uuid)
            SELECT key, (number * 7919 % 100003) / 100003.0, {FIRST_TIMESTAMP_MS} + number, 10,
                false, id FROM {runs}, unnest(ARRAY['loss', 'accuracy']) key"""
            for table in ("metrics", "latest_metrics")
        ),
        f"""INSERT INTO params (key, value, run_uuid)
        SELECT key, CASE key WHEN 'optimizer' THEN (ARRAY['adam', 'sgd', 'lion'])[1 + number % 3]
            ELSE number::text END, id
        FROM {runs}, unnest(ARRAY['optimizer', 'seed']) key""",
        f"""INSERT INTO tags (key, value, run_uuid)
        SELECT key, key || number % 10, id
        FROM {runs}, unnest(ARRAY['mlflow.user', 'team']) key""",
    )
    for statement in statements:
        cluster.query(database, statement)
    cluster.query(database, "VACUUM ANALYZE")


def _metrics(case: Case, cluster: ThrowawayPostgres, database: str) -> Traffic:
    count = METRICS_PER_REQUEST[case.operation]
    runs = _runs(cluster, database, case.clients)
    for table in ("metrics", "latest_metrics"):
        sql = _INSERT_KNOWN.format(table=table)
        cluster.query(database, sql, FIRST_TIMESTAMP_MS, runs, count)

    def stored() -> list[int]:
        rows = dict(
            cluster.query(
                database,
                "SELECT run_uuid, count(*) FROM metrics WHERE run_uuid = ANY(%s) GROUP BY 1",
                runs,
            )
        )
        return [int(rows.get(run, 0)) // count - 1 for run in runs]  # without the known value

    ask = _log_metric if count == 1 else _log_batch
    return Traffic(
        questions=tuple(ask(run, count) for run in runs), stored=stored, clean_up=_nothing
    )


def _log_metric(run: str, _count: int) -> Question:
    return Question(
        method="POST", path=f"{API}/runs/log-metric", body=_metric(0, f'"run_id":"{run}",')
    )


def _log_batch(run: str, count: int) -> Question:
    metrics = ",".join(_metric(number) for number in range(count))
    body = f'{{"run_id":"{run}","metrics":[{metrics}]}}'
    return Question(method="POST", path=f"{API}/runs/log-batch", body=body)


def _metric(number: int, more: str = "") -> str:
    # A step's value and time differ from the last one's: nothing is a repetition.
    return f'{{{more}"key":"m{number}","value":{STEP}.5,"timestamp":17{STEP},"step":{STEP}}}'


def _new_runs(case: Case, cluster: ThrowawayPostgres, database: str) -> Traffic:
    # An experiment for each client, so that each one's runs can be counted.
    experiments = [
        _experiment(cluster, database, f"created-{uuid.uuid4().hex}") for _ in range(case.clients)
    ]

    def question(experiment: int) -> Question:
        body = {
            "experiment_id": str(experiment),
            "start_time": FIRST_TIMESTAMP_MS,
            "run_name": f"run {STEP}",
            "tags": [{"key": "mlflow.user", "value": "load"}],
        }
        return Question(method="POST", path=f"{API}/runs/create", body=json.dumps(body))

    def stored() -> list[int]:
        sql = "SELECT count(*) FROM runs WHERE experiment_id = %s"
        return [int(cluster.query(database, sql, item)[0][0]) for item in experiments]

    return Traffic(
        questions=tuple(question(experiment) for experiment in experiments),
        stored=stored,
        clean_up=_nothing,
    )


def _search(case: Case, cluster: ThrowawayPostgres, database: str) -> Traffic:
    sql = "SELECT experiment_id FROM experiments WHERE name = %s"
    found = cluster.query(database, sql, SEARCHED)
    body = json.dumps({"experiment_ids": [str(found[0][0])], **SEARCHES[case.operation]})
    question = Question(method="POST", path=f"{API}/runs/search", body=body)
    return Traffic(questions=(question,) * case.clients, stored=None, clean_up=_nothing)


def _files(case: Case, artifacts: Path) -> Traffic:
    size = FILE_BYTES[case.operation]
    folder = artifacts / f"load-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)

    def clean_up() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    if case.operation in (cases.DOWNLOAD_1_MIB, cases.DOWNLOAD_1_GIB):
        with (folder / "file.bin").open("wb") as file:
            file.writelines(zeros(size))
        question = Question(method="GET", path=f"{ARTIFACTS}/{folder.name}/file.bin")
        return Traffic(questions=(question,) * case.clients, stored=None, clean_up=clean_up)

    def stored() -> list[int]:
        return [
            sum(_holds_zeros(path, size) for path in folder.glob(f"{client}-*.bin"))
            for client in range(case.clients)
        ]

    questions = tuple(
        Question(
            method="PUT",
            path=f"{ARTIFACTS}/{folder.name}/{client}-{STEP}.bin",
            zero_bytes=size,
            content_type="application/octet-stream",
        )
        for client in range(case.clients)
    )
    return Traffic(questions=questions, stored=stored, clean_up=clean_up)


def _holds_zeros(path: Path, size: int) -> bool:
    """Whether a file is, byte for byte, what was sent."""
    if path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            if piece.count(0) != len(piece):
                return False
    return True


def _experiment(cluster: ThrowawayPostgres, database: str, name: str) -> int:
    rows = cluster.query(
        database,
        "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time,"
        " last_update_time) VALUES (%s, 'mlflow-artifacts:/load', 'active', %s, %s)"
        " RETURNING experiment_id",
        name,
        FIRST_TIMESTAMP_MS,
        FIRST_TIMESTAMP_MS,
    )
    return int(rows[0][0])


def _runs(cluster: ThrowawayPostgres, database: str, count: int) -> Sequence[str]:
    experiment = _experiment(cluster, database, f"load-{uuid.uuid4().hex}")
    runs = [uuid.uuid4().hex for _ in range(count)]
    cluster.query(database, _INSERT_RUN, FIRST_TIMESTAMP_MS, experiment, runs)
    return runs


def _nothing() -> None:
    """Rows stay: taking them away would be work for the database in the next case."""
