"""Networks and Cloud SQL behave, and refuse, as Google's do."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.desk import Desk, Refused, Resource

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
ADDRESS = "gcp:compute/globalAddress:GlobalAddress"
CONNECTION = "gcp:servicenetworking/connection:Connection"
INSTANCE = "gcp:sql/databaseInstance:DatabaseInstance"
USER = "gcp:sql/user:User"

_numbers = itertools.count()


def fresh(word: str) -> str:
    return f"{word}-{next(_numbers)}"


@pytest.fixture
def network(gcp: Desk) -> Resource:
    return gcp.create(NETWORK, name=fresh("net"), autoCreateSubnetworks=False)


@pytest.fixture
def peered(gcp: Desk, network: Resource) -> Resource:
    addresses = gcp.create(
        ADDRESS,
        name=fresh("range"),
        network=network.id,
        purpose="VPC_PEERING",
        addressType="INTERNAL",
        prefixLength=20,
    )
    gcp.create(
        CONNECTION,
        network=network.id,
        service="servicenetworking.googleapis.com",
        reservedPeeringRanges=[addresses["name"]],
    )
    return network


def private(network: Resource, **more: Any) -> dict[str, Any]:
    """An instance's inputs with a private address in `network`."""
    configuration = {"ipv4Enabled": False, "privateNetwork": network.id}
    wanted = {"tier": "db-custom-2-7680", "ipConfiguration": configuration, "diskSize": 20, **more}
    return {"name": fresh("db"), "databaseVersion": "POSTGRES_16", "settings": wanted}


class TestNetwork:
    """A network is named by project, and goes only when nothing is in it."""

    def test_life(self, gcp: Desk, network: Resource) -> None:
        assert network.id == f"projects/mlops-platform-test/global/networks/{network['name']}"
        subnet = gcp.create(
            SUBNETWORK, name=fresh("sub"), network=network.id, ipCidrRange="10.0.0.0/24"
        )
        assert subnet["gatewayAddress"] == "10.0.0.1"
        assert subnet["region"] == "europe-west3"
        with pytest.raises(Refused, match=r"already being used by .*InUseByAnotherResource"):
            network.delete()
        subnet.delete()
        network.delete()

    def test_a_second_of_the_same_name(self, gcp: Desk, network: Resource) -> None:
        with pytest.raises(Refused, match=r"Error 409: .* already exists, alreadyExists$"):
            gcp.create(NETWORK, name=network["name"])

    def test_no_name(self, gcp: Desk) -> None:
        with pytest.raises(Refused, match='"name" \\("Net_1"\\) doesn\'t match regexp'):
            gcp.create(NETWORK, name="Net_1")

    @pytest.mark.parametrize(
        ("cidr", "words"),
        [
            ("10.0.0.128/24", "Must be a CIDR address range"),
            ("10.0.0.128/25", "conflicts with existing subnetwork"),
        ],
    )
    def test_range_that_clashes(self, gcp: Desk, network: Resource, cidr: str, words: str) -> None:
        gcp.create(SUBNETWORK, name=fresh("a"), network=network.id, ipCidrRange="10.0.0.0/24")
        with pytest.raises(Refused, match=words):
            gcp.create(SUBNETWORK, name=fresh("b"), network=network.id, ipCidrRange=cidr)

    def test_the_same_range_in_another_network(self, gcp: Desk, network: Resource) -> None:
        other = gcp.create(NETWORK, name=fresh("net"))
        for place in (network, other):
            gcp.create(SUBNETWORK, name=fresh("s"), network=place.id, ipCidrRange="10.7.0.0/24")

    def test_network_that_is_not_there(self, gcp: Desk) -> None:
        with pytest.raises(Refused, match=r"Error 404: The resource 'nowhere' was not found"):
            gcp.create(SUBNETWORK, name=fresh("s"), network="nowhere", ipCidrRange="10.0.0.0/24")


class TestInstance:
    """An instance keeps what it was given, and drift of it is seen."""

    def test_life(self, cloud: SimulatedCloud, gcp: Desk, peered: Resource) -> None:
        inputs = private(peered)
        instance = gcp.create(INSTANCE, **inputs, deletionProtection=False)
        assert instance["privateIpAddress"] == "10.64.0.3"
        assert instance["publicIpAddress"] == ""
        assert instance["connectionName"] == f"mlops-platform-test:europe-west3:{inputs['name']}"

        store = cloud.store("gcp")
        changed = store.get(INSTANCE, instance.id) or {}
        changed["settings"]["ipConfiguration"]["ipv4Enabled"] = True
        store.put(INSTANCE, instance.id, changed)
        assert "settings" in instance.drift()
        instance.repair(**inputs, deletionProtection=False)
        instance.delete()

    def test_protected(self, gcp: Desk, peered: Resource) -> None:
        instance = gcp.create(INSTANCE, **private(peered))
        with pytest.raises(Refused, match="is protected from deletion: set deletionProtection to"):
            instance.delete()

    def test_needs_private_services(self, gcp: Desk, network: Resource) -> None:
        with pytest.raises(Refused, match="private services access is not enabled on projects/"):
            gcp.create(INSTANCE, **private(network), deletionProtection=False)

    def test_storage_does_not_shrink(self, gcp: Desk, peered: Resource) -> None:
        inputs = private(peered)
        instance = gcp.create(INSTANCE, **inputs, deletionProtection=False)
        inputs["settings"] = {**inputs["settings"], "diskSize": 10}
        with pytest.raises(Refused, match=r"The disk size cannot decrease \(from 20 to 10\)"):
            instance.update(**inputs, deletionProtection=False)

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"tier": "db.t3.small"}, r"Invalid Tier \(db.t3.small\)"),
            ({"diskSize": 5}, "must be at least 10 GB, got 5"),
            ({"diskAutoresizeLimit": 15}, r"must be at least diskSize \(20\), got 15"),
            (
                {"backupConfiguration": {"transactionLogRetentionDays": 14}},
                "must be between 1 and 7, got 14",
            ),
            (
                {"backupConfiguration": {"backupRetentionSettings": {"retainedBackups": 400}}},
                "must be between 1 and 365, got 400",
            ),
            (
                {"databaseFlags": [{"name": "max_connections", "value": "5"}]},
                "flag value 5 is out of range for max_connections",
            ),
        ],
    )
    def test_refused(
        self, gcp: Desk, peered: Resource, settings: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(Refused, match=words):
            gcp.create(INSTANCE, **private(peered, **settings))

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"databaseVersion": "POSTGRES_9_6"}, "expected one of POSTGRES_16"),
            ({"name": "Upper"}, r'invalid instance name \("Upper"\)'),
            ({"name": "x" * 90}, "together exceed 98 characters"),
        ],
    )
    def test_refused_as_a_whole(
        self, gcp: Desk, peered: Resource, inputs: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(Refused, match=words):
            gcp.create(INSTANCE, **{**private(peered), **inputs})

    def test_identity_is_written_short(self, gcp: Desk, peered: Resource) -> None:
        instance = gcp.create(INSTANCE, **private(peered), deletionProtection=False)
        with pytest.raises(Refused, match=r'must not end with ".gserviceaccount.com"'):
            gcp.create(
                USER,
                name="me@p.iam.gserviceaccount.com",
                instance=instance["name"],
                type="CLOUD_IAM_SERVICE_ACCOUNT",
            )
