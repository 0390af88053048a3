"""`operations cost`: quantities, prices, sums, differences, and what is not in them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from operations.cost_estimate import cost_of_change, estimate, signed, usd
from operations.cost_gcp import gib_of, quantity
from operations.cost_prices import FILE, read_prices
from policies.engine_documents import graph_of_preview
from policies.resource_graph import Resource, ResourceGraph
from smoke_tests.errors import CouldNotLook
from tests.operations.conftest import Operate

HOURS = 730
PRICES = read_prices()

RUN = "gcp:cloudrunv2/service:Service"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"
RDS = "aws:rds/instance:Instance"
PROVIDER = "pulumi:providers:aws"


def state(kind: str, name: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:s::p::{kind}::{name}", "type": kind, "inputs": inputs}


def run(minimum: int, *, idle: bool = True) -> dict[str, Any]:
    container = {"resources": {"cpuIdle": idle, "limits": {"cpu": "1", "memory": "512Mi"}}}
    template = {"scaling": {"minInstanceCount": minimum}, "containers": [container]}
    return state(RUN, "server", location="europe-west3", template=template)


def sql(**settings: Any) -> dict[str, Any]:
    own = {"tier": "db-custom-2-8192", "edition": "ENTERPRISE", "diskSize": 100, **settings}
    return state(SQL, "database", region="europe-west3", settings=own)


def aws(*states: dict[str, Any]) -> list[dict[str, Any]]:
    return [state(PROVIDER, "aws", region="eu-central-1"), *states]


def preview(*states: dict[str, Any], old: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"op": "update", "newState": one} for one in states]
    return {"steps": [*steps, *({"op": "same", "oldState": one} for one in old)]}


def graph(*states: dict[str, Any]) -> ResourceGraph:
    return graph_of_preview(preview(*states), "trial")


def costs(*states: dict[str, Any]) -> dict[str, float]:
    counted = estimate(graph(*states), PRICES)
    assert counted.without_price == ()
    return {line.item: round(line.monthly_usd, 2) for line in counted.lines}


class TestCloudRun:
    """Warm instances cost the idle rate, or the full one where the CPU is always allocated."""

    def test_none(self) -> None:
        assert costs(run(0)) == {}

    def test_idle(self) -> None:
        each = HOURS * 3600 * (1 * 0.0000035 + 0.5 * 0.0000035)
        assert (
            costs(run(1))
            == {"Cloud Run, warm instances": round(each, 2)}
            == {"Cloud Run, warm instances": 13.80}
        )

    def test_always_allocated(self) -> None:
        each = HOURS * 3600 * (1 * 0.0000216 + 0.5 * 0.0000024)
        assert costs(run(2, idle=False)) == {"Cloud Run, warm instances": round(2 * each, 2)}

    @pytest.mark.parametrize(
        ("written", "gib"), [("512Mi", 0.5), ("2Gi", 2.0), ("1048576Ki", 1.0), ("lots", None)]
    )
    def test_memory(self, written: str, gib: float | None) -> None:
        assert gib_of(written) == gib

    @pytest.mark.parametrize(("written", "cpus"), [("2", 2.0), ("500m", 0.5), (None, None)])
    def test_cpu(self, written: str | None, cpus: float | None) -> None:
        assert quantity(written) == cpus


class TestCloudSql:
    """A regional instance costs its standby once more; so does its disk."""

    def test_zonal(self) -> None:
        assert costs(sql(availabilityType="ZONAL")) == {
            "Cloud SQL": round(HOURS * (2 * 0.04956 + 8 * 0.0084), 2),
            "Cloud SQL, storage": 20.40,
        }

    def test_regional(self) -> None:
        zonal, regional = costs(sql(availabilityType="ZONAL")), sql(availabilityType="REGIONAL")
        assert costs(regional) == zonal | {
            "Cloud SQL standby (regional)": zonal["Cloud SQL"],
            "Cloud SQL standby (regional), storage": zonal["Cloud SQL, storage"],
        }


class TestAws:
    """Machines by the hour, disks by GiB, alarms by metric, endpoints by zone."""

    def test_database(self) -> None:
        one = state(
            RDS, "a", instanceClass="db.t4g.small", storageType="gp3", allocatedStorage=20,
            multiAz=True,
        )  # fmt: skip
        assert costs(*aws(one)) == {
            "RDS instance": 27.01,
            "RDS standby (Multi-AZ)": 27.01,
            "RDS instance, storage": 2.74,
            "RDS standby (Multi-AZ), storage": 2.74,
        }

    def test_a_replica_begins_with_its_primarys_disk(self) -> None:
        own = {"instanceClass": "db.t4g.small", "storageType": "gp3"}
        primary = state(RDS, "a", allocatedStorage=20, **own)
        replica = state(RDS, "b", replicateSourceDb="a", **own)
        replica["propertyDependencies"] = {"replicateSourceDb": [primary["urn"]]}
        assert costs(*aws(primary, replica))["RDS read replica, storage"] == 2.74

    def test_nodes(self) -> None:
        template = state(
            "aws:ec2/launchTemplate:LaunchTemplate",
            "t",
            blockDeviceMappings=[{"ebs": {"volumeSize": 50, "volumeType": "gp3"}}],
        )
        nodes = state(
            "aws:eks/nodeGroup:NodeGroup",
            "n",
            instanceTypes=["t3.large"],
            scalingConfig={"minSize": 2, "maxSize": 4},
        )
        nodes["propertyDependencies"] = {"launchTemplate": [template["urn"]]}
        assert costs(*aws(template, nodes)) == {"EKS nodes": 140.16, "EKS nodes' disks": 9.52}

    def test_endpoints(self) -> None:
        kind = "aws:ec2/vpcEndpoint:VpcEndpoint"
        gateway = state(kind, "s3", vpcEndpointType="Gateway", serviceName="com.amazonaws.x.s3")
        interface = state(
            kind, "kms", vpcEndpointType="Interface", subnetIds=["a", "b", "c"],
            serviceName="com.amazonaws.x.kms",
        )  # fmt: skip
        assert costs(*aws(gateway)) == {}
        assert costs(*aws(interface)) == {"VPC interface endpoints": 26.28}

    def test_alarms(self) -> None:
        kind = "aws:cloudwatch/metricAlarm:MetricAlarm"
        plain = state(kind, "a", metricName="CPUUtilization", period=60)
        quick = state(kind, "b", metricName="CPUUtilization", period=10)
        sums = [{"id": "share", "expression": "a/b"}, {"metric": {"period": 60}}]
        computed = state(kind, "c", metricQueries=[*sums, {"metric": {"period": 60}}])
        assert costs(*aws(plain)) == {"CloudWatch alarms": 0.10}
        assert costs(*aws(quick)) == {"CloudWatch alarms": 0.30}
        assert costs(*aws(computed)) == {"CloudWatch alarms": 0.20}

    def test_a_public_load_balancer_has_addresses(self) -> None:
        kind = "aws:lb/loadBalancer:LoadBalancer"
        inside = costs(*aws(state(kind, "a", internal=True, subnets=["a", "b"])))
        outside = costs(*aws(state(kind, "a", internal=False, subnets=["a", "b"])))
        assert outside == inside | {"Public IPv4 addresses": 7.30}


class TestNotIncluded:
    """Use is named; what has no price, or is of a kind nobody thought of, is told and not zero."""

    def test_by_use(self) -> None:
        counted = estimate(graph(run(1)), PRICES)
        assert counted.by_use == (
            "Cloud Run: time spent on requests, at the busy rate; instances that load adds",
        )

    def test_no_price_for_a_machine(self) -> None:
        one = state(RDS, "a", instanceClass="db.x9.huge", storageType="gp3", allocatedStorage=20)
        assert estimate(graph(*aws(one)), PRICES).without_price == (
            (
                "RDS instance (aws.rds.db.x9.huge in eu-central-1: no price in "
                "operations/cost_prices.yaml)"
            ),
        )

    def test_no_price_in_a_region(self) -> None:
        one = run(1)
        one["inputs"]["location"] = "mars-north1"
        counted = estimate(graph(one), PRICES)
        assert counted.lines == ()
        assert counted.without_price[0].startswith(
            "Cloud Run, warm instances (gcp.run.idle_vcpu in"
        )

    def test_a_kind_nobody_thought_of(self) -> None:
        counted = estimate(graph(state("gcp:bigtable/instance:Instance", "a")), PRICES)
        assert counted.without_price == (
            "gcp:bigtable/instance:Instance (what it costs is not known here)",
        )

    def test_this_machine_costs_nothing(self) -> None:
        assert costs(state("pulumi-python:dynamic:Resource", "postgres")) == {}


class TestDifference:
    """What a change costs, item by item, and nothing where nothing differs."""

    def test_of_a_preview(self) -> None:
        change = cost_of_change(preview(run(1), old=(run(0),)), "trial", PRICES)
        assert round(change.monthly_usd, 2) == 13.80
        assert change.markdown() == (
            "Monthly cost: $0.00 → $13.80 (**+$13.80**), list prices, without what depends on "
            "use.\n\n"
            "| Item | Before | After | Difference |\n"
            "|---|---:|---:|---:|\n"
            "| Cloud Run, warm instances | $0.00 | $13.80 | +$13.80 |\n"
        )

    def test_cheaper(self) -> None:
        change = cost_of_change(preview(run(0), old=(run(1),)), "trial", PRICES)
        assert [(item, round(old, 2), new) for item, old, new in change.items()] == [
            ("Cloud Run, warm instances", 13.80, 0.0)
        ]
        assert signed(change.monthly_usd) == "-$13.80"

    def test_none(self) -> None:
        change = cost_of_change(preview(run(1), old=(run(1),)), "trial", PRICES)
        assert change.markdown() == "Monthly cost: $13.80, unchanged.\n"

    def test_amounts(self) -> None:
        assert (usd(1234.5), usd(-0.1), signed(0)) == ("$1,234.50", "-$0.10", "+$0.00")


class TestCommand:
    """Text, JSON and Markdown of the same numbers; 1 where the sum is too low."""

    @pytest.fixture
    def files(self, tmp_path: Path) -> tuple[str, str]:
        for name, content in (("a", preview(run(1))), ("b", preview(run(0)))):
            (tmp_path / name).write_text(json.dumps(content))
        return str(tmp_path / "a"), str(tmp_path / "b")

    def test_text(self, operate: Operate, files: tuple[str, str]) -> None:
        ran = operate("cost", "--stack", "trial", "--preview", files[0])
        assert ran.code == 0
        assert ran.out.splitlines()[:12] == [
            "trial, europe-west3: USD a month",
            (
                "Cloud Run, warm instances                    13.80  1 x 1 vCPU, idle; "
                "1 x 0.5 GiB, idle"
            ),
            "together                                     13.80",
            "",
            "What warm instances cost, each 1 vCPU and 0.5 GiB, USD a month:",
            "minimum      CPU during requests  CPU always allocated",
            "0                           0.00                  0.00",
            f"1{13.80:>30}0{59.92:>22}  this stack, CPU during requests",
            (
                "Beside it, with CPU during requests: $0.13 for an hour of one instance busy with "
                "requests."
            ),
            "With 0, the first call after a pause waits 12 to 30 s for a cold start.",
            "",
            (
                f"List prices of {PRICES.as_of}, without tax, discounts and free tiers "
                "(operations/cost_prices.yaml says where each is from)."
            ),
        ]

    def test_against_another(self, operate: Operate, files: tuple[str, str]) -> None:
        words = ("--preview", files[0], "--against", "cold", "--against-preview", files[1])
        ran = operate("cost", "--stack", "trial", *words, "--json")
        assert (ran.code, ran.document["difference_usd"]) == (0, 13.80)
        assert ran.document["against"]["stack"] == "cold"
        assert ran.document["min_instances"] == [
            {"instances": 0, "idle_usd": 0.0, "always_allocated_usd": 0.0, "is_this_stack": False},
            {
                "instances": 1,
                "idle_usd": 13.8,
                "always_allocated_usd": 59.92,
                "is_this_stack": True,
            },
        ]
        source = ran.document["lines"][0]["prices"][0]
        assert source["source"] == "https://cloud.google.com/run/pricing"
        told = operate("cost", "--stack", "trial", *words).out
        assert "trial against cold: +$13.80 a month\n" in told

    def test_markdown(self, operate: Operate, files: tuple[str, str]) -> None:
        words = ("--preview", files[0], "--against", "cold", "--against-preview", files[1])
        told = operate("cost", "--stack", "trial", *words, "--markdown").out
        assert "**trial** (europe-west3): $13.80 a month\n\n| Item | What | USD a month |\n" in told
        assert "| Cloud Run, warm instances | $0.00 | $13.80 | +$13.80 |\n" in told
        assert "| 1 | $13.80 | $59.92 |\n" in told

    def test_too_low(self, operate: Operate, tmp_path: Path) -> None:
        file = tmp_path / "preview.json"
        file.write_text(json.dumps(preview(state("gcp:bigtable/instance:Instance", "a"))))
        ran = operate("cost", "--stack", "trial", "--preview", str(file))
        assert ran.code == 1
        assert ran.out.endswith(
            "Not included, since no price is known; the sum is too low:\n"
            "  gcp:bigtable/instance:Instance (what it costs is not known here)\n"
        )


class TestPriceFile:
    """Every price has a date, a unit, a region and a page; what was computed says how."""

    def test_ours(self) -> None:
        assert PRICES.as_of == date(2026, 11, 21)
        assert PRICES.hours_per_month == HOURS
        assert all(price.source.startswith("https://") for price in PRICES.prices.values())

    def test_each_stands_there_once(self) -> None:
        assert FILE.read_text("utf-8").count("  - id:") == len(PRICES.prices)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"usd": 0},
            {"per": "fortnight"},
            {"basis": "derived"},
            {"source": "a friend"},
        ],
        ids=str,
    )
    def test_refused(self, tmp_path: Path, wrong: dict[str, Any]) -> None:
        entry = {
            "id": "a", "usd": 1, "per": "hour", "region": "r", "source": "https://a",
            "basis": "listed",
        } | wrong  # fmt: skip
        file = tmp_path / "prices.yaml"
        file.write_text(
            json.dumps({"as_of": "2026-11-21", "hours_per_month": 730, "prices": [entry]})
        )
        with pytest.raises(CouldNotLook) as refused:
            read_prices(file)
        assert str(refused.value) == (
            "prices.yaml: the price a must be above 0, per one of hour, second, month, GiB-month, "
            "with an https source, a basis of listed, quoted, billed, derived and, where it was "
            "computed (billed, derived), how"
        )

    def test_an_unknown_field(self, tmp_path: Path) -> None:
        file = tmp_path / "prices.yaml"
        file.write_text("{as_of: 2026-11-21, hours_per_month: 730, prices: [{eur: 1}]}")
        with pytest.raises(CouldNotLook, match=r"^prices\.yaml holds a price that is none \("):
            read_prices(file)


def test_resources_are_counted_once() -> None:
    """Two of a kind cost twice."""
    kind = "aws:kms/key:Key"
    keys = (Resource(type=kind, urn=f"urn::{name}", properties={}) for name in "ab")
    both = ResourceGraph(stack="s", environment="s", is_production=False, resources=tuple(keys))
    assert estimate(both, PRICES).monthly_usd == 2.00
