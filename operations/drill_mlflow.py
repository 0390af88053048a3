"""Does MLflow itself open the copy? The rows may be the same and still be of no use.

Owns the question, asked in a process of its own (MLflow takes seconds to load, and remembers what
it was told): the store checks the schema's revision, reads experiments and runs of the restored
database as a server would, and writes a run, which a forgotten sequence or trigger would not let
it. Only the same version of MLflow can be asked; with another one here, it says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast
from urllib.parse import quote, urlencode

from operations.archive.manifest import Manifest
from operations.database_login import DatabaseLogin

LONGEST_SECONDS = 300

_QUESTION = """
import json, sys
from mlflow.entities import Metric, ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

uri, folder = json.load(sys.stdin)
store = SqlAlchemyStore(uri, folder)
experiments, token = [], None
while True:
    page = store.search_experiments(
        view_type=ViewType.ALL, max_results=1000, page_token=token)
    experiments += [one.experiment_id for one in page]
    token = page.token
    if not token:
        break
runs = store.search_runs(experiments[:1000], "", ViewType.ALL, max_results=100)
metrics = sum(len(run.data.metrics) for run in runs)
experiment = store.create_experiment("mlflow-platform drill")
run = store.create_run(experiment, "drill", 1, [], "drill")
store.log_metric(run.info.run_id, Metric("drill", 1.0, 1, 0))
json.dump({"experiments": len(experiments), "runs": len(runs), "metrics": metrics}, sys.stdout)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class MlflowAnswer:
    """What MLflow said of the copy."""

    text: str
    is_good: bool | None  # None: it was not asked

    def document(self) -> dict[str, object]:
        """For a machine."""
        return {"said": self.text, "opened": self.is_good}


def ask_mlflow(
    beside: DatabaseLogin, manifest: Manifest, *, environ: Mapping[str, str]
) -> MlflowAnswer:
    """Open the restored database with MLflow, read it, and write a run."""
    try:
        installed = version("mlflow")
    except PackageNotFoundError:
        installed = "not installed"
    if installed != manifest.mlflow_version:
        return MlflowAnswer(
            text=f"not asked: MLflow is {installed} here and the backup is of "
            f"{manifest.mlflow_version}",
            is_good=None,
        )
    query = urlencode({"host": beside.host, "port": beside.port})
    uri = f"postgresql+psycopg://{quote(beside.user)}@/{quote(beside.name)}?{query}"
    # MLflow's own variables of the caller are about another place.
    environment = {
        key: value for key, value in environ.items() if not key.startswith(("PG", "MLFLOW_"))
    }
    environment |= {
        "PATH": environ.get("PATH", os.defpath),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HOME": environ.get("HOME", beside.host),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-c", _QUESTION],
            input=json.dumps([uri, "mlflow-artifacts:/"]),
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return MlflowAnswer(text=f"MLflow did not answer within {LONGEST_SECONDS} s", is_good=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = beside.masker.foreign(lines[-1] if lines else "nothing")
        return MlflowAnswer(text=f"MLflow cannot use the copy: {said[:400]}", is_good=False)
    answer = cast("dict[str, Any]", json.loads(done.stdout))
    expected = manifest.count("experiments")
    if answer["experiments"] != expected:
        return MlflowAnswer(
            text=f"MLflow sees {answer['experiments']} experiments in the copy, of {expected}",
            is_good=False,
        )
    return MlflowAnswer(
        text=f"MLflow {installed} opened the copy: {expected:,} experiments, the newest "
        f"{answer['runs']:,} runs with {answer['metrics']:,} metrics; it wrote a run of its own",
        is_good=True,
    )
