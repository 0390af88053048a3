"""A model's way through the registry: log, register, describe, give it an alias, load, predict.

Owns nothing but the example; it needs no machine-learning library. Against any MLflow server:

    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python examples/registry.py

Older guides move a version to the stage `Production` and load `models:/<name>/Production`. Stages
are deprecated since MLflow 2.9: a version has one stage and a registry four of them, while aliases
are names of your own, several to a version, moved by one call. `champion` is where the stage was.
"""

from __future__ import annotations

import sys
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.pyfunc import PythonModel

EXPERIMENT = "registry-example"
MODEL = "gateway-line"
ALIAS = "champion"


class Line(PythonModel):
    """A straight line: what a model is does not matter here."""

    def __init__(self, slope: float) -> None:
        """Remember the slope."""
        self.slope = slope

    def predict(
        self, context: Any, model_input: list[float], params: dict[str, Any] | None = None
    ) -> list[float]:
        """`slope` times each number."""
        del context, params  # what other models read their files and settings from
        return [self.slope * value for value in model_input]


def log_model(slope: float) -> str:
    """Log a run with a model, and return the model's address."""
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=f"slope {slope:g}"):
        mlflow.log_param("slope", slope)
        mlflow.log_metric("error", abs(slope - 2.0))
        # Requirements said, not guessed: guessing starts a process and imports everything.
        logged = mlflow.pyfunc.log_model(
            name="model", python_model=Line(slope), pip_requirements=["mlflow"]
        )
    return logged.model_uri


def register(model_uri: str, description: str) -> ModelVersion:
    """Make the next version of the registered model, and say what it is."""
    version = mlflow.register_model(model_uri, MODEL)
    client = MlflowClient()
    client.update_registered_model(MODEL, description="Straight lines, for an example.")
    client.update_model_version(MODEL, version.version, description=description)
    client.set_model_version_tag(MODEL, version.version, "validated", "yes")
    return version


def promote(version: str) -> None:
    """Let the alias name this version from now on."""
    MlflowClient().set_registered_model_alias(MODEL, ALIAS, version)


def load(alias: str = ALIAS) -> Any:
    """The version that an alias names, ready for inference."""
    return mlflow.pyfunc.load_model(f"models:/{MODEL}@{alias}")


def main() -> int:
    """Two versions, the second promoted, then rolled back to the first."""
    first = register(log_model(2.0), "The first line.")
    promote(first.version)
    print(f"{MODEL}@{ALIAS} is version {first.version}: {load().predict([1.0, 2.0])}")
    second = register(log_model(3.0), "A steeper line.")
    promote(second.version)
    print(f"{MODEL}@{ALIAS} is version {second.version}: {load().predict([1.0, 2.0])}")
    promote(first.version)
    print(f"{MODEL}@{ALIAS} is version {first.version} again: {load().predict([1.0, 2.0])}")
    for found in MlflowClient().search_model_versions(f"name = '{MODEL}'"):
        print(f"version {found.version}: {found.description} (run {found.run_id})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
