"""A stack's outputs are a contract: what is promised is there, and secrets stay out of sight."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.outputs import OutputsError, PlatformOutputs, camel_case

REQUIRED = {
    "environment": "local",
    "target": "local",
    "trackingUri": "http://127.0.0.1:5000",
    "healthUrl": "http://127.0.0.1:5000/health",
    "experimentName": "integration-test",
    "artifactRoot": "/srv/artifacts",
    "backendStore": "postgresql+psycopg://mlflow@127.0.0.1:5432/mlflow",
    "authentication": "off",
    "mlflowVersion": "3.17.2",
    "connectionBudget": "1 replica × …",
    "clientEnvironment": {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5000"},
}


class TestWhatIsPromisedIsThere:
    """An absent output is named together with what to do about it."""

    def test_the_required_ones_are_enough(self) -> None:
        outputs = PlatformOutputs.from_mapping(REQUIRED)
        assert outputs.tracking_uri == "http://127.0.0.1:5000"
        assert outputs.client_environment == REQUIRED["clientEnvironment"]
        optional = {item.name: getattr(outputs, item.name) for item in fields(outputs)}
        given = {name for name in optional if camel_case(name) in REQUIRED}
        assert {optional[name] for name in optional.keys() - given} == {None}

    @pytest.mark.parametrize("absent", REQUIRED)
    def test_each_absent_one_is_named(self, absent: str) -> None:
        outputs = {key: value for key, value in REQUIRED.items() if key != absent}
        with pytest.raises(OutputsError) as error:
            PlatformOutputs.from_mapping(outputs)
        assert str(error.value) == (
            f"the stack exports no {absent}: it was never deployed, or its last `up` failed; run "
            "`make up` for this stack, which prints them"
        )

    def test_all_absent_ones_are_named_together(self) -> None:
        with pytest.raises(OutputsError, match="exports no environment, target, trackingUri, "):
            PlatformOutputs.from_mapping({})

    def test_outputs_of_a_newer_program_are_ignored(self) -> None:
        outputs = PlatformOutputs.from_mapping({**REQUIRED, "somethingNew": 1})
        assert outputs == PlatformOutputs.from_mapping(REQUIRED)

    @pytest.mark.parametrize("port", [5432, 5432.0, "5432"])
    def test_a_port_is_a_whole_number_however_json_spells_it(self, port: object) -> None:
        outputs = PlatformOutputs.from_mapping({**REQUIRED, "databasePort": port})
        assert (outputs.database_port, type(outputs.database_port)) == (5432, int)


class TestSecretsStayOutOfSight:
    """Printing the outputs, or an error about them, shows no password."""

    @given(st.from_regex(r"[A-Za-z0-9!$%&]{12,40}", fullmatch=True))
    def test_the_representation(self, password: str) -> None:
        outputs = PlatformOutputs.from_mapping(
            {**REQUIRED, "databasePassword": password, "authAdminPassword": password}
        )
        assert password not in repr(outputs)
        assert (outputs.database_password, outputs.auth_admin_password) == (password, password)


class TestNamesInPulumisConvention:
    """An attribute and its output differ in spelling alone."""

    def test_camel_case(self) -> None:
        assert camel_case("tracking_uri") == "trackingUri"
        assert camel_case("auth_admin_password") == "authAdminPassword"
        assert camel_case("target") == "target"

    def test_no_two_attributes_share_an_output(self) -> None:
        names = [item.name for item in fields(PlatformOutputs)]
        assert len({camel_case(name) for name in names}) == len(names)
