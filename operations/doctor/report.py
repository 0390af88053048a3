"""A pass of `doctor` as text and as a document.

Owns the rendering. The order is `diagnosis`'s; the masking is done where everything is printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from operations.doctor.check import Finding
from operations.report import ExitCode, Line
from smoke_tests.terminal import Colour

_MARKS: Mapping[str, tuple[str, Colour]] = {
    "passed": ("ok", "green"),
    "failed": ("FAILED", "red"),
    "not_run": ("not run", "yellow"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorReport:
    """Every finding of one pass, in the order in which they are to be read."""

    findings: Sequence[Finding]
    seconds: float
    bundle: str | None = None  # the file that was written

    @property
    def exit_code(self) -> ExitCode:
        """1 when a check failed. What could not be asked is said, and is no finding."""
        return 1 if self._count()["failed"] else 0

    def document(self) -> Mapping[str, object]:
        """For a machine."""
        count = self._count()
        return {
            "seconds": round(self.seconds, 3),
            "passed": count["passed"],
            "failed": count["failed"],
            "not_run": count["not_run"],
            "probable_root_causes": [
                item.check.name
                for item in self.findings
                if item.answer.status == "failed" and item.follows_from is None
            ],
            "checks": [as_record(item) for item in self.findings],
            "bundle": self.bundle,
        }

    def lines(self) -> Iterable[Line]:
        """For a person."""
        for item in self.findings:
            if item.answer.status == "failed":
                yield from _failed(item)
        yield from self._not_run()
        for item in self.findings:
            if item.answer.status == "passed":
                yield _line(item)
        count = self._count()
        yield Line()
        yield Line(
            f"{count['failed']} failed, {count['not_run']} not run, {count['passed']} passed "
            f"in {self.seconds:.1f} s",
            "red" if count["failed"] else "green",
        )
        if self.bundle:
            yield Line(f"Bundle for escalation, secrets masked: {self.bundle}")

    def _not_run(self) -> Iterable[Line]:
        """One reason keeps many checks from looking: it is said once."""
        by_reason: dict[str, list[Finding]] = {}
        for item in self.findings:
            if item.answer.status == "not_run":
                by_reason.setdefault(item.answer.evidence, []).append(item)
        for reason, items in by_reason.items():
            if len(items) == 1:
                yield _line(items[0])
                continue
            yield Line(f"not run {len(items)} checks: {reason}", "yellow")
            for line in wrap(", ".join(item.check.name for item in items), 92):
                yield Line(f"{'':8}{line}", "yellow")

    def _count(self) -> Counter[str]:
        return Counter(item.answer.status for item in self.findings)


def as_record(finding: Finding) -> dict[str, object]:
    """One finding as plain values."""
    answer = finding.answer
    return {
        "check": finding.check.name,
        "question": finding.check.question,
        "status": answer.status,
        "evidence": answer.evidence,
        "cause": answer.cause,
        "next_step": answer.next_step,
        "follows_from": finding.follows_from,
        "seconds": round(finding.seconds, 3),
    }


def _line(finding: Finding) -> Line:
    mark, colour = _MARKS[finding.answer.status]
    return Line(f"{mark:<8}{finding.check.name:<30} {finding.answer.evidence}", colour)


def _failed(finding: Finding) -> Iterable[Line]:
    answer = finding.answer
    yield _line(finding)
    if finding.follows_from:
        yield Line(f"{'':8}Follows from: {finding.follows_from}")
    yield Line(f"{'':8}Cause: {answer.cause}")
    yield Line(f"{'':8}Next: {answer.next_step}")
