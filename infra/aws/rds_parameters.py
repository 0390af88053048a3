"""PostgreSQL's parameters on RDS: what every place has, and what RDS alone knows.

Owns how each parameter is applied (a static one waits for a restart, a dynamic one is in force at
once) and TLS, which is not optional. The values themselves stand in `infra.database_tuning`.
"""

from __future__ import annotations

import pulumi_aws as aws

from infra.database_tuning import STATIC, parameters, rds_spelling
from infra.settings_instance_classes import memory_gib
from infra.settings_model import PlatformSettings

OF_RDS = {"rds.force_ssl": "1"}


def postgres_parameters(settings: PlatformSettings) -> dict[str, str]:
    """Parameters by name, as RDS spells their values."""
    memory = memory_gib(settings.aws.rds.instance_class)
    tuned = parameters(settings, None if memory is None else memory * 1024)
    return {**rds_spelling(tuned), **OF_RDS}


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
