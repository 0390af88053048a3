"""Is the schema at the revision that this image's MLflow wants? Runs inside the server's image.

Owns the last step of the migration Job: it brings the users' tables to head, which MLflow has no
command for that takes a token, then looks. Exit 0 when everything that was named is at head, 1 with
one sentence when it is not, so that no server starts on a schema it does not know: an upgrade ends
with 0 as well when it was pointed at another database than the server's.

The text of this file is the command, for an image holds MLflow and nothing of this repository.
"""

import sys
from pathlib import Path

import mlflow
import sqlalchemy
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

PARTS = {
    "tracking": ("store/db_migrations", "alembic_version"),
    "authentication": ("server/auth/db/migrations", "alembic_version_auth"),
}


def behind(engine: sqlalchemy.Engine, part: str) -> str | None:
    """A sentence when `part` of the schema is not at head."""
    folder, table = PARTS[part]
    (head,) = ScriptDirectory(str(Path(mlflow.__file__).parent / folder)).get_heads()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": table})
        found = context.get_current_revision()
    if found == head:
        return None
    return f"the {part} schema is at revision {found} and MLflow {mlflow.__version__} wants {head}"


def main(store: str, login: str, *parts: str) -> int:
    """Look at every part that is named; `login` says who makes passwords, or `password`."""
    if login != "password":
        from mlflow_platform_server import database_tokens

        tokens = database_tokens.token_source(login)
        if tokens:
            database_tokens.give_each_connection_its_token(tokens)
    engine = sqlalchemy.create_engine(store)
    if "authentication" in parts:
        # Two servers that find no users' tables both make them, and one crashes.
        from mlflow.server.auth.db import utils

        utils.migrate(engine, "head")
    problems = [problem for part in parts if (problem := behind(engine, part))]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
