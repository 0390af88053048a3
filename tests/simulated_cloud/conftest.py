"""One simulated cloud per test module, and desks at its providers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import simulated_cloud
from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.desk import Desk

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCloud]:
    with simulated_cloud.running(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture(scope="module")
def aws(cloud: SimulatedCloud) -> Desk:
    return Desk("aws", cloud.ports["aws"], region=REGION)


@pytest.fixture(scope="module")
def tagged_aws(cloud: SimulatedCloud) -> Desk:
    """A provider with default tags."""
    tags = '{"tags": {"project": "test"}}'
    return Desk("aws", cloud.ports["aws"], region=REGION, defaultTags=tags)
