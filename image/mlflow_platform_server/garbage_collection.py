"""`gc`: MLflow's own removal of deleted runs, with the password that the server logs in with.

Owns only where the password comes from; what is removed is `mlflow gc`'s decision: runs and
experiments that a user deleted, when they have been deleted for as long as is asked, and their
artifacts.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_platform_server.database_tokens import give_each_connection_its_token, token_source
from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.mlflow_environment import check_mlflow_version


def collect_garbage(uri: str, token: str, arguments: Sequence[str]) -> None:
    """Remove for good what was deleted in the store at `uri`.

    Args:
        uri: the backend store.
        token: where passwords come from (`--database-login`).
        arguments: more of `mlflow gc`'s own, such as `--older-than 30d`.

    Raises:
        CannotStart: MLflow refuses, in its words.
    """
    check_mlflow_version()
    tokens = token_source(token)
    if tokens:
        give_each_connection_its_token(tokens)
    import click
    from mlflow.cli import gc
    from mlflow.exceptions import MlflowException

    try:
        gc.main(["--backend-store-uri", uri, *arguments], standalone_mode=False)
    except click.ClickException as error:
        raise CannotStart(f"gc: {error.format_message()}") from None
    except MlflowException as error:
        raise CannotStart(f"gc: {error}") from None
