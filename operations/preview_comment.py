"""`preview-comment`: the summaries of all affected stacks, in one comment that stays.

Owns the comment on the pull request: made once, edited with each push. It is found by its mark and
written by a bot: a comment with the same mark that a person wrote is that person's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from operations.github_api import LONGEST_BODY, GitHub
from operations.place import Place
from operations.preview_summary import load_summary
from operations.report import ExitCode, Line, Report
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import find_text

MARK = "<!-- mlflow-platform-preview -->"
CUT = "\n\n… cut off: see the jobs' summaries."


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentReport:
    """What became of the comment."""

    action: Literal["made", "edited", "unchanged"]
    url: str
    stacks: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """0: the comment says what the summaries say."""
        return 0

    def document(self) -> Mapping[str, object]:
        """For a machine."""
        return {"action": self.action, "url": self.url, "stacks": list(self.stacks)}

    def lines(self) -> Iterable[Line]:
        """For a person."""
        yield Line(f"The comment on {', '.join(self.stacks)}: {self.action} {self.url}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add("--summaries", metavar="DIR", required=True, help="of `preview-summary --json`, *.json")
    add(
        "--expect",
        metavar="STACKS",
        default="[]",
        help="JSON list of the stacks that there must be summaries of",
    )
    add("--pull-request", metavar="NUMBER", required=True, help="the pull request's number")
    add("--repository", metavar="OWNER/NAME", help="default: GITHUB_REPOSITORY")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Make the comment say what the summaries say.

    Raises:
        CouldNotLook: there is no summary, or GitHub does not let us.
    """
    if not arguments.pull_request.isdecimal():
        raise CouldNotLook(f"--pull-request is {arguments.pull_request!r}: it must be a number")
    expected = _expected(arguments.expect)
    files = sorted(Path(arguments.summaries).rglob("*.json"))
    if not files and not expected:
        raise CouldNotLook(f"--summaries is {arguments.summaries!r}: there is no *.json in it")
    summaries = [load_summary(path) for path in files]
    summaries += _absent(expected, summaries)
    github = GitHub(place, arguments.repository or place.environ.get("GITHUB_REPOSITORY", ""))
    path = f"/issues/{arguments.pull_request}/comments"
    body = comment_body(summaries)
    stacks = tuple(str(item.get("stack")) for item in summaries)
    for comment in github.all(path):
        text = find_text(comment, "body") or ""
        if text.startswith(MARK) and find_text(comment, "user", "type") == "Bot":
            url = find_text(comment, "html_url") or ""
            if text == body:
                return CommentReport(action="unchanged", url=url, stacks=stacks)
            github.patch(f"/issues/comments/{comment['id']}", {"body": body})
            return CommentReport(action="edited", url=url, stacks=stacks)
    made = github.post(path, {"body": body})
    return CommentReport(action="made", url=find_text(made, "html_url") or "", stacks=stacks)


def comment_body(summaries: list[dict[str, object]]) -> str:
    """What a reviewer reads first: the stacks that lose data before the others."""
    ordered = sorted(summaries, key=lambda item: (-_code(item), str(item.get("stack"))))
    parts = [MARK, "## What this changes"]
    for item in ordered:
        told = item.get("markdown") or f"### {item.get('stack')}: ⚠ {item.get('problem')}"
        parts += ["", str(told)]
    body = "\n".join(parts)
    return body if len(body) <= LONGEST_BODY else body[: LONGEST_BODY - len(CUT)] + CUT


def _expected(text: str) -> list[str]:
    try:
        stacks = json.loads(text)
    except ValueError:
        stacks = None
    if not isinstance(stacks, list):
        raise CouldNotLook(f'--expect is {text!r}: it must be a JSON list such as ["dev"]')
    return [str(stack) for stack in cast("list[object]", stacks)]


def _absent(expected: list[str], summaries: list[dict[str, object]]) -> list[dict[str, object]]:
    """A stack whose job ended without a summary must not look like one without changes."""
    there = {item.get("stack") for item in summaries}
    return [
        {"stack": stack, "exit_code": 2, "problem": "its job made no summary: see there"}
        for stack in expected
        if stack not in there
    ]


def _code(item: dict[str, object]) -> int:
    code = item.get("exit_code")
    return code if isinstance(code, int) else 0
