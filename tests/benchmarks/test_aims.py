"""An aim is met by what was measured and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.server_comparison import cases
from benchmarks.server_comparison.aims import Verdict, all_met, verdicts
from benchmarks.server_comparison.results import CellRecord, Results
from tests.benchmarks.recorded import cell, recorded

ONE_CLIENT = "log-metric, 1 client: requests per second at least 10 × default"
MANY_CLIENTS = "log-metric, 32 clients: requests per second at least 3.3 × default"
FAR = "log-batch-100, 1 client, 25 ms to the database: requests per second at least 20 × default"
MINUTE = "log-batch-100, 64 clients for 60 s: no error"
START = "cold start, exec to the first answered database call: at most a quarter of default"
MEMORY = "memory of all processes (PSS, warm): at most half of default"
UPLOAD = "upload-1GiB through the server: memory at most 200 MiB above idle"
DOWNLOAD = "download-1GiB through the server: memory at most 200 MiB above idle"
NOTHING_LOST = "whatever was acknowledged is in the database or the artifact folder"


def verdict(results: Results, aim: str) -> Verdict:
    return next(item for item in verdicts(results) if item.aim == aim)


def changed(results: Results, operation: str, clients: int, **changes: object) -> None:
    """Change our server's cells of a case."""

    def is_meant(item: CellRecord) -> bool:
        return (item.variant, item.operation, item.clients) == ("profile", operation, clients)

    results.cells = [
        replace(item, **changes) if is_meant(item) else item  # type: ignore[arg-type]
        for item in results.cells
    ]


class TestAllAims:
    """The table names every aim of the benchmark once, with what was measured."""

    def test_met(self) -> None:
        assert verdicts(recorded()) == [
            Verdict(aim=ONE_CLIENT, measured="220.0 to 19.0: 11.6 ×", met=True),
            Verdict(aim=MANY_CLIENTS, measured="520.0 to 145.0: 3.6 ×", met=True),
            Verdict(aim=FAR, measured="8.0 to 0.3: 26.7 ×", met=True),
            Verdict(aim=MINUTE, measured="0 of 180 requests; default: 9 of 99", met=True),
            Verdict(aim=START, measured="2.5 to 12.0 s: 21 %", met=True),
            Verdict(aim=MEMORY, measured="500.0 to 1500.0 MiB: 33 %", met=True),
            Verdict(aim=UPLOAD, measured="50 MiB; default: 50 MiB", met=True),
            Verdict(aim=DOWNLOAD, measured="50 MiB; default: 50 MiB", met=True),
            Verdict(aim=NOTHING_LOST, measured="0 of 8485 requests missing", met=True),
        ]
        assert all_met(verdicts(recorded()))

    def test_nothing_measured_meets_nothing(self) -> None:
        empty = recorded()
        empty.cells, empty.starts = [], []
        found = verdicts(empty)
        assert {(item.measured, item.met) for item in found} == {("not measured", False)}
        assert len(found) == 9
        assert not all_met(found)


class TestEachAimCanFail:
    """A server that is as bad as the default misses the aim, and with it the run."""

    @pytest.mark.parametrize(
        ("operation", "clients", "aim", "said"),
        [
            (cases.LOG_METRIC, 1, ONE_CLIENT, "189.0 to 19.0: 9.9 ×"),
            (cases.LOG_METRIC, 32, MANY_CLIENTS, "189.0 to 145.0: 1.3 ×"),
        ],
    )
    def test_slow(self, operation: str, clients: int, aim: str, said: str) -> None:
        results = recorded()
        changed(results, operation, clients, requests_per_second=189.0)
        assert verdict(results, aim) == Verdict(aim=aim, measured=said, met=False)
        assert not all_met(verdicts(results))

    def test_slow_far_away(self) -> None:
        results = recorded()
        changed(results, cases.LOG_BATCH_100, 1, requests_per_second=5.9)
        assert verdict(results, FAR) == Verdict(aim=FAR, measured="5.9 to 0.3: 19.7 ×", met=False)

    @pytest.mark.parametrize("failure", [{"errors": 1}, {"unanswered": 1}])
    def test_one_error_in_the_minute(self, failure: dict[str, int]) -> None:
        results = recorded()
        changed(results, cases.LOG_BATCH_100, 64, **failure)
        said = "1 of 181 requests; default: 9 of 99"
        assert verdict(results, MINUTE) == Verdict(aim=MINUTE, measured=said, met=False)

    def test_a_minute_without_an_answer(self) -> None:
        results = recorded()
        changed(results, cases.LOG_BATCH_100, 64, acknowledged=0)
        assert not verdict(results, MINUTE).met

    @pytest.mark.parametrize(
        ("aim", "change"),
        [(START, {"answer_seconds": 3.1}), (MEMORY, {"pss_mib": 751.0})],
    )
    def test_start(self, aim: str, change: dict[str, float]) -> None:
        results = recorded()
        default, ours = results.starts
        results.starts = [default, replace(ours, **change)]
        assert not verdict(results, aim).met

    @pytest.mark.parametrize(
        ("operation", "aim"), [(cases.UPLOAD_1_GIB, UPLOAD), (cases.DOWNLOAD_1_GIB, DOWNLOAD)]
    )
    def test_large_file(self, operation: str, aim: str) -> None:
        results = recorded()
        changed(results, operation, 1, peak_pss_mib=600.0)
        assert verdict(results, aim) == Verdict(
            aim=aim, measured="200 MiB; default: 50 MiB", met=False
        )
        changed(results, operation, 1, peak_pss_mib=400.0, acknowledged=0)
        assert verdict(results, aim) == Verdict(
            aim=aim, measured="the file did not go through", met=False
        )

    def test_one_lost_value(self) -> None:
        results = recorded()
        results.cells.append(cell("profile", cases.CREATE_RUN, 10, missing=1))
        said = "1 of 8515 requests missing"
        assert verdict(results, NOTHING_LOST) == Verdict(aim=NOTHING_LOST, measured=said, met=False)

    def test_a_default_that_answers_nothing(self) -> None:
        results = recorded()
        results.cells = [item for item in results.cells if item.operation != cases.LOG_METRIC]
        results.cells += [
            cell("default", cases.LOG_METRIC, 0.0),
            cell("profile", cases.LOG_METRIC, 5.0),
        ]
        assert verdict(results, ONE_CLIENT) == Verdict(
            aim=ONE_CLIENT, measured="5.0 to none of default", met=True
        )
