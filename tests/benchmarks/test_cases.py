"""The plans hold what the aims need, and a selection or scale changes only what it says."""

from __future__ import annotations

import pytest

from benchmarks.server_comparison import cases
from benchmarks.server_comparison.aims import NOT_MEASURED, verdicts
from benchmarks.server_comparison.cases import Case, Plan
from tests.benchmarks.recorded import cell, recorded


class TestPlans:
    """Quick and full measure every aim, with titles that tell their cases apart."""

    @pytest.mark.parametrize("plan", [cases.quick(), cases.full()], ids=lambda plan: plan.name)
    def test_every_aim_is_measured(self, plan: Plan) -> None:
        results = recorded()
        results.cells = [
            cell(
                variant,
                case.operation,
                10.0,
                clients=case.clients,
                database_ms=case.database_ms,
                client_ms=case.client_ms,
                seconds=case.seconds,
                idle_pss_mib=1.0,
                peak_pss_mib=1.0,
            )
            for variant in ("default", "profile")
            for case in plan.cases
        ]
        assert plan.cold_starts > 0
        assert [item for item in verdicts(results) if item.measured == NOT_MEASURED] == []

    @pytest.mark.parametrize(
        "plan", [cases.quick(), cases.full(), cases.ablation()], ids=lambda plan: plan.name
    )
    def test_titles_are_unique(self, plan: Plan) -> None:
        # The minute of 64 clients may stand beside a short cell of the same clients.
        titles = [case.title for case in plan.cases if not case.is_endurance]
        assert len(titles) == len(set(titles))
        assert {case.operation for case in plan.cases} <= set(cases.OPERATIONS)

    def test_full_measures_every_operation_at_every_distance_and_number_of_clients(self) -> None:
        full = {
            (case.operation, case.clients, case.database_ms, case.client_ms)
            for case in cases.full().cases
        }
        for operation in cases.CALLS:
            assert {(operation, clients, 0.0, 0.0) for clients in (1, 8, 32, 64)} <= full
            assert {(operation, 1, distance, 0.0) for distance in (3.0, 25.0, 75.0)} <= full
        for distance in (3.0, 25.0, 75.0):
            assert (cases.LOG_METRIC, 1, 0.0, distance) in full

    def test_patience_outlasts_a_full_pool(self) -> None:
        every = [*cases.quick().cases, *cases.full().cases, *cases.ablation().cases]
        assert min(case.patience_seconds for case in every) > 30


class TestTitles:
    """A title says what differs from the plainest case."""

    def test_words(self) -> None:
        assert Case(operation="x", seconds=1, repeats=1).title == "x, 1 client"
        far = Case(operation="x", clients=8, database_ms=25.0, client_ms=0.5, seconds=1, repeats=1)
        assert far.title == "x, 8 clients, 25 ms to the database, 0.5 ms to the client"


class TestScales:
    """Seconds, repeats and selections, each by itself."""

    PLAN = Plan(
        name="p",
        cases=(
            Case(operation="log-metric", seconds=3, repeats=3),
            Case(operation="upload-1GiB", seconds=120, repeats=2, requests_per_client=1),
            cases.ENDURANCE,
        ),
        cold_starts=5,
    )

    def test_seconds_leave_the_minute_alone(self) -> None:
        scaled = cases.scaled(self.PLAN, seconds=1.0, repeats=None)
        assert [case.seconds for case in scaled.cases] == [1.0, 1.0, 60.0]
        assert [case.repeats for case in scaled.cases] == [3, 2, 1]
        assert scaled.cold_starts == 5

    def test_repeats_hold_for_starts_too(self) -> None:
        scaled = cases.scaled(self.PLAN, seconds=None, repeats=2)
        assert [case.repeats for case in scaled.cases] == [2, 2, 2]
        assert [case.seconds for case in scaled.cases] == [3, 120, 60]
        assert scaled.cold_starts == 2

    def test_a_selection(self) -> None:
        assert cases.selected(self.PLAN, []) == self.PLAN
        chosen = cases.selected(self.PLAN, ["GiB"])
        assert [case.operation for case in chosen.cases] == ["upload-1GiB"]
        assert chosen.cold_starts == 0
        assert cases.selected(self.PLAN, ["cold"]).cold_starts == 5
        assert cases.selected(self.PLAN, ["cold"]).cases == ()
