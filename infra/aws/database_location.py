"""Where the backend store answers on AWS: a database of ours, or one that the settings name.

Owns what the rest of the platform is told of either, so that nobody asks which one it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi

from infra.aws.rds import Database
from infra.database_endpoint import DatabaseEndpoint
from infra.settings_model import PlatformSettings

LEAST_SSL_MODE = "require"
"""What a database of ours demands (`rds.force_ssl`); libpq's own default would fall back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseLocation:
    """The backend store."""

    host: pulumi.Input[str]
    password: pulumi.Output[str] | None  # None: the server proves itself in another way
    password_secret_arn: pulumi.Output[str] | None  # None: in no secret that we know of
    made: Database | None  # None: it is not ours

    def url(self, settings: PlatformSettings) -> pulumi.Output[str]:
        """SQLAlchemy's address of it, without a password."""
        database = settings.database
        endpoint = DatabaseEndpoint(
            host="",
            port=database.port,
            name=database.name,
            user=database.user,
            ssl_mode=database.ssl_mode or LEAST_SSL_MODE,
        )
        return pulumi.Output.from_input(self.host).apply(
            lambda host: replace(endpoint, host=host).url()
        )


def made_database(database: Database) -> DatabaseLocation:
    """The database of this stack."""
    return DatabaseLocation(
        host=database.address,
        password=database.password,
        password_secret_arn=database.password_secret_arn,
        made=database,
    )


def adopted_database(settings: PlatformSettings) -> DatabaseLocation:
    """The database in `backendStoreUri`."""
    password = settings.database.password
    return DatabaseLocation(
        host=settings.database.host,
        password=None if password is None else pulumi.Output.secret(password),
        password_secret_arn=None,
        made=None,
    )
