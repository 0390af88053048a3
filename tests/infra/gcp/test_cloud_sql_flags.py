"""Cloud SQL gets what every database of ours is set to, sized by the machine's name."""

from __future__ import annotations

import pytest

from infra.database_tuning import parameters
from infra.gcp.cloud_sql_flags import database_flags, memory_mib
from tests.infra.stacks import stack


class TestFlags:
    """The shared table, and what is Cloud SQL's own."""

    def test_sized_by_the_machine(self) -> None:
        settings = stack(
            target="gcp", databaseTier="db-custom-2-7680", databaseAuthentication="password"
        )
        assert database_flags(settings) == parameters(settings, 7680)

    def test_identities_need_a_flag(self) -> None:
        settings = stack(
            target="gcp", databaseTier="db-custom-2-7680", databaseAuthentication="iam"
        )
        assert database_flags(settings) == {
            **parameters(settings, 7680),
            "cloudsql.iam_authentication": "on",
        }

    @pytest.mark.parametrize(
        ("tier", "memory"), [("db-custom-2-7680", 7680), ("db-f1-micro", None), ("x", None)]
    )
    def test_memory(self, tier: str, memory: int | None) -> None:
        assert memory_mib(tier) == memory
