"""Differences between properties, in Pulumi's terms."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine import diff, diff_paths
from local_engine.diff import DiffResult
from local_engine.events import PropertyDiff
from local_engine.property_values import UNKNOWN, Secret

KEYS = st.text('ab."[ é', min_size=1, max_size=4) | st.integers(0, 9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
MAPS = st.dictionaries(st.sampled_from("abc"), JSON)


def update(text: str) -> PropertyDiff:
    return PropertyDiff(text, input_diff=True)


class TestPaths:
    """Paths read as `ignore_changes` writes them, and write back in Pulumi's form."""

    @pytest.mark.parametrize(
        ("text", "path"),
        [
            ("a", ("a",)),
            ("a.b[0].c", ("a", "b", 0, "c")),
            ('a["b.c"].d', ("a", "b.c", "d")),
            ('["x"]', ("x",)),
            ("a[*].b", ("a", "*", "b")),
            ("*", ("*",)),
        ],
    )
    def test_reading(self, text: str, path: diff_paths.PropertyPath) -> None:
        assert diff_paths.parse(text) == path

    @pytest.mark.parametrize("text", ["", "a[", 'a["b', "[x]"])
    def test_what_is_not_a_path(self, text: str) -> None:
        assert diff_paths.parse(text) is None

    @given(st.lists(KEYS, min_size=1, max_size=4).map(tuple))
    def test_writing_reads_back(self, path: diff_paths.PropertyPath) -> None:
        assert diff_paths.parse(diff_paths.render(path)) == path

    def test_a_star_contains_any_key(self) -> None:
        assert diff_paths.contains(("a", "*"), ("a", 0, "b"))
        assert not diff_paths.contains(("a", 0), ("a", "0"))


class TestComparison:
    """Inputs are compared where a provider does not know; secrecy is not a difference."""

    @given(MAPS)
    def test_nothing_changed(self, properties: dict[str, Any]) -> None:
        assert diff.compare_inputs(properties, properties) == DiffResult(changes="none")

    @given(MAPS, MAPS)
    def test_it_finds_a_change_exactly_where_values_differ(
        self, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        assert (diff.compare_inputs(old, new).changes == "none") == diff.same_value(old, new)

    def test_the_detail_names_each_path(self) -> None:
        result = diff.compare_inputs(
            {"d": {"k": [1, 2], "q": "z"}, "s": Secret(1), "gone": 1},
            {"d": {"k": [1, 3, 4], "w": True}, "s": 1},
        )
        assert result.changed_keys == ("d", "gone")
        assert result.detailed == {
            "d.k[1]": update("update"),
            "d.k[2]": update("add"),
            "d.q": update("delete"),
            "d.w": update("add"),
            "gone": update("delete"),
        }

    def test_true_is_not_one_and_null_is_absent(self) -> None:
        assert diff.compare_inputs({"a": True, "n": None}, {"a": 1}).changed_keys == ("a",)

    def test_an_unknown_differs_from_what_is_known(self) -> None:
        assert diff.compare_inputs({"a": 1}, {"a": UNKNOWN}).changed_keys == ("a",)

    @given(MAPS, MAPS)
    def test_inverting_is_comparing_the_other_way(
        self, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        there, back = diff.compare_inputs(old, new), diff.compare_inputs(new, old)
        assert diff.invert(there).detailed == back.detailed


class TestIgnoreChanges:
    """The old value comes back at an ignored path; one that leads nowhere is told of."""

    @pytest.mark.parametrize(
        ("path", "old", "new", "expected"),
        [
            ("a", {"a": 1}, {"a": 2, "b": 2}, {"a": 1, "b": 2}),
            ("a", {}, {"a": 2}, {}),
            ("a", {"a": 1}, {}, {"a": 1}),
            ("d.k", {"d": {"k": 1, "m": 1}}, {"d": {"k": 2, "m": 2}}, {"d": {"k": 1, "m": 2}}),
            ("l[0]", {"l": [1, 2]}, {"l": [5, 6]}, {"l": [1, 6]}),
            ("*", {"a": 1}, {"b": 2}, {"a": 1}),
            ("l[*].x", {"l": [{"x": 1}]}, {"l": [{"x": 2}]}, {"l": [{"x": 1}]}),
            ("s.k", {"s": Secret({"k": 1})}, {"s": {"k": 2}}, {"s": {"k": Secret(1)}}),
        ],
    )
    def test_reset(self, path: str, old: Any, new: Any, expected: Any) -> None:
        told: list[str] = []
        assert diff.ignore_changes(new, old, [path], told.append) == expected
        assert told == []

    def test_an_element_that_was_added_cannot_be_ignored(self) -> None:
        told: list[str] = []
        new = {"l": [1, 2]}
        assert diff.ignore_changes(new, {"l": [1]}, ["l[1]"], told.append) == new
        assert told == ['cannot ignore changes in added or removed elements of the path: "l[1]"']

    @given(MAPS, MAPS, st.sampled_from(["a", "a.b", "*", "a[0]", "c.*"]))
    def test_neither_side_is_changed(
        self, old: dict[str, Any], new: dict[str, Any], path: str
    ) -> None:
        before = repr((old, new))
        diff.ignore_changes(new, old, [path])
        assert repr((old, new)) == before


class TestReplaceOnChanges:
    """A change below a named path replaces the resource."""

    def test_keys_and_detail_say_so(self) -> None:
        found = diff.compare_inputs({"x": {"y": 1, "z": 1}}, {"x": {"y": 2, "z": 1}})
        changed = diff.apply_replace_on_changes(found, ["x.y"], has_init_errors=False)
        assert changed.replaces
        assert changed.detailed == {"x.y": update("update-replace")}

    def test_a_change_beside_it_does_not(self) -> None:
        found = diff.compare_inputs({"x": {"y": 1, "z": 1}}, {"x": {"y": 1, "z": 2}})
        assert not diff.apply_replace_on_changes(found, ["x.y"], has_init_errors=False).replaces

    def test_nothing_changed_stays_so(self) -> None:
        none = DiffResult(changes="none")
        assert diff.apply_replace_on_changes(none, ["*"], has_init_errors=False) is none
