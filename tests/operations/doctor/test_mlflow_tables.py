"""The list of tables that the doctor looks for."""

from __future__ import annotations

import subprocess
import sys

from operations.doctor.mlflow_tables import MLFLOW_TABLES

ASK_MLFLOW = """
import mlflow.store.model_registry.dbmodels.models
import mlflow.store.workspace.dbmodels.models
from mlflow.store.tracking.dbmodels.models import Base
print(*Base.metadata.tables)
"""


class TestTheList:
    """MLflow's own models have these tables, and no other."""

    def test_as_mlflow_has_it(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", ASK_MLFLOW], capture_output=True, text=True, check=True
        )
        assert frozenset(done.stdout.split()) == MLFLOW_TABLES
