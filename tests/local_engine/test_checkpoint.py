"""A state that passes through comes out the same: nothing lost, nothing rewritten."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_engine.checkpoint import CheckpointReader, CheckpointWriter, magic, salt_of
from local_engine.errors import EngineError
from local_engine.passphrase import Crypter
from local_engine.property_json import CiphertextMemory, PropertyDecoder, PropertyEncoder
from local_engine.property_values import UNKNOWN, ResourceReference, Secret
from local_engine.resource_state import Operation, ResourceState, Snapshot
from local_engine.snapshot_integrity import find_problem

KEY = Crypter(bytes(range(32)), "v1:AA==:v1:BB==:CC==")
STACK = "urn:pulumi:dev::shelf::pulumi:pulumi:Stack::shelf-dev"


def round_trip(document: dict[str, Any], crypter: Crypter) -> dict[str, Any]:
    memory = CiphertextMemory()
    snapshot = CheckpointReader(lambda _: crypter, memory).read(document, "state")
    writer = CheckpointWriter(lambda: crypter, memory)
    return json.loads(json.dumps(writer.write(snapshot, project="shelf", stack="dev")))


class TestStateOfTheCli:
    """What `pulumi up` wrote is understood and written back field by field."""

    def test_unchanged_but_for_the_time_of_writing(
        self, shelf_document: dict[str, Any], shelf_crypter: Crypter
    ) -> None:
        written = round_trip(shelf_document, shelf_crypter)
        expected = copy.deepcopy(shelf_document)
        for document in (written, expected):
            del document["checkpoint"]["latest"]["manifest"]["time"]
        assert written == expected

    def test_values_are_what_the_program_exported(
        self, shelf_document: dict[str, Any], shelf_crypter: Crypter
    ) -> None:
        reader = CheckpointReader(lambda _: shelf_crypter, CiphertextMemory())
        snapshot = reader.read(shelf_document, "state")
        assert snapshot.outputs == {
            "text": "é <&> 語",
            "count": 5,
            "ratio": 0.25,
            "nested": {"a": [1, {"b": True}], "c": {}},
            "token": Secret("swordfish"),
            "bundle": Secret({"user": "ann", "parts": [1, 2.5, None]}),
        }
        assert [(state.name, state.protect) for state in snapshot.resources[1:]] == [
            ("one", False),
            ("three", False),
            ("two", True),
        ]
        assert snapshot.resources[0].extra == {"fieldOfALaterRelease": {"kept": True}}
        assert snapshot.extra == {"later_release": [1]}
        assert find_problem(snapshot) is None

    def test_secrets_are_not_opened_where_there_are_none(
        self, shelf_document: dict[str, Any]
    ) -> None:
        document = copy.deepcopy(shelf_document)
        for resource in document["checkpoint"]["latest"]["resources"]:
            resource["outputs"] = {}

        def unlock(salt: str) -> Crypter:
            raise AssertionError(salt)

        CheckpointReader(unlock, CiphertextMemory()).read(document, "state")


class TestCiphertextStays:
    """A secret that did not change keeps its ciphertext; a changed one does not."""

    def test_only_the_changed_secret_is_rewritten(
        self, shelf_document: dict[str, Any], shelf_crypter: Crypter
    ) -> None:
        memory = CiphertextMemory()
        snapshot = CheckpointReader(lambda _: shelf_crypter, memory).read(shelf_document, "state")
        snapshot.outputs["token"] = Secret("new")
        written = CheckpointWriter(lambda: shelf_crypter, memory).write(
            snapshot, project="shelf", stack="dev"
        )
        before = shelf_document["checkpoint"]["latest"]["resources"][0]["outputs"]
        after = written["checkpoint"]["latest"]["resources"][0]["outputs"]
        assert after["bundle"] == before["bundle"]
        assert after["token"] != before["token"]
        assert shelf_crypter.decrypt(after["token"]["ciphertext"]) == '"new"'


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=8).filter(lambda text: not text.startswith("04da6b54"))
    | st.just(UNKNOWN)
    | st.builds(ResourceReference, st.text(min_size=1, max_size=8), st.none() | st.just("id")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.builds(Secret, inner)
    ),
    max_leaves=12,
)


class TestPropertyValues:
    """Every value comes back as it was, secrets within secrets included."""

    @given(values)
    @settings(max_examples=300)
    def test_round_trip(self, value: Any) -> None:
        memory = CiphertextMemory()
        encoded = PropertyEncoder(lambda: KEY, memory).encode(value, ("urn", "inputs"))
        text = json.dumps(encoded, allow_nan=False)
        decoded = PropertyDecoder(lambda: KEY, None).decode(json.loads(text), ("urn", "inputs"))
        assert decoded == value

    def test_no_secret_in_clear(self) -> None:
        encoded = PropertyEncoder(lambda: KEY, CiphertextMemory()).encode(
            {"a": [Secret({"b": Secret("hunter2")})]}, ()
        )
        assert "hunter2" not in json.dumps(encoded)

    @pytest.mark.parametrize(("number", "bits"), [(math.inf, "7ff0"), (-math.inf, "fff0")])
    def test_numbers_json_cannot_spell(self, number: float, bits: str) -> None:
        encoded = PropertyEncoder(lambda: KEY, CiphertextMemory()).encode(number, ())
        assert encoded == {
            "4dabf18193072939515e22adb298388d": "8ad145fe-0d11-4827-bfd7-1abcbf086f5c",
            "value": bits.ljust(16, "0"),
        }
        assert PropertyDecoder(lambda: KEY, None).decode(encoded, ()) == number

    @pytest.mark.parametrize(
        ("signed", "message"),
        [
            ({}, "unknown signature None"),
            ({"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17"}, "an asset"),
            ({"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}, "malformed"),
        ],
    )
    def test_refusal_names_the_place_and_not_the_value(
        self, signed: dict[str, str], message: str
    ) -> None:
        signed.setdefault("4dabf18193072939515e22adb298388d", None)  # type: ignore[arg-type]
        signed["text"] = "hunter2"
        with pytest.raises(EngineError, match=message) as caught:
            PropertyDecoder(lambda: KEY, None).decode(signed, ("urn:x", "inputs", "key"))
        assert "(urn:x inputs key)" in str(caught.value)
        assert "hunter2" not in str(caught.value)


class TestWriting:
    """What this engine adds has the CLI's form."""

    def test_interrupted_operation(self) -> None:
        state = ResourceState(urn=STACK, type="pulumi:pulumi:Stack", inputs={"k": Secret("v")})
        snapshot = Snapshot(pending_operations=[Operation("creating", state)])
        writer = CheckpointWriter(lambda: KEY, CiphertextMemory())
        document = writer.write(snapshot, project="shelf", stack="dev")
        operation = document["checkpoint"]["latest"]["pending_operations"][0]
        assert (operation["type"], operation["resource"]["urn"]) == ("creating", STACK)
        read = CheckpointReader(lambda _: KEY, CiphertextMemory()).read(document, "state")
        assert read.pending_operations[0].resource.inputs == {"k": Secret("v")}

    def test_manifest_proves_itself(self) -> None:
        writer = CheckpointWriter(lambda: KEY, CiphertextMemory())
        document = writer.write(Snapshot(), project="shelf", stack="dev")
        manifest = document["checkpoint"]["latest"]["manifest"]
        assert manifest["magic"] == magic(manifest["version"]) != ""
        assert (document["version"], document["checkpoint"]["stack"]) == (
            3,
            "organization/shelf/dev",
        )
        assert salt_of(document["checkpoint"]["latest"]["secrets_providers"]) == KEY.salt

    def test_what_an_older_cli_would_drop_raises_the_version(self) -> None:
        state = ResourceState(urn=STACK, type="pulumi:pulumi:Stack", taint=True)
        writer = CheckpointWriter(lambda: KEY, CiphertextMemory())
        document = writer.write(Snapshot(resources=[state]), project="shelf", stack="dev")
        assert (document["version"], document["features"]) == (4, ["taint"])


class TestRefusals:
    """A document that is no usable checkpoint is refused in one sentence."""

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({}, "state has the schema version None: 3 and 4 are understood"),
            ({"version": 2}, "state has the schema version 2"),
            ({"version": 3}, "state is not a Pulumi checkpoint (no `checkpoint` object)"),
            ({"version": 4, "features": ["byteString"]}, "state needs 'byteString', which"),
            (
                {"version": 3, "checkpoint": {"latest": {"resources": [{"urn": "u"}]}}},
                "state is not a Pulumi checkpoint (KeyError: 'type')",
            ),
            (
                {"version": 3, "checkpoint": {"latest": {"resources": ["x"]}}},
                "state is not a Pulumi checkpoint (",
            ),
            (
                {
                    "version": 3,
                    "checkpoint": {
                        "latest": {"resources": [{"urn": "u", "type": "t", "inputs": [1]}]}
                    },
                },
                "state is not a Pulumi checkpoint (TypeError: `inputs` of u is a list)",
            ),
        ],
    )
    def test_one_sentence(self, document: dict[str, Any], message: str) -> None:
        with pytest.raises(EngineError) as caught:
            CheckpointReader(lambda _: KEY, CiphertextMemory()).read(document, "state")
        assert str(caught.value).startswith(message)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "manifest",
                            "resources",
                            "urn",
                            "type",
                            "inputs",
                            "created",
                            "pending_operations",
                            "resource",
                            "secrets_providers",
                            "4dabf18193072939515e22adb298388d",
                        ]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=15,
        )
    )
    @settings(max_examples=300)
    def test_hostile_shapes_are_read_or_refused(self, latest: Any) -> None:
        document = {"version": 3, "checkpoint": {"latest": latest}}
        try:
            CheckpointReader(lambda _: KEY, CiphertextMemory()).read(document, "state")
        except EngineError as error:
            assert "\n" not in str(error)  # noqa: PT017

    def test_foreign_secrets_provider(self) -> None:
        with pytest.raises(EngineError, match="encrypted with the provider 'cloud'"):
            salt_of({"type": "cloud", "state": {"url": "awskms://x"}})


class TestIntegrity:
    """What a later step would trip over is found before anything is done."""

    def test_problems(self) -> None:
        root = ResourceState(urn=STACK, type="pulumi:pulumi:Stack")
        child = ResourceState(urn="urn:c", type="t", parent=STACK)
        assert find_problem(Snapshot(resources=[root, child])) is None
        assert find_problem(Snapshot(resources=[child, root])) == (
            f"resource urn:c refers to {STACK}, which is missing or comes after it"
        )
        assert find_problem(Snapshot(resources=[root, root])) == (
            f"duplicate resource {STACK} (not marked for deletion)"
        )
        orphan = ResourceState(urn="urn:d", type="t", custom=True, id="1", provider="urn:p::1")
        assert find_problem(Snapshot(resources=[orphan])) == (
            "resource urn:d refers to unknown provider urn:p::1"
        )
        nameless = ResourceState(urn="urn:e", type="t", id="1")
        assert find_problem(Snapshot(resources=[nameless])) == (
            "resource 'urn:e' has 'custom' false but non-empty ID"
        )
