"""What `mlflow gc` does, for exactly the runs that were chosen, in a process of its own.

Owns the call of MLflow's garbage collection. `mlflow gc --run-ids …` on the command line also
removes every deleted experiment and every deleted model of the server, whoever deleted them and
whenever; here that part is left out, and models are given by their numbers.

Started as `python -m operations.retention_removal` with a JSON object on standard input
(`backend`, `tracking_uri`, `run_ids`, `models` by run) and the password in the environment; it
writes the numbers of the runs that went, one on a line. A run that began to run again meanwhile is
left alone.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable
from typing import Any, cast

OVER = frozenset({"FINISHED", "FAILED", "KILLED"})


def remove(backend: str, tracking_uri: str, run_ids: Iterable[str], models: dict[str, Any]) -> None:
    """Delete runs and their models, for good, saying each."""
    import mlflow
    from mlflow import cli

    mlflow.set_tracking_uri(tracking_uri)
    mlflow_cli = cast("Any", cli)  # MLflow's own function, of the version in the lock
    store = mlflow_cli._get_store(backend, None)
    for run_id in run_ids:
        run = store.get_run(run_id)
        if run.info.status not in OVER:
            continue
        if run.info.lifecycle_stage != "deleted":
            store.delete_run(run_id)
        model_ids = list(models.get(run_id, ()))
        for model_id in model_ids:
            with contextlib.suppress(Exception):  # one that a person deleted is deleted already
                store.delete_logged_model(model_id)
        with contextlib.redirect_stdout(sys.stderr):
            mlflow_cli._gc_tracking_resources(
                backend_store=store,
                run_ids=[run_id],
                experiment_ids=None,
                logged_model_ids=model_ids,
                older_than=None,
                time_delta=0,
                skip_experiments=True,
                skip_logged_models=False,
            )
        sys.stdout.write(f"{run_id}\n")
        sys.stdout.flush()


def main() -> None:
    """Read what is to go, and let it go."""
    asked = json.load(sys.stdin)
    remove(asked["backend"], asked["tracking_uri"], asked["run_ids"], asked["models"])


if __name__ == "__main__":
    main()
