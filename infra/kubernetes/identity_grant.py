"""The database takes the server's identity for a password. Runs inside the server's image.

Owns the first step of the migration Job with `databaseAuthentication: iam`: RDS refuses tokens of a
user that is no member of `rds_iam`, and only who can log in with a password can make it one. So
the step reads the password that RDS keeps in Secrets Manager, once; afterwards the user's tokens
work, its password does not, and the step ends at the first look. The server's role may read that
secret for this reason; it says nothing that the role's token does not.

The text of this file is the command, for an image holds MLflow and nothing of this repository.
"""

import json
import os
import sys
from importlib import import_module
from typing import Any

import sqlalchemy
from sqlalchemy.exc import OperationalError

from mlflow_platform_server import database_tokens

KEPT_IN = "DATABASE_SECRET_ARN"
"""The variable that names the secret with the user's password."""


def connected(url: sqlalchemy.URL, password: str) -> sqlalchemy.Connection:
    """A connection of its own, closed when it is closed."""
    engine = sqlalchemy.create_engine(url.set(password=password), poolclass=sqlalchemy.NullPool)
    return engine.connect()


def grant(url: sqlalchemy.URL, password: str) -> None:
    """Log in with the password and join `rds_iam`."""
    with connected(url, password) as connection:
        user = connection.dialect.identifier_preparer.quote(url.username or "")
        connection.execute(sqlalchemy.text(f"GRANT rds_iam TO {user}"))
        connection.commit()


def refusal(url: sqlalchemy.URL, token: str) -> str | None:
    """What the database says of the token; None when it takes it."""
    try:
        connected(url, token).close()
    except OperationalError as error:
        return str(error.orig).strip()
    return None


def kept_password(secret: str) -> str:
    """What RDS keeps for the user."""
    boto3: Any = import_module("boto3")  # which has no types
    kept: str = boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    return str(json.loads(kept)["password"])


def main(store: str) -> int:
    """Make the user's tokens good, unless they are."""
    url = sqlalchemy.make_url(store)
    tokens = database_tokens.AwsTokens()

    def token() -> str:
        return tokens.password_for({"user": url.username, "host": url.host, "port": url.port})

    if refusal(url, token()) is None:
        return 0
    try:
        grant(url, kept_password(os.environ[KEPT_IN]))
    except OperationalError as error:
        sys.stderr.write(
            f"the database takes neither the server's token nor the password of {url.username} in "
            f"Secrets Manager ({str(error.orig).strip()}): reset the master password of the "
            "instance, and run this Job again\n"
        )
        return 1
    sys.stderr.write(f"{url.username} is a member of rds_iam: from now on tokens log in\n")
    problem = refusal(url, token())
    if problem:
        sys.stderr.write(
            f"the database refuses the server's token still ({problem}): see that the server's "
            "role may rds-db:connect and that the instance has IAM authentication enabled\n"
        )
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
