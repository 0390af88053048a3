"""From an engine's JSON to a graph."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infra.naming import is_valid_environment
from infra.settings import SettingsError
from policies.engine_documents import (
    UNKNOWN_TEXTS,
    graph_before_preview,
    graph_of_preview,
    is_production,
    without_marks,
)
from policies.resource_graph import UNKNOWN
from tests.infra.stacks import stack

URN = "urn:pulumi:dev::mlflow-platform::aws:s3/bucket:Bucket::artifacts"


def state(**inputs: Any) -> dict[str, Any]:
    return {"urn": URN, "type": "aws:s3/bucket:Bucket", "inputs": inputs}


class TestSteps:
    """The graph is what there would be: created and kept resources, and none that goes."""

    def test_after_and_before(self) -> None:
        document = {
            "steps": [
                {"op": "update", "oldState": state(bucket="old"), "newState": state(bucket="new")},
                {"op": "delete", "oldState": state(bucket="gone"), "newState": None},
                {"op": "create", "newState": state(bucket="created")},
            ]
        }
        after = graph_of_preview(document, "dev")
        assert [one.get("bucket") for one in after.resources] == ["new", "created"]
        before = graph_before_preview(document, "dev")
        assert [one.get("bucket") for one in before.resources] == ["old", "gone"]

    def test_a_refresh_tells_of_no_second_resource(self) -> None:
        found = {
            "op": "refresh",
            "oldState": state(bucket="as left"),
            "newState": state(bucket="b"),
        }
        repaired = {"op": "update", "oldState": state(bucket="b"), "newState": state(bucket="c")}
        document = {"steps": [found, repaired]}
        assert [one.get("bucket") for one in graph_of_preview(document, "s").resources] == ["c"]
        assert [one.get("bucket") for one in graph_before_preview(document, "s").resources] == ["b"]

    def test_a_document_without_steps(self) -> None:
        assert graph_of_preview({}, "dev").resources == ()

    def test_what_a_property_comes_from(self) -> None:
        made = state(bucket="a") | {"propertyDependencies": {"key": ["urn:1"], "bucket": []}}
        (one,) = graph_of_preview({"steps": [{"op": "create", "newState": made}]}, "s").resources
        assert one.comes_from == {"key": ("urn:1",), "bucket": ()}

    def test_a_providers_objects_are_json_in_texts(self) -> None:
        made = {
            "urn": URN,
            "type": "pulumi:providers:aws",
            "inputs": {"defaultTags": '{"tags": {"environment": "dev"}}', "region": "{no json"},
        }
        (one,) = graph_of_preview({"steps": [{"op": "create", "newState": made}]}, "s").resources
        assert one.get("defaultTags.tags.environment") == "dev"
        assert one.get("region") == "{no json"


class TestUnknown:
    """Every mark of Pulumi's for a value that is not known yet is UNKNOWN, however deep."""

    @given(st.sampled_from(sorted(UNKNOWN_TEXTS)), st.lists(st.sampled_from("ab"), max_size=4))
    def test_marks(self, mark: str, depth: list[str]) -> None:
        value: object = mark
        for key in depth:
            value = {key: [value]}
        found: Any = without_marks(value)
        for key in reversed(depth):
            found = found[key][0]
        assert found is UNKNOWN


class TestProduction:
    """What counts as production here is what counts as production in the settings."""

    @given(
        st.one_of(
            st.sampled_from(["prod", "production", "prod-eu", "prodigy", "preprod", "dev"]),
            st.from_regex(r"[a-z][a-z0-9-]{0,17}", fullmatch=True),
        ).filter(is_valid_environment),
        st.sampled_from(["auto", "standard", "production"]),
    )
    def test_same_as_the_settings(self, environment: str, protection: str) -> None:
        try:
            settings = stack(environment=environment, protection=protection)
        except SettingsError:
            return  # what production refuses of the other defaults is not asked here
        assert is_production(environment, protection) == settings.cloud.is_production

    def test_the_settings_say_it_before_the_tags(self) -> None:
        made = state(tagsAll={"environment": "prod"})
        steps = [{"op": "create", "newState": made}]
        auto = {"mlflow-platform:environment": "auto"}
        said = {"mlflow-platform:environment": "dev"}
        assert graph_of_preview({"steps": steps, "config": auto}, "s").environment == "prod"
        assert graph_of_preview({"steps": steps, "config": said}, "s").environment == "dev"
        assert graph_of_preview({"steps": [], "config": auto}, "s").environment == "s"
