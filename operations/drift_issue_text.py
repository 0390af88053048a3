"""What an issue about drift says: its title, its text, and the comments on what changed.

Owns the words, and the mark at the end of the text: unseen by people, it holds the stack and what
was found, and is all that anybody remembers of the report before.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from operations.drift_findings import Drift
from operations.drift_report import code, headline, markdown
from operations.github_api import LONGEST_BODY

_MARK = re.compile(r"<!-- mlflow-platform-drift (\{.*?\}) -->")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What an issue's text remembers, unseen, of the report it was made from."""

    stack: str
    fingerprint: str
    keys: tuple[str, ...]

    def comment(self) -> str:
        """As HTML that nobody sees; two hyphens in a row would end it early."""
        told = {"stack": self.stack, "fingerprint": self.fingerprint, "keys": list(self.keys)}
        text = json.dumps(told)
        for character in "-<>&":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return f"<!-- mlflow-platform-drift {text} -->"


def issue_body(drift: Drift, seen_by: str, known: Mark | None = None) -> str:
    """The issue's text, no longer than GitHub takes; `known` is what it remembers until now."""
    # What nobody could look at since is remembered until somebody does: it may be there still.
    keys = tuple(sorted({*(item.key for item in drift.findings), *unsure(known, drift)}))
    mark = Mark(stack=drift.stack, fingerprint=drift.fingerprint, keys=keys).comment()
    advice = (
        f"Deploy again (`make up STACK={drift.stack}`) to bring back what was deployed, or put the "
        "change into the program if it is to stay. This issue is kept up to date by the scheduled "
        f"comparison and closed when there is nothing left to say.{_link(seen_by)}"
    )
    closing = ["", advice, mark]
    lines = markdown(drift)
    left_out = 0
    while lines and len("\n".join([*lines, *closing])) > LONGEST_BODY - 200:
        lines.pop()
        left_out += 1
    if left_out:
        lines += ["", f"… {left_out} more lines: see the job's summary."]
    return "\n".join([*lines, *closing])


def read_mark(body: str) -> Mark | None:
    """What an issue's text remembers; None where it is no issue of ours."""
    found: list[str] = _MARK.findall(body)
    if not found:
        return None
    try:
        told = json.loads(found[-1])  # ours is the last: a value above may look like one
        return Mark(
            stack=str(told["stack"]),
            fingerprint=str(told["fingerprint"]),
            keys=tuple(str(key) for key in told["keys"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def news(known: Mark | None, drift: Drift, seen_by: str) -> str:
    """The comment on what is found now and was not, and the other way round."""
    before = set(known.keys) if known else set[str]()
    now = {item.key for item in drift.findings}
    lines = [headline(drift), ""]
    lines += [f"- new: {code(key)}" for key in sorted(now - before)]
    blind = set(unsure(known, drift))
    lines += [f"- over: {code(key)}" for key in sorted(before - now - blind)]
    lines += [f"- not looked at this time: {code(key)}" for key in sorted(blind - now)]
    if now == before:
        lines.append("The same things differ, by other values.")
    return "\n".join([*lines, _link(seen_by)]).strip()[:LONGEST_BODY]


def unsure(known: Mark | None, drift: Drift) -> list[str]:
    """What was found earlier by a look that sees nothing now: it may be there still."""
    blind = tuple(f"{look.name}: " for look in drift.not_looked_at)
    return [key for key in known.keys if key.startswith(blind)] if known and blind else []


def ended(drift: Drift, seen_by: str) -> str:
    """The comment that closes an issue."""
    missing = ", ".join(look.name for look in drift.not_looked_at)
    unseen = f" Not looked at: {missing}." if missing else ""
    return f"The drift is over. {headline(drift)}{unseen} {drift.looked_at}{_link(seen_by)}"


def _link(seen_by: str) -> str:
    return f" [Seen by this run]({seen_by})." if seen_by else ""


def title(drift: Drift) -> str:
    """Its title, for people: two stacks may be one environment."""
    if drift.environment in ("", drift.stack):
        return f"Drift: {drift.stack}"
    return f"Drift: {drift.stack} (environment {drift.environment})"
