"""What every local provider promises an engine."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider

from infra.local.artifact_folder import ArtifactFolderProvider
from infra.local.errors import LocalPlatformError
from infra.local.migration import MigrationProvider
from infra.local.mlflow_process import MlflowProcessProvider
from infra.local.password_file import PasswordFileProvider
from infra.local.passwords import PasswordProvider
from infra.local.postgres import PostgresProvider
from infra.local.provider import LocalProvider
from infra.local.supervisor import SupervisorProvider

PROVIDERS = (
    ArtifactFolderProvider,
    MigrationProvider,
    MlflowProcessProvider,
    PasswordFileProvider,
    PasswordProvider,
    PostgresProvider,
    SupervisorProvider,
)

VALUES = st.recursive(
    st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


class Recorder(LocalProvider):
    """Observes what it is told to."""

    replace_on = frozenset({"place"})
    computed = frozenset({"made"})
    found: dict[str, Any] | None = None

    def make(self, props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "id", {"made": 1}

    def observe(self, props: dict[str, Any]) -> dict[str, Any] | None:
        return self.found

    def change(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        return {}

    def problems(self, olds: dict[str, Any], news: dict[str, Any]) -> list[tuple[str, str]]:
        return [("size", "is odd")] if news["size"] % 2 else []


def as_protobuf(value: Any) -> Any:
    """Numbers as protobuf hands them over."""
    if isinstance(value, dict):
        return {key: as_protobuf(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_protobuf(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


class TestThePickledProvider:
    """A provider in a checkpoint is a name: always the same, no secret, no state."""

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_is_the_same_every_time(self, provider: type[ResourceProvider]) -> None:
        assert serialize_provider(provider()) == serialize_provider(provider())

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_holds_a_reference_and_no_code(self, provider: type[ResourceProvider]) -> None:
        assert len(serialize_provider(provider())) < 200
        assert vars(pickle.loads(pickle.dumps(provider()))) == {}

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_is_no_secret(self, provider: type[ResourceProvider]) -> None:
        assert provider.serialize_as_secret_always is False


class TestDiff:
    """The diff names what changed, property by property, and nothing of Pulumi's own."""

    @given(st.dictionaries(st.sampled_from("abcdef"), VALUES))
    def test_numbers_of_the_wire_are_no_change(self, props: dict[str, Any]) -> None:
        olds = {**as_protobuf(props), "__provider": "old", "made": 1}
        assert Recorder().diff("id", olds, {**props, "__provider": "new"}).changes is False

    @given(st.dictionaries(st.sampled_from("abcdef"), VALUES, min_size=1), st.data())
    def test_any_changed_value_is_an_update(self, props: dict[str, Any], data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(props)))
        diff = Recorder().diff("id", {**props, name: "<old>"}, props)
        assert (diff.changes, diff.replaces) == (True, [])

    def test_only_the_listed_properties_replace(self) -> None:
        diff = Recorder().diff("id", {"place": "a", "size": 1}, {"place": "b", "size": 2})
        assert (diff.changes, diff.replaces, diff.delete_before_replace) == (True, ["place"], True)

    def test_computed_outputs_are_not_compared(self) -> None:
        olds = {"size": 2, "made": 5}
        assert Recorder().diff("id", olds, {"size": 2, "made": None}).changes is False


class TestRead:
    """A refresh sees what differs, as outputs and as inputs."""

    def test_drift_stands_in_outputs_and_inputs(self) -> None:
        provider = Recorder()
        provider.found = {"size": 4}
        result = provider.read("id", {"size": 2.0, "made": 1, "__provider": "x"})
        assert result.outs == {"size": 4, "made": 1}
        assert result.inputs == {"size": 4}

    def test_nothing_there_is_no_id(self) -> None:
        result = Recorder().read("id", {"size": 2})
        assert (result.id, result.outs) == ("", {})


class TestCheck:
    """What cannot work here is refused with property and reason."""

    def test_failure(self) -> None:
        (failure,) = Recorder().check({}, {"size": 3.0}).failures
        assert (failure.property, failure.reason) == ("size", "is odd")

    def test_no_failure(self) -> None:
        assert Recorder().check({}, {"size": 2}).failures == []


class TestErrors:
    """A person reads the sentence; a fault of ours keeps its frames."""

    def formatted(self, error: Exception) -> str:
        import traceback

        class Failing(Recorder):
            def make(self, props: dict[str, Any]) -> tuple[str, dict[str, Any]]:
                raise error

        try:
            Failing().create({})
        except Exception:
            return traceback.format_exc()  # as pulumi.dynamic does
        raise AssertionError

    def test_no_frames_for_a_mistake(self) -> None:
        try:
            text = self.formatted(LocalPlatformError("the port is taken"))
        finally:
            Recorder().diff("id", {}, {})  # any further call lifts the limit
        assert "File" not in text
        assert text.endswith("LocalPlatformError: the port is taken\n")

    def test_frames_for_a_fault(self) -> None:
        assert "in make" in self.formatted(KeyError("x"))


class TestPasswords:
    """Generated once, long, and safe in any format."""

    def test_two_are_different_and_plain(self) -> None:
        first, second = (
            PasswordProvider().create({"purpose": "x", "value": None}).outs["value"]
            for _ in range(2)
        )
        assert first != second
        assert len(first) >= 40
        assert first.replace("-", "").replace("_", "").isalnum()

    def test_an_update_keeps_it(self) -> None:
        olds = {"purpose": "x", "value": "kept"}
        assert PasswordProvider().update("id", olds, {"purpose": "x"}).outs["value"] == "kept"
