"""MLflow's own application, imported once and made ready to be shared by workers.

Owns everything between the command line and an application that has answered its first database
query: the environment, the imports, the first administrator, the stores. It runs in the process
that will fork: the workers begin with all of it, and with no connection of it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from mlflow_platform_server.draining import Application
from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.flask_lane import FlaskLane, WsgiApplication
from mlflow_platform_server.job_runner import jobs_wanted, prepare_jobs
from mlflow_platform_server.mlflow_environment import set_environment, static_prefix
from mlflow_platform_server.serve_options import ServeOptions

NOT_IMPORTED = ("pyarrow", "scipy")
"""Models' data types: loaded by pandas and MLflow when they are there, never used for tracking.

The image does not hold them. Where they are installed they cost memory, time and, pyarrow, a thread
that would run in the process that forks. They can be imported as ever once the server is loaded.
"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the workers serve."""

    asgi: Application | None  # all of MLflow; None where only Flask was asked for
    flask: WsgiApplication
    jobs: bool  # the job runner has to be started beside the server


def load(options: ServeOptions) -> Loaded:
    """Import MLflow, open its stores, ask them a question and close every connection again."""
    set_environment(options)
    # numpy would start a thread per core for matrices that nobody multiplies here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Collecting garbage while a million objects are made to stay costs a fifth of the imports.
    gc.disable()
    with _every_connection_closed_at_the_end():
        with _absent(NOT_IMPORTED):
            flask, asgi = _import_application(options)
        if not options.artifacts_only:
            _open_stores(options)
        jobs = jobs_wanted() and prepare_jobs(options)
        # Routes, templates and converters are compiled at the first request.
        flask.test_client().get(f"{static_prefix(options) or ''}/health")
    if asgi is not None:
        asgi = FlaskLane(
            asgi,
            flask,
            _served_by_flask_alone(flask, asgi, options),
            varies_by_origin=_checks_origins(asgi),
        )
    return Loaded(asgi, flask, jobs)


def _checks_origins(asgi: Any) -> bool:
    """Whether MLflow's security middlewares are on (MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE)."""
    from starlette.middleware.cors import CORSMiddleware

    return any(middleware.cls is CORSMiddleware for middleware in asgi.user_middleware)


def _import_application(options: ServeOptions) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="starlette.middleware.wsgi is deprecated")
        flask = importlib.import_module("mlflow.server").app
        if options.app_name is None:
            if options.kind == "gunicorn":
                return flask, None
            return flask, importlib.import_module("mlflow.server.fastapi_app").app
        return _import_app(options, flask)


def _import_app(options: ServeOptions, flask: Any) -> tuple[Any, Any]:
    """One of MLflow's apps (its entry points), such as `basic-auth`."""
    server = importlib.import_module("mlflow.server")
    from mlflow.exceptions import MlflowException

    try:
        target = server._find_app(options.app_name)
    except MlflowException as error:
        raise CannotStart(f"--app-name is {options.app_name!r}: {error.message}") from None
    try:
        if options.app_name == "basic-auth":
            # Once, before any worker: they would all make the same administrator.
            server._bootstrap_basic_auth()
            os.environ["_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED"] = "true"
        module, _, name = target.partition(":")
        made = getattr(importlib.import_module(module), name)
        application = made() if server._is_factory(target) else made
    except MlflowException as error:
        raise CannotStart(f"--app-name is {options.app_name!r}: {error.message}") from None
    if options.kind == "gunicorn":
        return application, None
    return flask, application


def _open_stores(options: ServeOptions) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.server import handlers

    if os.environ.get("MLFLOW_PLATFORM_TRACKING_STORE") == "fast":
        importlib.import_module("mlflow_platform_server.tracking_store").register()
    try:
        handlers.initialize_backend_stores(
            options.backend_store_uri,
            options.registry_store_uri or options.backend_store_uri,
            os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"],
            workspace_store_uri=options.workspace_store_uri,
            read_replica_backend_store_uri=options.read_replica_backend_store_uri,
        )
    except MlflowException as error:
        raise CannotStart(f"MLflow cannot use its backend store: {error.message}") from None
    # The statement of the readiness probe: mapped and compiled here, not at the first request.
    handlers._get_tracking_store().search_experiments(max_results=1)


@contextlib.contextmanager
def _absent(names: tuple[str, ...]) -> Generator[None]:
    """Importing these fails for a while, as where they are not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be found
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextlib.contextmanager
def _every_connection_closed_at_the_end() -> Generator[None]:
    """Two processes on one connection would read each other's answers."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    used: set[Engine] = set()

    def remember(connection: Any) -> None:
        used.add(connection.engine)

    event.listen(Engine, "engine_connect", remember)
    try:
        yield
    finally:
        event.remove(Engine, "engine_connect", remember)
        for engine in used:
            engine.dispose()


def _served_by_flask_alone(
    flask: Any, asgi: Any, options: ServeOptions
) -> Callable[[str, str], bool]:
    """Whether a path and method is Flask's: a fixed path that no native route of MLflow matches."""
    from starlette.routing import Match, Mount

    native = [route for route in asgi.routes if not isinstance(route, Mount)]

    def is_native(path: str, method: str) -> bool:
        scope = {"type": "http", "path": path, "method": method, "root_path": "", "headers": []}
        return any(route.matches(scope)[0] is not Match.NONE for route in native)

    fixed = {
        (rule.rule, method)
        for rule in flask.url_map.iter_rules()
        if not rule.arguments
        for method in rule.methods - {"OPTIONS"}
        if not is_native(rule.rule, method)
    }
    if options.app_name == "basic-auth":
        from mlflow.server.auth import _find_fastapi_validator

        fixed = {item for item in fixed if _find_fastapi_validator(*item) is None}
    elif options.app_name is not None:
        fixed = set()  # somebody else's app may do anything around MLflow's

    return lambda path, method: (path, method) in fixed
