"""The address clients are given and the Host headers the server accepts agree."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.server.security_utils import is_allowed_host_header

from infra.server_address import allowed_hosts, tracking_uri
from tests.infra.stacks import stack

IN_A_CLUSTER = {
    "target": "aws",
    "ingressClassName": "nginx",
    "ingressHosts": '["mlflow.example.com", "runs.example.com"]',
    "ingressTlsSecret": "mlflow-tls",
}

NEIGHBOURS = '["mlflow.internal"]'
"""Without a name for them, a server that other machines reach is refused."""


class TestTheAddressClientsUse:
    """It is what the settings say, or where the server listens."""

    def test_of_a_stack_that_sets_nothing(self) -> None:
        assert tracking_uri(stack()) == "http://127.0.0.1:5000"

    @pytest.mark.parametrize(
        ("host", "uri"),
        [
            ("0.0.0.0", "http://127.0.0.1:5000"),
            ("::", "http://[::1]:5000"),
            ("::1", "http://[::1]:5000"),
            ("mlflow.internal", "http://mlflow.internal:5000"),
        ],
    )
    def test_where_the_server_listens(self, host: str, uri: str) -> None:
        assert tracking_uri(stack(serverHost=host, allowedHosts=NEIGHBOURS)) == uri

    def test_the_static_prefix_is_part_of_it(self) -> None:
        assert tracking_uri(stack(serverStaticPrefix="/mlflow")) == "http://127.0.0.1:5000/mlflow"

    def test_what_the_settings_say_goes_first(self) -> None:
        settings = stack(trackingUri="https://mlflow.company.com", serverHost="0.0.0.0")
        assert tracking_uri(settings) == "https://mlflow.company.com"

    def test_in_a_cluster_it_is_the_service_or_the_ingress(self) -> None:
        service = "http://mlflow.mlflow.svc.cluster.local:5000/mlflow"
        assert tracking_uri(stack(target="aws", serverStaticPrefix="/mlflow")) == service
        assert tracking_uri(stack(IN_A_CLUSTER)) == "https://mlflow.example.com"


class TestTheHostsAServerAnswersTo:
    """A name stands with its port and without it: MLflow compares literally."""

    def test_of_a_stack_that_sets_nothing(self) -> None:
        assert allowed_hosts(stack()) == (
            "localhost",
            "localhost:5000",
            "127.0.0.1",
            "127.0.0.1:5000",
            "[::1]",
            "[::1]:5000",
        )

    def test_in_a_cluster_the_names_of_service_and_ingress(self) -> None:
        hosts = allowed_hosts(stack(IN_A_CLUSTER))
        for name in (
            "mlflow.mlflow.svc.cluster.local",
            "mlflow.mlflow.svc",
            "mlflow.mlflow",
            "mlflow",
            "mlflow.example.com",
            "runs.example.com",
        ):
            assert {name, f"{name}:5000"} <= set(hosts)

    def test_every_interface_is_no_name(self) -> None:
        hosts = allowed_hosts(stack(allowedHosts=NEIGHBOURS))
        assert allowed_hosts(stack(serverHost="0.0.0.0", allowedHosts=NEIGHBOURS)) == hosts
        assert allowed_hosts(stack(serverHost="::", allowedHosts=NEIGHBOURS)) == hosts

    def test_a_public_address_brings_its_name_and_port(self) -> None:
        hosts = allowed_hosts(stack(trackingUri="https://mlflow.company.com:8443"))
        assert hosts[-3:] == (
            "mlflow.company.com",
            "mlflow.company.com:5000",
            "mlflow.company.com:8443",
        )

    def test_names_of_the_settings_are_added(self) -> None:
        hosts = allowed_hosts(stack(allowedHosts='["mlflow.internal", "proxy:8080"]'))
        assert hosts[-3:] == ("mlflow.internal", "mlflow.internal:5000", "proxy:8080")

    def test_an_ipv6_address_stands_in_brackets(self) -> None:
        hosts = allowed_hosts(stack(serverHost="2001:db8::5"))
        assert hosts[-2:] == ("[2001:db8::5]", "[2001:db8::5]:5000")
        added = allowed_hosts(stack(allowedHosts='["2001:db8::5", "[2001:db8::6]:80"]'))
        assert added[-3:] == ("[2001:db8::5]", "[2001:db8::5]:5000", "[2001:db8::6]:80")

    def test_everything_is_allowed_only_when_asked_for(self) -> None:
        assert "*" not in allowed_hosts(stack())
        assert allowed_hosts(stack(allowedHosts='["*"]'))[-1] == "*"

    def test_no_name_stands_twice(self) -> None:
        hosts = allowed_hosts(stack(serverHost="localhost", allowedHosts='["localhost"]'))
        assert len(hosts) == len(set(hosts))


class TestMlflowLetsTheClientsIn:
    """MLflow's own comparison accepts the Host header of the address that clients are given."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::1", "2001:db8::5", "box"])
    def test_where_the_server_listens(self, host: str) -> None:
        settings = stack(serverHost=host, allowedHosts=NEIGHBOURS)
        header = urlsplit(tracking_uri(settings)).netloc
        assert is_allowed_host_header(list(allowed_hosts(settings)), header)

    @given(st.from_regex(r"https?://[a-z][a-z0-9.-]{0,20}[a-z](:[1-9][0-9]{1,3})?", fullmatch=True))
    def test_a_public_address(self, uri: str) -> None:
        settings = stack(trackingUri=uri)
        header = urlsplit(tracking_uri(settings)).netloc
        assert is_allowed_host_header(list(allowed_hosts(settings)), header)

    def test_a_stranger_stays_out(self) -> None:
        hosts = list(allowed_hosts(stack(trackingUri="https://mlflow.company.com")))
        for header in ("evil.example", "10.0.0.1", "mlflow.company.com.evil.example", ""):
            assert not is_allowed_host_header(hosts, header)
