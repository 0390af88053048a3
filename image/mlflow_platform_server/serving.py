"""From options to a running server, in the order in which it can fail.

Owns the sequence: version, port, database, imports, workers. What fails first costs least.
"""

from __future__ import annotations

import logging
import logging.config
import time
from collections.abc import Callable

from mlflow_platform_server.database_check import check_database
from mlflow_platform_server.database_tokens import give_each_connection_its_token, token_source
from mlflow_platform_server.job_runner import start_job_runner
from mlflow_platform_server.listening import address_of, bind
from mlflow_platform_server.mlflow_environment import check_mlflow_version
from mlflow_platform_server.serve_options import ServeOptions

logger = logging.getLogger("mlflow_platform_server")


def serve(options: ServeOptions) -> int:
    """Start, serve, end; returns the exit code.

    Raises:
        CannotStart: with the reason.
    """
    started = time.monotonic()
    mlflow = check_mlflow_version()
    listener = bind(options.host, options.port)
    tokens = token_source(options.database_login)
    if not options.artifacts_only:
        check_database(options.backend_store_uri, tokens, options.database_wait_seconds)
    if tokens:
        give_each_connection_its_token(tokens)

    # Here, not above: importing takes a second, and the checks before may make it pointless.
    from mlflow_platform_server.application import load
    from mlflow_platform_server.log_config import log_config
    from mlflow_platform_server.supervisor import Supervisor
    from mlflow_platform_server.worker import run_worker

    loaded = load(options)
    logging.config.dictConfig(log_config())
    if loaded.jobs:
        start_job_runner(options)
    logger.info(
        "MLflow %s serves %s with %d workers of %d threads, %.1f s after its start",
        *(mlflow, address_of(listener), options.workers, options.threads),
        time.monotonic() - started,
    )

    if options.kind == "gunicorn":
        from mlflow_platform_server.gunicorn_server import run_gunicorn

        return run_gunicorn(loaded, options, listener)

    def work(alive: Callable[[], None]) -> None:
        run_worker(loaded, options, listener, alive)

    return Supervisor(options, listener, work).run()
