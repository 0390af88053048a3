"""MLflow's limits hold for any records, and no run loses its order."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_platform_client import batching
from mlflow_platform_client.batching import Batch, body_of, gather
from mlflow_platform_client.spool_lane import Lane


def metric(run: str, number: int) -> str:
    body = {"key": "loss", "value": 1.0, "timestamp": number, "step": number}
    return f"m\t{run}\t{json.dumps(body)}"


def named(kind: str, run: str, key: str, value: str) -> str:
    return f"{kind}\t{run}\t{json.dumps({'key': key, 'value': value})}"


def batches_of(folder: Path, lines: list[str], most_metrics: int = 1000) -> list[Batch]:
    lane = Lane(folder, fsync=False)
    if lines:
        lane.append(lines)
    found: list[Batch] = []
    while lane.pending:
        window = gather(lane, most_metrics)
        found += window.batches
        lane.acknowledge(window.end, window.records)
    lane.close()
    return found


records = st.one_of(
    st.tuples(st.just("m"), st.sampled_from("AB"), st.integers(0, 9999), st.just("")),
    st.tuples(
        st.sampled_from("pt"), st.sampled_from("AB"), st.integers(0, 5), st.sampled_from("xy")
    ),
)


class TestMlflowsLimitsHoldForAnyRecords:
    """Whatever is logged in whatever order, no batch breaks a limit and no run loses its order."""

    @settings(deadline=None, max_examples=40)
    @given(st.lists(records, max_size=60), st.integers(1, 8))
    def test_small_limits(
        self, tmp_path_factory: object, drawn: list[tuple[str, str, int, str]], most: int
    ) -> None:
        import pytest

        folder = tmp_path_factory.mktemp("lane")  # type: ignore[attr-defined]
        lines = [
            metric(run, number) if kind == "m" else named(kind, run, f"k{number}", value)
            for kind, run, number, value in drawn
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batching, "MOST_PARAMS", 3)
            patch.setattr(batching, "MOST_TAGS", 4)
            patch.setattr(batching, "MOST_ITEMS", 7)
            patch.setattr(batching, "MOST_BYTES", 400)
            found = batches_of(folder, lines, most)
        for batch in found:
            body = json.loads(batch.body())
            metrics, params = body.get("metrics", []), body.get("params", [])
            tags = body.get("tags", [])
            assert len(metrics) <= most
            assert len(params) <= 3
            assert len(tags) <= 4
            assert 0 < len(metrics) + len(params) + len(tags) <= 7
            assert batch.size <= 400 or len(batch.lines) == 1
            assert len({param["key"] for param in params}) == len(params)
        for run in "AB":
            sent = [line.decode() for batch in found if batch.run_id == run for line in batch.lines]
            mine = [line for line in lines if line.split("\t")[1] == run]
            assert [line for line in sent if line[0] == "m"] == [
                line for line in mine if line[0] == "m"
            ]
            assert _last(sent, "t") == _last(mine, "t")
            assert set(filter(_is_param, sent)) == set(filter(_is_param, mine))
            assert _first(sent, "p") == _first(mine, "p")


def _is_param(line: str) -> bool:
    return line[0] == "p"


def _pairs(lines: list[str], kind: str) -> list[tuple[str, str]]:
    items = [json.loads(line.split("\t", 2)[2]) for line in lines if line[0] == kind]
    return [(item["key"], item["value"]) for item in items]


def _last(lines: list[str], kind: str) -> dict[str, str]:
    return dict(_pairs(lines, kind))


def _first(lines: list[str], kind: str) -> dict[str, str]:
    return dict(reversed(_pairs(lines, kind)))


class TestFullSizes:
    """The limits are MLflow's: 1,000 metrics, 100 parameters, 100 tags, 1,000,000 bytes."""

    def test_a_thousand_metrics_make_one_batch(self, tmp_path: Path) -> None:
        lines = [metric("A", number) for number in range(2500)]
        assert [len(b.lines) for b in batches_of(tmp_path / "lane", lines)] == [1000, 1000, 500]

    def test_a_hundred_parameters_and_tags(self, tmp_path: Path) -> None:
        lines = [named("p", "A", f"p{number}", "1") for number in range(250)]
        assert [len(b.lines) for b in batches_of(tmp_path / "p", lines)] == [100, 100, 50]
        lines = [named("t", "A", f"t{number}", "1") for number in range(250)]
        assert [len(b.lines) for b in batches_of(tmp_path / "t", lines)] == [100, 100, 50]

    def test_bytes(self, tmp_path: Path) -> None:
        lines = [named("t", "A", f"t{number}", "x" * 16_000) for number in range(100)]
        found = batches_of(tmp_path / "lane", lines)
        assert all(len(batch.body()) <= 1_000_000 for batch in found)
        assert sum(len(batch.lines) for batch in found) == 100
        assert len(found) == 2

    def test_the_limits_are_those_of_this_mlflow(self) -> None:
        from mlflow.utils import validation

        assert validation.MAX_METRICS_PER_BATCH == batching.MOST_METRICS
        assert validation.MAX_PARAMS_TAGS_PER_BATCH == batching.MOST_PARAMS == batching.MOST_TAGS
        assert validation.MAX_ENTITIES_PER_BATCH == batching.MOST_ITEMS
        assert validation.MAX_BATCH_LOG_REQUEST_SIZE > batching.MOST_BYTES


class TestTheBody:
    """What goes over the wire is the records' own JSON."""

    def test_kinds_go_to_their_lists(self) -> None:
        lines = [named("t", "A", "t", "1"), metric("A", 3), named("p", "A", "p", "2")]
        assert json.loads(body_of("A", [line.encode() for line in lines])) == {
            "run_id": "A",
            "metrics": [{"key": "loss", "value": 1.0, "timestamp": 3, "step": 3}],
            "params": [{"key": "p", "value": "2"}],
            "tags": [{"key": "t", "value": "1"}],
        }

    def test_nothing_asks_about_the_run_only(self) -> None:
        assert json.loads(body_of("A", [])) == {"run_id": "A"}
