"""A pass asks everything, hangs on nothing, and puts causes before consequences."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.doctor.check import Answer, Check, Finding, NotRun, failed, passed
from operations.doctor.diagnosis import in_order
from operations.doctor.once import Once
from operations.doctor.patient import Options, Patient
from operations.doctor.report import DoctorReport
from operations.doctor.runner import examine
from operations.place import Place
from smoke_tests.errors import CouldNotLook

BROKEN = failed("seen", cause="why", next_step="do")


def patient() -> Patient:
    return Patient(place=Place(stack=None, url="http://127.0.0.1:1", environ={}))


def finding(name: str, answer: Answer, *explained_by: str) -> Finding:
    check = Check(name=name, question="?", ask=lambda _: answer, explained_by=explained_by)
    return Finding(check=check, answer=answer, seconds=0.0)


def names(findings: list[Finding]) -> list[str]:
    return [item.check.name for item in findings]


class TestOnePass:
    """Every check is asked whatever the others do, and each has an answer."""

    def test_one_that_raises_hides_no_other(self) -> None:
        def defect(_: Patient) -> Answer:
            raise KeyError("surprise")

        def cannot(_: Patient) -> Answer:
            raise NotRun("there is no cluster")

        def nothing(_: Patient) -> Answer:
            raise CouldNotLook("no address")

        checks = [
            Check(name="a", question="?", ask=defect),
            Check(name="b", question="?", ask=cannot),
            Check(name="c", question="?", ask=nothing),
            Check(name="d", question="?", ask=lambda _: passed("fine")),
        ]
        answers = {item.check.name: item.answer for item in examine(patient(), checks)}
        assert answers["a"].status == "failed"
        assert answers["a"].evidence == "the check itself ended with KeyError: 'surprise'"
        assert answers["b"] == Answer(status="not_run", evidence="there is no cluster")
        assert answers["c"] == Answer(status="not_run", evidence="no address")
        assert answers["d"] == Answer(status="passed", evidence="fine")

    def test_they_are_asked_beside_one_another(self) -> None:
        together = threading.Barrier(5)

        def meet(_: Patient) -> Answer:
            together.wait(30)  # nobody passes before the fifth has come
            return passed("met")

        checks = [Check(name=str(number), question="?", ask=meet) for number in range(5)]
        assert {item.answer.evidence for item in examine(patient(), checks)} == {"met"}

    def test_one_that_hangs_is_a_finding(self) -> None:
        released = threading.Event()

        def hang(_: Patient) -> Answer:
            released.wait(60)
            return passed("too late")

        check = Check(name="slow", question="?", ask=hang, timeout_seconds=0.05)
        other = Check(name="quick", question="?", ask=lambda _: passed("fine"))
        try:
            found = examine(patient(), [check, other])
        finally:
            released.set()
        assert found[0].answer.status == "failed"
        assert found[0].answer.evidence == "no answer within 0.05 s"
        assert found[1].answer.status == "passed"

    def test_how_long_is_a_choice(self) -> None:
        released = threading.Event()
        check = Check(
            name="slow",
            question="?",
            ask=lambda _: passed("after all") if released.wait(60) else passed("too late"),
            timeout_seconds=0.01,
        )
        threading.Timer(0.1, released.set).start()
        place = Place(stack=None, url="http://127.0.0.1:1", environ={})
        patient = Patient(place=place, options=Options(timeout_seconds=60))
        (found,) = examine(patient, [check])
        assert found.answer == passed("after all")


class TestOrder:
    """Failures come first, causes above what follows from them; nothing is lost or doubled."""

    def test_the_database_explains_the_query(self) -> None:
        found = in_order(
            [
                finding("server.query", BROKEN, "database.login"),
                finding("logs.operational_error", BROKEN, "server.query"),
                finding("machine.disk", passed("room")),
                finding("aws.alarms", Answer(status="not_run", evidence="no account")),
                finding("database.login", BROKEN),
            ]
        )
        assert names(found) == [
            "database.login",
            "server.query",
            "logs.operational_error",
            "aws.alarms",
            "machine.disk",
        ]
        assert [item.follows_from for item in found[:3]] == [
            None,
            "database.login",
            "database.login",
        ]

    def test_what_passed_explains_nothing(self) -> None:
        (query, _) = in_order(
            [
                finding("server.query", BROKEN, "database.login"),
                finding("database.login", passed("in")),
            ]
        )
        assert query.follows_from is None

    def test_the_cause_of_most_stands_on_top(self) -> None:
        found = in_order(
            [
                finding("lonely", BROKEN),
                finding("a", BROKEN, "root"),
                finding("b", BROKEN, "root"),
                finding("root", BROKEN),
            ]
        )
        assert names(found) == ["root", "lonely", "a", "b"]

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["passed", "failed", "not_run"]),
                st.lists(st.integers(0, 9), max_size=4),
            ),
            max_size=10,
        )
    )
    def test_any_web_of_reasons_even_circles(self, web: list[tuple[str, list[int]]]) -> None:
        findings = [
            finding(
                str(number),
                Answer(status=status, evidence=""),  # type: ignore[arg-type]
                *(str(reason) for reason in reasons),
            )
            for number, (status, reasons) in enumerate(web)
        ]
        found = in_order(findings)
        assert sorted(names(found)) == sorted(names(findings))
        order = {"failed": 0, "not_run": 1, "passed": 2}
        ranks = [order[item.answer.status] for item in found]
        assert ranks == sorted(ranks)
        failures = {item.check.name for item in found if item.answer.status == "failed"}
        for item in found:
            if item.follows_from is not None:
                assert item.check.name in failures
                assert item.follows_from in failures - {item.check.name}


class TestReport:
    """Exit code 1 when a check failed; one that could not look is shown and not counted."""

    @pytest.mark.parametrize(
        ("answers", "code"),
        [
            ([passed("a")], 0),
            ([passed("a"), Answer(status="not_run", evidence="b")], 0),
            ([Answer(status="not_run", evidence="b"), BROKEN], 1),
        ],
    )
    def test_exit_code(self, answers: list[Answer], code: int) -> None:
        findings = [finding(str(number), answer) for number, answer in enumerate(answers)]
        assert DoctorReport(findings=findings, seconds=1).exit_code == code

    def test_a_failure_is_shown_with_cause_and_next_step(self) -> None:
        findings = in_order([finding("x", BROKEN, "y"), finding("y", BROKEN)])
        text = [line.text for line in DoctorReport(findings=findings, seconds=1.25).lines()]
        assert text == [
            "FAILED  y                              seen",
            "        Cause: why",
            "        Next: do",
            "FAILED  x                              seen",
            "        Follows from: y",
            "        Cause: why",
            "        Next: do",
            "",
            "2 failed, 0 not run, 0 passed in 1.2 s",
        ]

    def test_one_reason_is_said_once(self) -> None:
        away = Answer(status="not_run", evidence="the cluster does not answer")
        findings = [
            finding("a", away),
            finding("b", Answer(status="not_run", evidence="no TLS")),
            finding("c", away),
        ]
        text = [line.text for line in DoctorReport(findings=findings, seconds=1).lines()]
        assert text[:3] == [
            "not run 2 checks: the cluster does not answer",
            "        a, c",
            "not run b                              no TLS",
        ]


class TestOnce:
    """What many want is made once; a failure is kept like a value."""

    def test_many_threads_one_value(self) -> None:
        made: Iterator[int] = iter(range(100))
        once = Once(lambda: next(made))
        answers: list[int] = []
        threads = [threading.Thread(target=lambda: answers.append(once())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [0] * 8
        assert next(made) == 1

    def test_a_failure_is_not_tried_again(self) -> None:
        calls: list[int] = []

        def fail() -> int:
            calls.append(1)
            raise NotRun("no")

        once = Once(fail)
        for _ in range(2):
            with pytest.raises(NotRun, match=r"^no$"):
                once()
        assert calls == [1]
