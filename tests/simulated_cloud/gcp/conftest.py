"""A desk at the simulated Google Cloud."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.desk import Desk, Resource

PROJECT = "mlops-platform-test"
REGION = "europe-west3"

_numbers = itertools.count()


class GcpDesk(Desk):
    """A desk at which `name` is what Google calls a resource, as it is for nearly all of them."""

    def create(self, token: str, /, **inputs: Any) -> Resource:  # type: ignore[override]
        return self.make(token, f"it-{next(_numbers)}", inputs)


@pytest.fixture(scope="module")
def gcp(cloud: SimulatedCloud) -> GcpDesk:
    return GcpDesk("gcp", cloud.ports["gcp"], project=PROJECT, region=REGION)
