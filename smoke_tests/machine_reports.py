"""The reports that programs read: JSON and JUnit XML.

Owns both formats. They carry the same results as the text report; a check that could not look
reports that too, so that a CI job never mistakes an absent report for a clean one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.runner import Report
from smoke_tests.stage import Outcome, StageResult

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def to_json(result: Report | CouldNotLook, masker: Masker) -> str:
    """The result as one JSON object; it always has outcome, exit_code, problem and stages."""
    if isinstance(result, CouldNotLook):
        return _dump("could_not_look", 2, masker.report(str(result)), {"stages": []})
    outcome = {0: "passed", 1: "failed"}.get(result.exit_code, "could_not_look")
    problem = result.failure.problem if result.failure else None
    stages: list[object] = [_stage(stage, masker) for stage in result.results]
    return _dump(
        outcome,
        result.exit_code,
        "interrupted" if outcome == "could_not_look" else problem and masker.report(problem),
        {
            "tracking_uri": masker.report(result.tracking_uri),
            "experiment_name": result.experiment_name,
            "experiment_id": result.experiment_id,
            "run_id": result.run_id,
            "started_at": datetime.fromtimestamp(result.started_at, UTC).isoformat(),
            "seconds": round(result.seconds, 3),
            "stages": stages,
        },
    )


def write_junit(result: Report | CouldNotLook, path: Path, masker: Masker) -> None:
    """Write the result as one JUnit test suite.

    Raises:
        OSError: the file cannot be written.
    """
    from xml.etree import ElementTree as ET

    cases = (
        [_error(result, masker)]
        if isinstance(result, CouldNotLook)
        else [_case(stage, masker) for stage in result.results]
    )
    suite = ET.Element("testsuite", name="smoke_tests", tests=str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    if not isinstance(result, CouldNotLook):
        suite.set("time", f"{result.seconds:.3f}")
        started = datetime.fromtimestamp(result.started_at, UTC)
        suite.set("timestamp", started.isoformat(timespec="seconds"))
    suite.extend(cases)
    path.write_bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))


def _dump(outcome: str, exit_code: int, problem: str | None, rest: Mapping[str, object]) -> str:
    head = {"outcome": outcome, "exit_code": exit_code, "problem": problem}
    return json.dumps(head | dict(rest), indent=2)


def _case(result: StageResult, masker: Masker) -> Element:
    from xml.etree import ElementTree as ET

    case = ET.Element(
        "testcase",
        classname="smoke_tests",
        name=f"test {result.stage.number}: {result.stage.name}",
        time=f"{result.seconds:.3f}",
    )
    problem = _xml_text(masker.report(result.problem or ""))
    if result.outcome is Outcome.FAILED:
        failure = ET.SubElement(case, "failure", message=problem)
        failure.text = _xml_text(masker.report(result.remedy or ""))
    elif result.outcome is Outcome.NOT_RUN:
        ET.SubElement(case, "skipped", message=problem)
    lines = "\n".join(masker.report(item.text) for item in result.evidence)
    if lines:
        ET.SubElement(case, "system-out").text = _xml_text(lines)
    return case


def _error(problem: CouldNotLook, masker: Masker) -> Element:
    from xml.etree import ElementTree as ET

    case = ET.Element("testcase", classname="smoke_tests", name="could not look", time="0")
    ET.SubElement(case, "error", message=_xml_text(masker.report(str(problem))))
    return case


def _stage(result: StageResult, masker: Masker) -> dict[str, object]:
    return {
        "number": result.stage.number,
        "name": result.stage.name,
        "question": result.stage.question,
        "result": result.outcome.value,
        "evidence": [masker.report(item.text) for item in result.evidence],
        "problem": None if result.problem is None else masker.report(result.problem),
        "remedy": None if result.remedy is None else masker.report(result.remedy),
        "seconds": round(result.seconds, 3),
    }


def _xml_text(text: str) -> str:
    # XML 1.0 has no way at all to write control characters and lone surrogates.
    def allowed(character: str) -> bool:
        code = ord(character)
        return character in "\t\n" or (code >= 0x20 and not 0xD800 <= code <= 0xDFFF)

    return "".join(c if allowed(c) and ord(c) not in (0xFFFE, 0xFFFF) else "�" for c in text)
