"""Property values survive the way over the wire, and secrets never show."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from local_engine.errors import EngineError
from local_engine.property_values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    MASK,
    OUTPUT_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    ResourceReference,
    Secret,
    contains_secret,
    contains_unknown,
    from_struct,
    mask,
    strip_secrets,
    to_struct,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
REFERENCES = st.builds(
    ResourceReference,
    urn=st.just("urn:pulumi:s::p::t:m:T::n"),
    id=st.none() | st.just(UNKNOWN) | st.text("abc", min_size=1),
    package_version=st.sampled_from(["", "1.2.3"]),
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXT | st.just(UNKNOWN) | REFERENCES


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    plain = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    )
    return plain | plain.map(Secret)


VALUES = nested(LEAVES)
MAPS = st.dictionaries(TEXT, VALUES, max_size=4)


class TestRoundTrip:
    """What is written as a Struct reads back as it was."""

    @given(MAPS)
    def test_every_kind_of_value_comes_back(self, properties: dict[str, Any]) -> None:
        assert from_struct(to_struct(properties)) == properties

    @given(MAPS)
    def test_the_type_of_a_truth_value_survives(self, properties: dict[str, Any]) -> None:
        back = from_struct(to_struct({**properties, "flag": True, "one": 1}))
        assert back["flag"] is True
        assert type(back["one"]) is int

    def test_keys_come_back_sorted(self) -> None:
        assert list(from_struct(to_struct({"b": 1, "a": 2}))) == ["a", "b"]

    def test_an_empty_object_and_an_empty_list_stay_what_they_are(self) -> None:
        assert from_struct(to_struct({"o": {}, "l": []})) == {"l": [], "o": {}}


class TestWhatAPeerTakes:
    """A peer gets values only in the forms that it understands."""

    @given(MAPS)
    def test_no_secret_reaches_a_peer_that_knows_none(self, properties: dict[str, Any]) -> None:
        sent = from_struct(to_struct(properties, keep_secrets=False))
        assert not contains_secret(sent)
        assert sent == strip_secrets(properties)

    @given(MAPS)
    def test_no_unknown_reaches_a_peer_that_knows_none(self, properties: dict[str, Any]) -> None:
        sent = to_struct(properties, keep_unknowns=False, keep_resources=False)
        assert not contains_unknown(from_struct(sent))

    def test_an_unknown_property_is_left_out(self) -> None:
        assert from_struct(to_struct({"a": UNKNOWN, "b": 1}, keep_unknowns=False)) == {"b": 1}

    def test_a_reference_becomes_its_id_or_the_urn_of_a_component(self) -> None:
        properties = {"r": ResourceReference("urn", "id-1"), "c": ResourceReference("urn")}
        sent = from_struct(to_struct(properties, keep_resources=False))
        assert sent == {"c": "urn", "r": "id-1"}


class TestOutputValues:
    """The SDK's output values become plain, unknown or secret values."""

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"value": "x"}, "x"),
            ({"value": "x", "secret": True}, Secret("x")),
            ({}, UNKNOWN),
            ({"secret": True}, Secret(UNKNOWN)),
        ],
    )
    def test_they_are_read(self, fields: dict[str, Any], expected: Any) -> None:
        struct = to_struct({"p": {SIGNATURE_KEY: OUTPUT_SIGNATURE, **fields}})
        assert from_struct(struct) == {"p": expected}


class TestRefusals:
    """What this engine cannot carry is refused by name."""

    @pytest.mark.parametrize("signature", [ASSET_SIGNATURE, ARCHIVE_SIGNATURE])
    def test_files_as_properties(self, signature: str) -> None:
        struct = struct_pb2.Struct()
        struct.update({"code": {SIGNATURE_KEY: signature, "path": "x"}})
        with pytest.raises(EngineError, match="asset or archive"):
            from_struct(struct)

    def test_an_unknown_signature(self) -> None:
        struct = struct_pb2.Struct()
        struct.update({"code": {SIGNATURE_KEY: "new"}})
        with pytest.raises(EngineError, match="'new'"):
            from_struct(struct)


class TestSecretsDoNotShow:
    """Neither `mask` nor `repr` lets a secret through."""

    def test_repr_hides_the_value(self) -> None:
        assert "hush" not in repr({"password": Secret("hush")})

    @given(nested(st.just("hush")).map(Secret))
    def test_mask_replaces_it_whatever_its_shape(self, secret: Secret) -> None:
        assert mask({"p": [secret]}) == {"p": [MASK]}
