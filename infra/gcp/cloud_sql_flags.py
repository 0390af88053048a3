"""PostgreSQL's parameters on Cloud SQL, as the instance's flags.

Owns what of them is Cloud SQL's own, and the memory that an instance's name tells. What every
database of ours is set to stands in `infra.database_tuning`.
"""

from __future__ import annotations

import re

from infra import database_tuning
from infra.settings import PlatformSettings

_CUSTOM_TIER = re.compile(r"db-custom-\d+-(?P<memory_mib>\d+)")


def database_flags(settings: PlatformSettings) -> dict[str, str]:
    """Flags by name."""
    values = database_tuning.parameters(settings, memory_mib(settings.gcp.cloud_sql.tier))
    if settings.cloud.database.authentication == "iam":
        values["cloudsql.iam_authentication"] = "on"
    return values


def memory_mib(tier: str) -> int | None:
    """Memory of a machine, from its name; None where that does not say it (`db-f1-micro`)."""
    match = _CUSTOM_TIER.fullmatch(tier)
    return int(match["memory_mib"]) if match else None
