"""Which runs go, and what speaks for those that stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from operations.retention_plan import Facts, LoggedModel, Run, _registered, select

OLD, NOW = 1_000, 10_000
BEFORE = 5_000


def a_run(
    name: str = "a",
    *,
    status: str = "FINISHED",
    moment: int = OLD,
    deleted: bool = False,
    models: tuple[LoggedModel, ...] = (),
) -> Run:
    return Run(
        run_id=name,
        name=name,
        experiment_id="1",
        experiment="e",
        status=status,
        deleted=deleted,
        last_moment=moment,
        artifact_uri=f"mlflow-artifacts:/1/{name}/artifacts",
        models=models,
    )


def facts(*runs: Run, **more: object) -> Facts:
    given: dict[str, object] = {"registered": {}, "tagged": frozenset(), "parents": {}, **more}
    return Facts(runs=runs, **given)  # type: ignore[arg-type]


def stays(found: Facts, *, registered_too: bool = False) -> list[tuple[str, str, str]]:
    chosen = select(found, before=BEFORE, registered_too=registered_too)
    return [(kept.run.run_id, kept.reason, kept.why) for kept in chosen.kept]


class TestAge:
    """A run is as old as its last moment; what is not old is neither taken nor kept."""

    def test_old_and_new(self) -> None:
        chosen = select(facts(a_run("a"), a_run("b", moment=NOW)), before=BEFORE)
        assert [run.run_id for run in chosen.go] == ["a"]
        assert chosen.kept == ()

    def test_at_the_limit(self) -> None:
        chosen = select(facts(a_run(moment=BEFORE), a_run("b", moment=BEFORE - 1)), before=BEFORE)
        assert [run.run_id for run in chosen.go] == ["b"]

    def test_deleted_by_somebody(self) -> None:
        assert select(facts(a_run(deleted=True)), before=BEFORE).go == (a_run(deleted=True),)


class TestRunning:
    """A run that is not over is never taken, nor are the runs above it."""

    def test_statuses(self) -> None:
        found = facts(*(a_run(status, status=status) for status in ("RUNNING", "SCHEDULED")))
        assert stays(found, registered_too=True) == [
            ("RUNNING", "running", "its status is RUNNING"),
            ("SCHEDULED", "running", "its status is SCHEDULED"),
        ]

    def test_the_parent_of_one(self) -> None:
        found = facts(
            a_run("grandparent"),
            a_run("parent"),
            a_run("other"),
            parents={"child": "parent", "parent": "grandparent"},
            running=frozenset({"child"}),
        )
        assert [row[0] for row in stays(found)] == ["grandparent", "parent"]

    def test_parents_in_a_circle(self) -> None:
        found = facts(a_run("a"), parents={"a": "b", "b": "a"}, running=frozenset({"b"}))
        assert [row[0] for row in stays(found)] == ["a"]


class TestKept:
    """A registered model's run stays unless told otherwise; a tagged one stays whatever is said."""

    def test_registered(self) -> None:
        found = facts(a_run(), registered={"a": ("version 1 of model m", "version 2 of model m")})
        assert stays(found) == [("a", "registered", "version 1 of model m, version 2 of model m")]
        assert stays(found, registered_too=True) == []

    def test_tagged(self) -> None:
        found = facts(a_run(), tagged=frozenset({"a"}))
        assert stays(found, registered_too=True) == [
            ("a", "tagged", "it has the tag mlflow-platform.keep")
        ]


class TestVersions:
    """A version leads to its run by number, by the run's model, or by an address of either."""

    MODEL = LoggedModel(model_id="m-1", artifact_uri="s3://b/1/models/m-1/artifacts")

    def leads(self, run_id: str | None, *addresses: str | None) -> bool:
        run = a_run(models=(self.MODEL,))
        source, storage = (*addresses, None, None)[:2]
        return bool(_registered([run], [("m", 1, run_id, source, storage)]))

    def test_by_number(self) -> None:
        assert self.leads("a")
        assert not self.leads("b")

    def test_by_address(self) -> None:
        assert self.leads(None, "runs:/a/model")
        assert self.leads(None, "models:/m-1")
        assert self.leads(None, "mlflow-artifacts:/1/a/artifacts/model")
        assert self.leads(None, None, "s3://b/1/models/m-1/artifacts")

    def test_another_ones(self) -> None:
        assert not self.leads(None, "runs:/ab/model")
        assert not self.leads(None, "models:/m-10")
        assert not self.leads(None, "s3://b/1/models/m-1/artifacts-of-another")
        assert not self.leads(None, None)


RUNS = st.lists(
    st.builds(
        a_run,
        st.uuids().map(str),
        status=st.sampled_from(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]),
        moment=st.integers(0, 2 * BEFORE),
        deleted=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda run: run.run_id,
)


class TestAlways:
    """Whatever there is: no running, young, tagged or (untold) registered run is ever taken."""

    @given(RUNS, st.data())
    def test_never_taken(self, runs: list[Run], data: st.DataObject) -> None:
        names = [run.run_id for run in runs]
        some = st.frozensets(st.sampled_from(names)) if names else st.just(frozenset[str]())
        tagged, registered = data.draw(some), data.draw(some)
        found = facts(
            *runs,
            tagged=tagged,
            registered=dict.fromkeys(registered, ("version 1 of model m",)),
        )
        chosen = select(found, before=BEFORE)
        for run in chosen.go:
            assert run.last_moment < BEFORE
            assert run.status in {"FINISHED", "FAILED", "KILLED"}
            assert run.run_id not in tagged | registered
        old = {run.run_id for run in runs if run.last_moment < BEFORE}
        told = [run.run_id for run in chosen.go] + [kept.run.run_id for kept in chosen.kept]
        assert sorted(told) == sorted(old)
