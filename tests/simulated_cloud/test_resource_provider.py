"""What every simulated provider does with secrets, unknowns, references and unknown types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.property_values import UNKNOWN, Secret
from simulated_cloud import SimulatedCloud
from simulated_cloud.aws.cloud import MotoAccount
from simulated_cloud.comparison import in_words, same
from simulated_cloud.property_values import Secret as ProviderSecret
from simulated_cloud.property_values import clear, from_struct, hide, to_struct
from tests.simulated_cloud.desk import SEED, Desk, Refused

VPC = "aws:ec2/vpc:Vpc"
PASSWORD = "random:index/randomPassword:RandomPassword"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


class TestWire:
    """Values survive the wire; what was secret in the input is secret in the output."""

    @given(st.dictionaries(st.text(max_size=5), VALUES))
    def test_round_trip(self, properties: dict[str, object]) -> None:
        assert from_struct(to_struct(properties)) == properties

    @given(VALUES)
    def test_a_secret_stays_one(self, value: object) -> None:
        wrapped = from_struct(to_struct({"it": ProviderSecret(value)}))["it"]
        assert isinstance(wrapped, ProviderSecret)
        assert isinstance(hide(clear(wrapped), wrapped), ProviderSecret)
        assert "hunter2" not in repr(ProviderSecret("hunter2"))


class TestComparison:
    """A value is itself, in whatever order a list stands; a change is a change."""

    @given(VALUES)
    def test_reflexive(self, value: object) -> None:
        assert same(value, value)

    @given(st.lists(st.integers(), min_size=2, unique=True))
    def test_order(self, items: list[int]) -> None:
        turned = items[1:] + items[:1]
        assert same(items, turned)
        assert not same(items, turned, ordered=True)
        assert in_words(items, turned) == items

    @pytest.mark.parametrize(
        ("one", "other", "equal"),
        [
            ('{"a": [1, 2]}', '{"a":[2,1]}', True),
            ('{"Action": ["x"]}', '{"Action": "x"}', True),
            ('{"a": 1}', '{"a": 2}', False),
            (5, "5", True),
            (True, "true", True),
            (None, [], True),
            (None, False, False),
            ("", None, False),
            ({"a": "b"}, {"a": "b", "c": "d"}, False),
        ],
    )
    def test_what_means_the_same(self, one: object, other: object, equal: bool) -> None:
        assert same(one, other) is equal

    def test_what_an_api_adds(self) -> None:
        assert same({"a": 1}, {"a": 1, "b": 2}, whole=False)
        assert not same({"a": 1}, {"b": 2}, whole=False)
        assert in_words({"a": 1}, {"a": 1, "b": 2}) == {"a": 1, "b": 2}


class TestProvider:
    """The protocol's promises, on the providers there are."""

    def test_an_unsupported_type_is_refused_by_name(self, aws: Desk) -> None:
        with pytest.raises(Refused) as refused:
            aws.create("aws:ec2/instance:Instance", ami="ami-1")
        assert "the simulated cloud has no type aws:ec2/instance:Instance" in str(refused.value)

    def test_an_unsupported_function_too(self, aws: Desk) -> None:
        with pytest.raises(Refused, match="has no function aws:ec2/getAmi:getAmi"):
            aws.invoke("aws:ec2/getAmi:getAmi")

    def test_outputs_are_unknown_in_a_preview(self, aws: Desk) -> None:
        urn = f"urn:pulumi:dev::test::{VPC}::it"
        checked = aws.check(urn, {}, {"cidrBlock": "10.0.0.0/16"})
        state = aws.state(urn, VPC, checked)
        planned = aws.client.create(state, preview=True)
        assert planned.outputs is not None
        assert planned.outputs["cidrBlock"] == "10.0.0.0/16"
        assert planned.outputs["arn"] is UNKNOWN
        assert planned.outputs["defaultSecurityGroupId"] is UNKNOWN

    def test_a_secret_input_is_a_secret_output(self, aws: Desk) -> None:
        vpc = aws.create(VPC, cidrBlock="10.0.0.0/16", tags={"Name": Secret("hidden")})
        assert isinstance(vpc.state.outputs["tags"]["Name"], Secret)
        assert "hidden" not in repr(vpc.state.outputs["tags"])

    def test_unknown_inputs_are_not_judged(self, aws: Desk) -> None:
        urn = f"urn:pulumi:dev::test::{VPC}::it"
        _, failures = aws.client.check(urn, {}, {"cidrBlock": UNKNOWN}, SEED, preview=True)
        assert failures == []

    def test_two_providers_are_told_apart(self, cloud: SimulatedCloud) -> None:
        here = Desk("aws", cloud.ports["aws"], region="eu-central-1")
        there = Desk("aws", cloud.ports["aws"], region="us-west-2")
        assert here.invoke("aws:index/getRegion:getRegion")["name"] == "eu-central-1"
        assert there.invoke("aws:index/getRegion:getRegion")["name"] == "us-west-2"

    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ({}, "Missing region configuration"),
            ({"region": "europe"}, "invalid AWS Region: europe"),
            (
                {"region": "eu-central-1", "allowedAccountIds": '["1"]'},
                "AWS account ID not allowed: 123456789012",
            ),
        ],
    )
    def test_configuration(self, cloud: SimulatedCloud, config: dict[str, str], words: str) -> None:
        with pytest.raises(Refused, match=words):
            Desk("aws", cloud.ports["aws"], **config)


class TestNoRealCloud:
    """From a simulated cloud no other can be reached."""

    def test_an_endpoint_that_is_not_here(self) -> None:
        with pytest.raises(ValueError, match="is on this machine, not at https"):
            MotoAccount("https://ec2.amazonaws.com")

    def test_whatever_the_environment_says(
        self, cloud: SimulatedCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "https://sts.amazonaws.com")
        monkeypatch.setenv("AWS_PROFILE", "production")
        client = MotoAccount(cloud.aws_endpoint).client("sts", "eu-central-1")
        assert client.meta.endpoint_url == cloud.aws_endpoint
        assert client.get_caller_identity()["Account"] == "123456789012"


class TestRandom:
    """Random values are drawn once, with the characters that were asked for."""

    @pytest.fixture(scope="class")
    def desk(self, cloud: SimulatedCloud) -> Desk:
        return Desk("random", cloud.ports["random"])

    def test_a_password(self, desk: Desk) -> None:
        password = desk.create(PASSWORD, length=40, special=False, minNumeric=5)
        assert len(password["result"]) == 40
        assert password["result"].isalnum()
        assert sum(char.isdigit() for char in password["result"]) >= 5
        assert isinstance(password.state.outputs["result"], Secret)
        assert password.replaced_by(length=41, special=False, minNumeric=5) == {"length"}

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"length": 0}, "must be at least 1, got: 0"),
            ({"length": 3, "minUpper": 4}, "must be at least 4, got: 3"),
            (
                {"length": 3, **dict.fromkeys(("lower", "upper", "numeric", "special"), False)},
                "At least one of lower, upper, numeric, special must be true",
            ),
        ],
    )
    def test_refusals(self, desk: Desk, inputs: dict[str, object], words: str) -> None:
        with pytest.raises(Refused, match=words):
            desk.create(PASSWORD, **inputs)

    def test_an_id(self, desk: Desk) -> None:
        drawn = desk.create("random:index/randomId:RandomId", byteLength=4)
        assert len(drawn["hex"]) == 8
