"""Asks all checks at once, each within its time.

Owns the threads. A check waits (for a network, a cloud, a lock) and computes nothing, so all run
beside one another and a pass takes as long as its slowest check. One that does not come back in its
time is reported as such and left to its thread, which ends with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from operations.doctor.check import Answer, Check, Finding, NotRun, failed
from operations.doctor.patient import Patient
from smoke_tests.errors import CouldNotLook


@dataclass
class _Running:
    """A check in its thread."""

    check: Check
    thread: threading.Thread
    began: float
    answers: list[tuple[Answer, float]] = field(default_factory=list[tuple[Answer, float]])


def examine(
    patient: Patient, checks: Sequence[Check], progress: Callable[[str], None] | None = None
) -> list[Finding]:
    """Every check's finding, in the order of `checks`."""
    clock = patient.place.clock
    running = [_start(patient, check) for check in checks]
    findings: list[Finding] = []
    for item in running:
        if progress is not None:
            progress(f"asking: {item.check.question}")
        limit = patient.options.timeout_seconds or item.check.timeout_seconds
        left = limit - (clock.monotonic() - item.began)
        item.thread.join(max(0.0, left))
        if item.answers:
            answer, seconds = item.answers[0]
        else:
            answer, seconds = _gave_up(limit), clock.monotonic() - item.began
        findings.append(Finding(check=item.check, answer=answer, seconds=seconds))
    return findings


def _start(patient: Patient, check: Check) -> _Running:
    clock = patient.place.clock
    item = _Running(check=check, thread=threading.Thread(), began=clock.monotonic())

    def ask() -> None:
        answer = answer_of(check, patient)
        item.answers.append((answer, clock.monotonic() - item.began))

    # A daemon: what hangs must not keep the command from ending.
    item.thread = threading.Thread(target=ask, name=check.name, daemon=True)
    item.thread.start()
    return item


def answer_of(check: Check, patient: Patient) -> Answer:
    """Ask one check; whatever it raises becomes an answer, for the others must go on."""
    try:
        return check.ask(patient)
    except (NotRun, CouldNotLook) as reason:
        return Answer(status="not_run", evidence=patient.foreign(str(reason)))
    except Exception as error:  # one defective check must not hide all others
        said = patient.foreign(str(error)) or "no message"
        return failed(
            f"the check itself ended with {type(error).__name__}: {said}",
            cause="doctor does not understand what it was shown",
            next_step="Report it with the bundle (--bundle FILE); the other findings stand.",
        )


def _gave_up(limit_seconds: float) -> Answer:
    return failed(
        f"no answer within {limit_seconds:g} s",
        cause="what was asked hangs: a network that drops packets, or a server that is stuck",
        next_step="Look at the other findings first; then ask by hand, from nearer to it. On a "
        "slow machine or line: --timeout SECONDS.",
    )
