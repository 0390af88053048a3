"""The package `gcp`: its types, its functions, its configuration.

Owns the list of families and what a provider's configuration means here: project and region count;
credentials are never asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from simulated_cloud.errors import InputProblem
from simulated_cloud.file_store import FileStore
from simulated_cloud.gcp import (
    cloudrun,
    compute,
    functions,
    iam,
    kms,
    network_services,
    other_services,
    secretmanager,
    sql,
    storage,
)
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.package import Package
from simulated_cloud.property_values import Properties

FAMILIES = (
    cloudrun,
    compute,
    iam,
    kms,
    network_services,
    other_services,
    secretmanager,
    sql,
    storage,
)

_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION = re.compile(r"[a-z]+-[a-z]+\d+")


class GcpPackage(Package):
    """The types of `pulumi_gcp` that the stacks use."""

    name = "gcp"
    version = version("pulumi-gcp")

    def __init__(self, store: FileStore) -> None:
        """Keep resources in `store`."""
        types: list[Any] = [type_() for family in FAMILIES for type_ in family.TYPES]
        super().__init__(types, functions.FUNCTIONS)
        self._store = store

    def check_configuration(self, config: Properties) -> Iterable[InputProblem]:
        """Yield what is wrong with a provider's configuration."""
        for key, pattern in (("project", _PROJECT), ("region", _REGION)):
            value = config.get(key)
            if value and not pattern.fullmatch(str(value)):
                yield InputProblem(key, f"{value} is no {key} of Google Cloud")

    def configure(self, config: Properties) -> GcpCloud:
        """Return the project in the configured region."""
        return GcpCloud(
            self._store, str(config.get("project") or ""), str(config.get("region") or "")
        )
