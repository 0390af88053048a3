"""PostgreSQL's parameters on RDS, from the settings.

Owns which parameters the group carries and how each is applied: a static one waits for a restart,
a dynamic one is in force at once. TLS is not optional, and `max_connections` is the connection
budget's other half.
"""

from __future__ import annotations

import pulumi_aws as aws

from infra.settings_model import PlatformSettings

STATIC = frozenset({"max_connections", "shared_preload_libraries"})
"""Parameters that PostgreSQL reads when it starts (of those set here)."""


def postgres_parameters(settings: PlatformSettings) -> dict[str, str]:
    """Parameters by name, as RDS spells their values."""
    return {
        "rds.force_ssl": "1",
        "max_connections": str(settings.database.max_connections),
        "log_min_duration_statement": str(settings.telemetry.slow_query_ms),
        "log_lock_waits": "1",
        "log_temp_files": "10240",  # kB: a sort that did not fit its memory
        "shared_preload_libraries": "pg_stat_statements",
    }


def parameter_args(settings: PlatformSettings) -> list[aws.rds.ParameterGroupParameterArgs]:
    """The same as the parameter group takes them."""
    return [
        aws.rds.ParameterGroupParameterArgs(
            name=name,
            value=value,
            apply_method="pending-reboot" if name in STATIC else "immediate",
        )
        for name, value in sorted(postgres_parameters(settings).items())
    ]
