"""A preview's summary as Markdown and as JSON.

Owns the words. What loses data stands first and in bold; a list that would hide it is folded away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass

from operations.cost_estimate import CostDifference
from operations.drift_report import code
from operations.report import ExitCode, Line

MOST_SHOWN = 60
ORDER = ("created", "updated", "replaced", "deleted")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What happens to one resource."""

    what: str  # created, updated, replaced, deleted
    name: str
    type: str
    properties: Mapping[str, tuple[str, str]]  # path → before, after
    replaced_for: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """A resource with data that goes, or is made anew without it."""

    change: Change
    holds: str
    protected: bool  # the engine will refuse
    retained: bool  # the engine forgets it, the cloud keeps it

    @property
    def is_real(self) -> bool:
        """Whether the data goes with it."""
        return not self.retained


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokenPolicy:
    """A rule that would not be kept."""

    rule: str
    message: str
    is_new: bool  # it is kept without this change


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewReport:
    """What a reviewer reads first."""

    stack: str
    counts: Mapping[str, int]
    unchanged: int
    losses: tuple[Loss, ...]
    guards: tuple[Change, ...]
    policies: tuple[BrokenPolicy, ...]
    is_whole: bool  # what stays the same is in the preview too
    cost: CostDifference | None
    changes: tuple[Change, ...]

    @property
    def exit_code(self) -> ExitCode:
        """1 when data would be lost, or a rule be broken that is kept now."""
        lost = any(loss.is_real for loss in self.losses)
        return 1 if lost or any(item.is_new for item in self.policies) else 0

    def document(self) -> Mapping[str, object]:
        """For a machine; the Markdown is part of it, for `preview-comment`."""
        return {
            "counts": dict(self.counts),
            "unchanged": self.unchanged,
            "data_lost": [{**asdict(loss), "is_real": loss.is_real} for loss in self.losses],
            "guards_changed": [asdict(change) for change in self.guards],
            "is_whole": self.is_whole,
            "policies_broken": [asdict(item) for item in self.policies],
            "monthly_usd": None if self.cost is None else _cost_document(self.cost),
            "changes": [asdict(change) for change in self.changes],
            "markdown": "\n".join(line.text for line in self.lines()),
        }

    def lines(self) -> Iterable[Line]:
        """As Markdown, which a terminal shows well enough."""
        return [Line(text) for text in self._markdown()]

    def _markdown(self) -> Iterator[str]:
        yield f"### {code(self.stack)}: {self._counted()}"
        yield ""
        if self.losses:
            number = len(self.losses)
            things = (
                "resource that holds data is" if number == 1 else "resources that hold data are"
            )
            yield f"🔴 **{number} {things} replaced or deleted:**"
            yield ""
            yield from (self._loss(loss) for loss in self.losses)
            yield ""
        if self.guards:
            yield "🟠 Protection or access changes:"
            yield ""
            for change in self.guards:
                yield f"- {code(change.name)} {_kind(change.type)}: {_properties(change)}"
            yield ""
        yield from self._policies()
        if not self.losses:
            yield "No resource that holds data is replaced or deleted."
            yield ""
        if self.cost is not None:
            yield from _cost(self.cost)
        if self.changes:
            yield from self._all()

    def _policies(self) -> Iterator[str]:
        fresh = [item for item in self.policies if item.is_new]
        known = len(self.policies) - len(fresh)
        if fresh:
            rules = "rule" if len(fresh) == 1 else "rules"
            yield f"🔴 **{len(fresh)} {rules} broken by this change:**"
            yield ""
            yield from (f"- `{item.rule}`: {_said(item.message)}" for item in fresh)
            yield ""
        if known:
            yield f"{known} {'rule is' if known == 1 else 'rules are'} not kept before it either."
            yield ""
        if not self.is_whole:
            yield (
                "Rules and cost are about what changes alone: the preview leaves out the rest "
                "(`--show-sames` prints it)."
            )
            yield ""
        elif not self.policies:
            yield "Every rule of `policies/` is kept."
            yield ""

    def _counted(self) -> str:
        parts = [f"{self.counts[word]} {word}" for word in ORDER if self.counts.get(word)]
        parts += [f"{count} {word}" for word, count in self.counts.items() if word not in ORDER]
        if not parts:
            return f"no changes ({self.unchanged} resources)"
        return f"{', '.join(parts)}, {self.unchanged} unchanged"

    def _loss(self, loss: Loss) -> str:
        change = loss.change
        because = ", ".join(code(path) for path in change.replaced_for)
        text = f"**{change.what} {code(change.name)}** {_kind(change.type)}: **{loss.holds}**"
        if because:
            text += f", because of {because}"
        if loss.protected:
            text += " (protected: a deployment refuses it)"
        if loss.retained:
            text += " (kept in the cloud, and forgotten here)"
        return f"- {text}"

    def _all(self) -> Iterator[str]:
        yield f"<details><summary>All {len(self.changes)} changes</summary>"
        yield ""
        yield "| | Resource | Properties |"
        yield "|---|---|---|"
        for change in self.changes[:MOST_SHOWN]:
            resource = f"{code(change.name)}<br>{change.type}"
            yield f"| {change.what} | {resource} | {_properties(change)} |"
        if len(self.changes) > MOST_SHOWN:
            yield f"| … | {len(self.changes) - MOST_SHOWN} more | |"
        yield ""
        yield "</details>"


def _cost(cost: CostDifference) -> Iterator[str]:
    """The difference in a sentence; what it is made of is folded away."""
    sentence, *table = cost.markdown().strip().split("\n")
    yield sentence
    yield ""
    if table:
        yield "<details><summary>What costs more or less</summary>"
        yield ""
        yield from table[1:]
        yield ""
        yield "</details>"
        yield ""
    if unknown := cost.after.without_price:
        yield f"Not in the sum, since no price is known: {', '.join(map(_said, unknown))}."
        yield ""


def _cost_document(cost: CostDifference) -> Mapping[str, object]:
    return {
        "before": round(cost.before.monthly_usd, 2),
        "after": round(cost.after.monthly_usd, 2),
        "difference": round(cost.monthly_usd, 2),
        "without_price": list(cost.after.without_price),
    }


def _kind(type_token: str) -> str:
    return f"({type_token})"


def _properties(change: Change) -> str:
    return "<br>".join(
        f"{code(path)} {code(before)} → {code(after)}"
        for path, (before, after) in change.properties.items()
    )


def _said(message: str) -> str:
    """A rule's sentence: its own code spans are markup, a tag in it is none."""
    return " ".join(message.split()).replace("<", "&lt;").replace("@", "&#64;")
