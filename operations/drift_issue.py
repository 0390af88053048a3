"""`drift-issue`: one issue for each environment, open as long as its drift lasts.

Owns the issue's life: made with the first finding, its text kept up to date, a comment when what is
found changes (and only then: an edit calls nobody, a comment does), closed with a comment when the
drift ends. It makes it from a report that `drift --json` wrote, so that the job with the cloud's
credentials needs no right to write issues, and this one needs no credentials of a cloud.

The issue is found by its label and by a mark in its text, never by its title, which people edit. A
report that says nobody could look neither opens nor closes anything.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from operations.drift import saved_drift
from operations.drift_findings import Drift
from operations.drift_issue_text import ended, issue_body, news, read_mark, title, unsure
from operations.github_api import GitHub
from operations.place import Place
from operations.report import ExitCode, Line, Report
from smoke_tests.json_document import Document, find_documents, find_text

LABEL = "drift"
COLOUR = "d93f0b"

Action = Literal["opened", "updated", "unchanged", "closed", "kept open", "nothing to do"]


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueReport:
    """What became of the issue."""

    stack: str
    action: Action
    number: int | None
    url: str
    duplicates: tuple[int, ...]  # closed, since there is one for each environment
    unsure: tuple[str, ...]  # what was found earlier and could not be looked at now

    @property
    def exit_code(self) -> ExitCode:
        """0: the issue says what the report says. `drift` itself said whether there is drift."""
        return 0

    def document(self) -> Mapping[str, object]:
        """For a machine."""
        return {
            "action": self.action,
            "issue": self.number,
            "url": self.url,
            "closed_duplicates": list(self.duplicates),
            "not_looked_at_again": list(self.unsure),
        }

    def lines(self) -> Iterable[Line]:
        """For a person."""
        if self.number is None:
            yield Line(f"No drift of {self.stack}, and no issue is open.", "green")
        else:
            yield Line(f"Issue {self.number} of {self.stack}: {self.action} {self.url}".rstrip())
        for key in self.unsure:
            yield Line(f"- found earlier, and could not be looked at now: {key}", "yellow")
        for number in self.duplicates:
            yield Line(f"Issue {number} was a second one and is closed.", "yellow")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add("--report", metavar="FILE", required=True, help="what `drift --json` wrote")
    add("--repository", metavar="OWNER/NAME", help="default: GITHUB_REPOSITORY")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Open, update or close the issue of the place's stack.

    Raises:
        CouldNotLook: the report says nothing, or GitHub does not let us.
    """
    drift = saved_drift(Path(arguments.report), place.stack)
    repository = arguments.repository or place.environ.get("GITHUB_REPOSITORY", "")
    github = GitHub(place, repository)
    return settle(github, drift, seen_by=_run_address(place.environ))


def settle(github: GitHub, drift: Drift, *, seen_by: str = "") -> IssueReport:
    """Make the issue say what the report says; saying it twice changes nothing."""
    ours = open_issues(github, drift.stack)
    issue, duplicates = (ours[0], ours[1:]) if ours else (None, [])
    if not drift.findings:
        known = read_mark(find_text(issue or {}, "body") or "")
        if blind := unsure(known, drift):
            return _reported(drift, "kept open", _number(issue or {}), issue, [], blind)
        for item in ours:
            _close(github, item, ended(drift, seen_by))
        number = _number(ours[0]) if ours else None
        action: Action = "closed" if ours else "nothing to do"
        return _reported(drift, action, number, issue, duplicates)
    for item in duplicates:
        _close(github, item, f"#{_number(issue or {})} is about the same stack.")
    if issue is None:
        _ensure_label(github)
        body = issue_body(drift, seen_by)
        issue = github.post("/issues", {"title": title(drift), "body": body, "labels": [LABEL]})
        if LABEL not in _labels(issue):
            github.post(f"/issues/{_number(issue)}/labels", {"labels": [LABEL]})
        return _reported(drift, "opened", _number(issue), issue, duplicates)
    known = read_mark(find_text(issue, "body") or "")
    changed = known is None or known.fingerprint != drift.fingerprint
    if not changed:
        return _reported(drift, "unchanged", _number(issue), issue, duplicates)
    number = _number(issue)
    # The comment first: with the text changed and no comment made, nobody would ever be told.
    github.post(f"/issues/{number}/comments", {"body": news(known, drift, seen_by)})
    github.patch(f"/issues/{number}", {"body": issue_body(drift, seen_by, known)})
    return _reported(drift, "updated", number, issue, duplicates)


def open_issues(github: GitHub, stack: str) -> list[Document]:
    """The open issues of a stack, the oldest first; there should be one at most."""
    found: list[Document] = []
    for item in github.all("/issues", state="open", labels=LABEL):
        mark = read_mark(find_text(item, "body") or "")
        if "pull_request" not in item and mark is not None and mark.stack == stack:
            found.append(item)
    return sorted(found, key=_number)


def _close(github: GitHub, issue: Document, why: str) -> None:
    number = _number(issue)
    github.post(f"/issues/{number}/comments", {"body": why})
    github.patch(f"/issues/{number}", {"state": "closed", "state_reason": "completed"})


def _ensure_label(github: GitHub) -> None:
    """GitHub drops a label that it does not know where the caller may not make one."""
    if github.get(f"/labels/{LABEL}") is None:
        about = "What runs is not what was deployed"
        github.post("/labels", {"name": LABEL, "color": COLOUR, "description": about})


def _labels(issue: Document) -> Iterator[str]:
    for label in find_documents(issue, "labels"):
        yield find_text(label, "name") or ""


def _number(issue: Document) -> int:
    number = issue.get("number")
    return number if isinstance(number, int) else 0


def _reported(
    drift: Drift,
    action: Action,
    number: int | None,
    issue: Document | None,
    duplicates: Sequence[Document],
    unsure: Sequence[str] = (),
) -> IssueReport:
    return IssueReport(
        stack=drift.stack,
        action=action,
        number=number,
        url=find_text(issue, "html_url") or "",
        duplicates=tuple(_number(item) for item in duplicates),
        unsure=tuple(unsure),
    )


def _run_address(environ: Mapping[str, str]) -> str:
    """Of the workflow's run, where one runs."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run_id = (environ.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{run_id}" if server and run_id else ""
