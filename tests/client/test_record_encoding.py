"""Values survive their encoding; what MLflow would refuse is refused here."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_platform_client.record_encoding import (
    Artifact,
    Encoded,
    HandedOver,
    Metric,
    Metrics,
    RecordEncoder,
    Refused,
    Texts,
    size_of,
)


def encode(*entries: HandedOver) -> Encoded:
    return RecordEncoder().encode(entries)


def content(line: str) -> dict[str, object]:
    return json.loads(line.split("\t", 2)[2])


class TestValuesSurvive:
    """What the server's JSON reader gets is what was handed over."""

    @given(st.floats(), st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**63 - 1))
    def test_metrics(self, value: float, step: int, timestamp: int) -> None:
        [line] = encode(Metric("run", "loss", value, timestamp, step)).batches
        assert line.startswith("m\trun\t")
        found = content(line)
        assert (found["key"], found["timestamp"], found["step"]) == ("loss", timestamp, step)
        back = float(found["value"])  # type: ignore[arg-type]
        assert back == value or (math.isnan(back) and math.isnan(value))

    @given(st.text(max_size=200))
    def test_texts_stay_on_one_line(self, text: str) -> None:
        entries = (Texts("p", "run", {"a": text}), Texts("t", "run", {"a": text}))
        encoded = encode(*entries, Artifact("run", "prompt.txt", text))
        lines = encoded.batches + encoded.texts
        assert [line[0] for line in lines] == ["p", "t", "x"]
        assert not any("\n" in line for line in lines)
        assert content(lines[0]) == content(lines[1]) == {"key": "a", "value": text}
        assert content(lines[2]) == {"path": "prompt.txt", "text": text}

    def test_not_a_number_and_infinities_are_said_as_mlflow_says_them(self) -> None:
        values = {"nan": math.nan, "inf": math.inf, "ninf": -math.inf}
        lines = encode(Metrics("run", values, 1, 2)).batches
        assert [content(line)["value"] for line in lines] == ["NaN", "Infinity", "-Infinity"]


class TestWhatMlflowWouldRefuseIsRefusedHere:
    """A bad name costs itself, and no request."""

    @pytest.mark.parametrize("name", ["bad*name", "../up", "/root", "", "x" * 251, "a//b"])
    def test_names(self, name: str) -> None:
        encoded = encode(
            Metrics("run", {name: 1.0, "good": 2.0}, 1, 2), Texts("p", "run", {name: "v"})
        )
        [good] = encoded.batches if name else encoded.batches[-1:]
        assert content(good)["key"] == "good" or not name
        assert {refused.kind for refused in encoded.refused} == {"metric", "param"} or not name
        assert all(refused.reason for refused in encoded.refused)

    @pytest.mark.parametrize("run_id", ["", "a b", "a/b", "x" * 300])
    def test_run_ids(self, run_id: str) -> None:
        encoded = encode(Metric(run_id, "loss", 1.0, 1, 2), Artifact(run_id, "path", "text"))
        assert encoded.batches == encoded.texts == []
        assert [refused.kind for refused in encoded.refused] == ["metric", "text"]

    def test_a_very_long_parameter_is_truncated_as_mlflow_does(self) -> None:
        from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH

        [line] = encode(Texts("p", "run", {"a": "x" * 100_000})).batches
        assert content(line)["value"] == "x" * MAX_PARAM_VAL_LENGTH


class TestSizes:
    """Every value handed over is accounted for, as a line or as a refusal."""

    @given(
        st.lists(
            st.one_of(
                st.builds(Metric, st.just("run"), st.text(), st.floats(), st.just(1), st.just(2)),
                st.builds(
                    Metrics,
                    st.sampled_from(["run", "bad run"]),
                    st.dictionaries(st.text(), st.floats()),
                    st.just(1),
                    st.just(2),
                ),
                st.builds(
                    Texts,
                    st.sampled_from("pt"),
                    st.just("run"),
                    st.dictionaries(st.text(), st.text()),
                ),
                st.builds(Artifact, st.just("run"), st.text(), st.text()),
                st.just(Refused("metric", "run", "key", "value", "reason")),
            )
        )
    )
    def test_nothing_disappears(self, entries: list[HandedOver]) -> None:
        encoded = encode(*entries)
        lines = len(encoded.batches) + len(encoded.texts) + len(encoded.refused)
        assert lines == sum(map(size_of, entries))
