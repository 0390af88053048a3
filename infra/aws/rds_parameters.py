"""PostgreSQL's parameters on RDS, from the settings.

Owns which parameters the group carries and how each is applied: a static one waits for a restart,
a dynamic one is in force at once. TLS is not optional; what every database of ours is set to stands
in `infra.database_tuning`.
"""

from __future__ import annotations

import pulumi_aws as aws

from infra import database_tuning
from infra.settings_instance_classes import memory_gib
from infra.settings_model import PlatformSettings

STATIC = database_tuning.STATIC | {"shared_preload_libraries"}
"""Parameters that PostgreSQL reads when it starts (of those set here)."""


def postgres_parameters(settings: PlatformSettings) -> dict[str, str]:
    """Parameters by name, as RDS spells their values."""
    gib = memory_gib(settings.aws.rds.instance_class)
    shared = database_tuning.parameters(settings, None if gib is None else gib * 1024)
    return {
        **database_tuning.rds_spelling(shared),
        "rds.force_ssl": "1",
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
