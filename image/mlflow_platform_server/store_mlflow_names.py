"""MLflow's private names that the fast store relies on, each with the type it is used by.

Owns the list, and nothing else: whoever tries the store with another version of MLflow begins here.
"""

# MLflow has no types on these; what is said here is what its code takes.
# pyright: reportPrivateUsage=false, reportUnknownVariableType=false, reportPrivateImportUsage=false
# ruff: noqa: D102, D107 - the methods' docstrings are MLflow's

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import sqlalchemy
from mlflow.entities import Metric, Param, Run, RunInfo, RunTag
from mlflow.store.db import utils as db_utils
from mlflow.store.tracking import DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH
from mlflow.tracking._tracking_service import utils as tracking_service
from mlflow.utils import mlflow_tags, name_utils, uri, validation

__all__ = [
    "DEFAULT_LOCAL_FILE_AND_ARTIFACT_PATH",
    "SERVER_ARTIFACT_ROOT_VARIABLE",
    "TrackingStore",
    "append_to_uri_path",
    "random_name",
    "registries",
    "routing_session_maker",
    "run_name_of",
    "validate_batch_limits",
    "validate_metric_name",
    "validate_param",
    "validate_params_unique",
    "validate_run_id",
    "validate_tag",
]

Limits = Callable[[Sequence[Metric], Sequence[Param], Sequence[RunTag]], None]

validate_run_id = cast("Callable[[str], None]", validation._validate_run_id)
validate_batch_limits = cast("Limits", validation._validate_batch_log_limits)
validate_params_unique = cast(
    "Callable[[Sequence[Param]], None]", validation._validate_param_keys_unique
)
validate_metric_name = cast("Callable[[str], None]", validation._validate_metric_name)
validate_param = cast("Callable[[str, str], Param]", validation._validate_param)
validate_tag = cast("Callable[[str, str | None], RunTag]", validation._validate_tag)

run_name_of = cast("Callable[[Sequence[RunTag]], str | None]", mlflow_tags._get_run_name_from_tags)
random_name = cast("Callable[[], str]", name_utils._generate_random_name)
append_to_uri_path = cast("Callable[[str, str, str], str]", uri.append_to_uri_path)

SERVER_ARTIFACT_ROOT_VARIABLE = cast("str", tracking_service._SERVER_ARTIFACT_ROOT_ENV_VAR)

routing_session_maker = cast("Callable[..., Any]", db_utils._get_routing_session_maker)
"""Sessions that write from one engine, sessions that only read from another."""


class Registry(Protocol):
    """Where MLflow looks for the builder of a store."""

    def register(self, scheme: str, store_builder: Callable[..., object], /) -> None:
        """Build stores of this scheme so."""
        ...


def registries() -> tuple[Registry, Registry]:
    """The server's, and the one that code inside the server reaches as a client."""
    from mlflow.server import handlers

    return (
        cast("Registry", handlers._tracking_store_registry),
        cast("Registry", tracking_service._tracking_store_registry),
    )


if TYPE_CHECKING:

    class TrackingStore:
        """What `SqlAlchemyStore` looks like from the class that stands before it."""

        engine: sqlalchemy.Engine
        read_engine: sqlalchemy.Engine | None
        db_type: str

        @property
        def supports_workspaces(self) -> bool: ...
        def __init__(
            self, db_uri: str, default_artifact_root: str, read_db_uri: str | None = None
        ) -> None: ...
        def _get_active_workspace(self) -> str: ...
        def log_metric(self, run_id: str, metric: Metric) -> None: ...
        def log_param(self, run_id: str, param: Param) -> None: ...
        def set_tag(self, run_id: str, tag: RunTag) -> None: ...
        def log_batch(
            self,
            run_id: str,
            metrics: Sequence[Metric],
            params: Sequence[Param],
            tags: Sequence[RunTag],
        ) -> None: ...
        def create_run(
            self,
            experiment_id: str,
            user_id: str,
            start_time: int,
            tags: Sequence[RunTag],
            run_name: str | None,
        ) -> Run: ...
        def update_run_info(
            self, run_id: str, run_status: int | None, end_time: int | None, run_name: str | None
        ) -> RunInfo: ...

else:
    TrackingStore = object
