"""The fake cloud does what the suite's scenarios take for granted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local_engine.conformance.fake_cloud import CloudRefusedError, FakeCloud, changed_inputs


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    return FakeCloud(tmp_path / "cloud.jsonl")


class TestThings:
    """What stands follows from what was done, in order."""

    def test_create_update_delete(self, cloud: FakeCloud) -> None:
        id_, outputs = cloud.create("a", {"value": 1})
        assert id_ == "a-1"
        assert outputs == {
            "value": 1,
            "endpoint": "https://a-1.example",
            "token": "token of a",
            "revision": 1,
        }
        assert cloud.update("a", id_, {"value": 2})["revision"] == 2
        assert cloud.read("a", id_) == {**outputs, "value": 2, "revision": 2}
        cloud.delete("a", id_)
        assert cloud.things() == {}
        assert cloud.read("a", id_) is None
        assert [line["call"] for line in cloud.calls()] == [
            "create",
            "update",
            "read",
            "delete",
            "read",
        ]

    def test_a_second_thing_of_that_name_has_another_id(self, cloud: FakeCloud) -> None:
        assert cloud.create("a", {})[0] == "a-1"
        assert cloud.create("a", {})[0] == "a-2"

    def test_what_happens_outside_is_no_call(self, cloud: FakeCloud) -> None:
        cloud.make("box", "box-7", value=1)
        cloud.drift("box-7", value=2)
        assert cloud.things()["box-7"]["value"] == 2
        cloud.lose("box-7")
        assert cloud.things() == {}
        assert cloud.calls() == []


class TestFaults:
    """A fault fails one call for one thing, leaves the thing as it was, and ends when mended."""

    def test_only_what_was_named_fails(self, cloud: FakeCloud) -> None:
        cloud.fail("create", "a", "quota exceeded")
        with pytest.raises(CloudRefusedError, match="quota exceeded"):
            cloud.create("a", {})
        assert cloud.create("b", {})[0] == "b-1"
        assert list(cloud.things()) == ["b-1"]
        cloud.mend()
        assert cloud.create("a", {})[0] == "a-1"

    def test_the_journal_is_read_from_a_mark(self, cloud: FakeCloud) -> None:
        cloud.create("a", {})
        mark = cloud.mark()
        cloud.create("b", {})
        assert [line["name"] for line in cloud.calls(mark)] == ["b"]


class TestDifferences:
    """Added, removed and changed inputs count; what Pulumi adds for itself does not."""

    def test_all_kinds(self) -> None:
        old = {"same": 1, "gone": 1, "other": 1, "__provider": "x"}
        new = {"same": 1, "added": 1, "other": 2, "__provider": "y"}
        assert changed_inputs(old, new) == ["added", "gone", "other"]
