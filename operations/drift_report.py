"""What `drift` has to say: text for a terminal, Markdown for an issue, JSON for a program.

Owns the words. A cloud's values are others' words: in Markdown they stand in code spans, where no
`@name` calls anybody and no bracket makes a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from operations.drift_findings import SEVERITIES, Drift, Finding, Severity
from operations.report import ExitCode, Line
from smoke_tests.terminal import Colour

COLOURS: Mapping[Severity, Colour | None] = {"critical": "red", "warning": "yellow", "info": None}
MARKS: Mapping[Severity, str] = {"critical": "🔴", "warning": "🟠", "info": "🔵"}


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftReport:
    """One comparison, ready to be shown."""

    drift: Drift
    markdown: bool = False
    required: tuple[str, ...] = ()  # looks without which nobody may say "clean"

    @property
    def exit_code(self) -> ExitCode:
        """1 when something drifted; 2 when a required look could not be had."""
        if self.drift.findings:
            return 1
        missing = {look.name for look in self.drift.not_looked_at}
        required = missing if "all" in self.required else missing & set(self.required)
        return 2 if required else 0

    def document(self) -> Mapping[str, object]:
        """For a machine."""
        return self.drift.document()

    def lines(self) -> Iterable[Line]:
        """For a person, or as Markdown."""
        if self.markdown:
            return [Line(line) for line in markdown(self.drift)]
        return self._text()

    def _text(self) -> Iterator[Line]:
        yield Line(headline(self.drift), None if self.drift.findings else "green")
        for item in self.drift.findings:
            yield Line()
            yield Line(f"{item.severity}  {item.kind}  {item.subject}", COLOURS[item.severity])
            yield from (Line(f"    {line}") for line in _details(item))
        yield Line()
        for look in self.drift.looks:
            if look.problem:
                yield Line(f"- {look.name}: not looked at: {look.problem}", "yellow")
            else:
                yield Line(f"✓ {look.name}: {look.looked_at}", "dim")


def headline(drift: Drift) -> str:
    """The result in a sentence."""
    if not drift.findings:
        if drift.not_looked_at:
            return f"No drift of {drift.stack} in what could be looked at."
        return f"No drift of {drift.stack}: it is as it was deployed."
    number = len(drift.findings)
    counted = ", ".join(f"{count} {severity}" for severity, count in drift.counts.items() if count)
    return f"{drift.stack} has drifted: {number} finding{'s' if number > 1 else ''} ({counted})."


def markdown(drift: Drift) -> list[str]:
    """The report as an issue or a job's summary shows it."""
    lines = [f"**{headline(drift)}**", ""]
    for severity in SEVERITIES:
        found = [item for item in drift.findings if item.severity == severity]
        if not found:
            continue
        lines += [f"### {MARKS[severity]} {severity.capitalize()}", ""]
        lines += ["| What | Property | Expected | Found | Who could it have been |"]
        lines += ["|---|---|---|---|---|"]
        for item in found:
            lines += _rows(item)
        lines.append("")
    lines += ["<details><summary>What was looked at</summary>", ""]
    for look in drift.looks:
        said = f"**not looked at**: {_plain(look.problem)}" if look.problem else look.looked_at
        lines.append(f"- {look.name}: {said}")
    lines += ["", f"At {drift.looked_at}.", "", "</details>"]
    return lines


def _details(item: Finding) -> Iterator[str]:
    if item.what == "gone":
        yield f"is gone ({item.identity})" if item.identity else "is gone"
    for one in item.differences:
        yield f"{one.property}: expected {one.expected}, found {one.found}"
    if item.note:
        yield item.note
    for suspect in item.suspects:
        yield f"{suspect.who}: {suspect.what} at {suspect.when} ({suspect.source})"


def _rows(item: Finding) -> Iterator[str]:
    what = f"{code(item.subject)}<br>{item.kind}"
    note = f"<br>{_plain(item.note)}" if item.note else ""
    who = "<br>".join(
        f"{code(one.who)} {code(one.what)} {one.when} ({one.source})" for one in item.suspects
    )
    if not item.differences:
        yield f"| {what} | | there | gone{note} | {who} |"
    for number, one in enumerate(item.differences):
        first = number == 0
        cells = [
            what if first else "",
            code(one.property),
            code(one.expected),
            code(one.found) + (note if first else ""),
            who if first else "",
        ]
        yield f"| {' | '.join(cells)} |"


def code(text: str) -> str:
    """Others' words as a code span inside a table."""
    text = " ".join(text.split()).replace("|", "\\|")
    if not text:
        return ""
    fence = "`"
    while fence in text:
        fence += "`"
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}"


def _plain(text: str) -> str:
    """A sentence of ours that may quote others: nothing in it is markup."""
    for character in "\\`*_[]<>|@":
        text = text.replace(character, f"&#{ord(character)};")
    return " ".join(text.split())
