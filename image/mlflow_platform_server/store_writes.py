"""What training jobs write all day, in one round trip each: metrics, parameters, tags, runs.

Owns the short way. Each operation is tried as one statement that does everything MLflow's own store
would have done, or nothing. Where it does nothing (the run is deleted, a parameter would change, a
name is refused, another writer was faster), the call goes to MLflow's store unchanged: every error,
every message and every unusual case is the original's, by construction.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from mlflow.entities import Metric, Param, Run, RunInfo, RunTag
from mlflow.exceptions import MlflowException

from mlflow_platform_server.store_log_parameters import log_parameters
from mlflow_platform_server.store_metrics import NotOrdinary
from mlflow_platform_server.store_mlflow_names import TrackingStore
from mlflow_platform_server.store_round_trip import (
    ConnectionLost,
    Row,
    StatementRefused,
    connection_lost_error,
    run_statement,
)
from mlflow_platform_server.store_runs import (
    NewRun,
    changed_run_info,
    new_run,
    run_change_parameters,
)
from mlflow_platform_server.store_statements import (
    artifact_location_statement,
    create_run_statement,
    log_statement,
    update_run_statement,
)

_logger = logging.getLogger(__name__)

MOST_LOCATIONS = 10_000
"""Experiments whose artifact location is remembered; the statement checks it before it is used."""


class WritesInOneRoundTrip(TrackingStore):
    """Stands before `SqlAlchemyStore`, or its workspace variant, in the order of classes."""

    _in_one_round_trip = False  # until the database is known to take these statements
    _artifact_locations: dict[tuple[str | None, int], str]

    def log_metric(self, run_id: str, metric: Metric) -> None:
        """As MLflow's, in one round trip."""
        if not self._logged(run_id, [metric], (), ()):
            super().log_metric(run_id, metric)

    def log_param(self, run_id: str, param: Param) -> None:
        """As MLflow's, in one round trip."""
        if not self._logged(run_id, (), [param], ()):
            super().log_param(run_id, param)

    def set_tag(self, run_id: str, tag: RunTag) -> None:
        """As MLflow's, in one round trip; a run's name is an update of the run."""
        if not self._logged(run_id, (), (), [tag]):
            super().set_tag(run_id, tag)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> None:
        """As MLflow's, in one round trip, one transaction and one connection instead of two."""
        if not self._logged(run_id, metrics, params, tags):
            super().log_batch(run_id, metrics, params, tags)

    def create_run(
        self,
        experiment_id: str,
        user_id: str,
        start_time: int,
        tags: Sequence[RunTag],
        run_name: str | None,
    ) -> Run:
        """As MLflow's, in one round trip; two for a process's first run of an experiment."""
        run = self._created(NewRun(experiment_id, user_id, start_time, tags, run_name))
        if run is not None:
            return run
        return super().create_run(experiment_id, user_id, start_time, tags, run_name)

    def update_run_info(
        self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
    ) -> RunInfo:
        """As MLflow's, in one round trip."""
        try:
            parameters = run_change_parameters(run_id, run_status, end_time, run_name)
            scope = self._scope()
        except (NotOrdinary, MlflowException):
            row = None
        else:
            statement = update_run_statement(workspace=bool(scope))
            row = self._row(statement, parameters | scope)
        if row is not None:
            return changed_run_info(row)
        return super().update_run_info(run_id, run_status, end_time, run_name)

    def _logged(
        self,
        run_id: str,
        metrics: Sequence[Metric],
        params: Sequence[Param],
        tags: Sequence[RunTag],
    ) -> bool:
        """Whether all of it is written; otherwise nothing is."""
        try:
            parameters = log_parameters(run_id, metrics, params, tags)
            scope = self._scope()
        except (NotOrdinary, MlflowException):
            return False
        statement = log_statement(
            params="param_keys" in parameters,
            metrics="keys" in parameters,
            model_metrics="model_keys" in parameters,
            tags="tag_keys" in parameters,
            workspace=bool(scope),
        )
        return self._row(statement, parameters | scope) == (1,)

    def _created(self, wanted: NewRun) -> Run | None:
        """The new run; None when there is none."""
        try:
            scope = self._scope()
            location = self._artifact_location(wanted, scope)
            run, parameters = new_run(wanted, location)
        except (NotOrdinary, MlflowException):
            return None
        statement = create_run_statement(workspace=bool(scope))
        try:
            row = run_statement(self.engine, statement, parameters | scope)
        except ConnectionLost as error:
            # A second attempt could leave two runs behind.
            raise connection_lost_error(error) from error
        except StatementRefused as error:
            _logger.debug("MLflow's own store creates the run: %s", error)
            return None
        if row == (1,):
            return run
        self._artifact_locations.clear()
        return None

    def _artifact_location(self, wanted: NewRun, scope: Mapping[str, str]) -> str:
        """Where the experiment keeps its artifacts: nothing MLflow does changes it."""
        known = (scope.get("workspace"), wanted.experiment_number())
        location = self._artifact_locations.get(known)
        if location is None:
            statement = artifact_location_statement(workspace=bool(scope))
            row = self._row(statement, {"experiment_id": known[1], **scope})
            if row is None or not row[0]:
                raise NotOrdinary
            if len(self._artifact_locations) >= MOST_LOCATIONS:
                self._artifact_locations.clear()
            location = self._artifact_locations[known] = str(row[0])
        return location

    def _scope(self) -> dict[str, str]:
        """The workspace that runs and experiments must be of, where there are workspaces."""
        if not self._in_one_round_trip:
            raise NotOrdinary
        return {"workspace": self._get_active_workspace()} if self.supports_workspaces else {}

    def _row(self, statement: str, parameters: Mapping[str, object]) -> Row | None:
        """The statement's row; None when nothing was written or nobody knows.

        What is written here can be written twice: the second time changes nothing.
        """
        try:
            return run_statement(self.engine, statement, parameters)
        except StatementRefused as error:
            _logger.debug("MLflow's own store takes the call: %s", error)
            return None
