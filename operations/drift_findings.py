"""What drift is made of: findings, what was looked at, and what could not be.

Owns the shapes and how they are ordered, written as JSON and read back (an issue is made from a
report that another job wrote). How they are found is the business of `drift_resources` and of the
files `drift_live_*`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
"""Worst first: data or protection is at stake; it works otherwise than agreed; a label."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One property that is not what it should be."""

    property: str
    expected: str
    found: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """Who could have caused it, as the cloud tells."""

    who: str
    what: str  # the call
    when: str  # ISO 8601
    source: str  # CloudTrail, managedFields, Cloud Audit Logs


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is not as it was deployed."""

    severity: Severity
    look: str  # which look found it: resources, server, database, …
    kind: str  # a type of resource, or what it is in a word
    subject: str  # its name in the program
    identity: str  # its name in the cloud
    what: Literal["changed", "gone", "differs"]
    differences: tuple[Difference, ...] = ()
    note: str = ""  # what follows from it, where that is not plain
    suspects: tuple[Suspect, ...] = ()

    @property
    def key(self) -> str:
        """What makes two findings the same one on two days, whatever the values."""
        paths = ",".join(sorted(item.property for item in self.differences))
        return f"{self.look}: {self.kind} {self.subject} {self.what} {paths}".strip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One part of the platform that was looked at, or could not be."""

    name: str
    looked_at: str  # what was compared, in words; empty where nothing could be
    problem: str = ""  # why not


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """Everything one comparison of one stack found."""

    stack: str
    environment: str
    looked_at: str  # when, ISO 8601
    findings: tuple[Finding, ...]
    looks: tuple[Look, ...]

    @property
    def fingerprint(self) -> str:
        """Changes when what is found changes, and at no other time."""
        told = sorted(
            json.dumps([item.key, [asdict(d) for d in item.differences]], sort_keys=True)
            for item in self.findings
        )
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]

    @property
    def counts(self) -> dict[Severity, int]:
        """How many findings of each severity there are."""
        return {
            severity: sum(item.severity == severity for item in self.findings)
            for severity in SEVERITIES
        }

    @property
    def not_looked_at(self) -> tuple[Look, ...]:
        """What nobody can say anything about."""
        return tuple(look for look in self.looks if look.problem)

    def document(self) -> dict[str, object]:
        """For a machine, and for `read_drift`."""
        return {
            "environment": self.environment,
            "looked_at": self.looked_at,
            "fingerprint": self.fingerprint,
            "counts": self.counts,
            "findings": [{**asdict(item), "key": item.key} for item in self.findings],
            "looks": [asdict(item) for item in self.looks],
        }


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, then by name."""
    return tuple(
        sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.look, f.kind, f.subject))
    )


def merged(resources: Sequence[Finding], live: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings of both, one for each thing: what the engine already told is not told again.

    A live look is a second witness. Where it saw the same thing in the cloud (of that kind, under
    that name: a bucket and its versioning share theirs), the engine's finding stands, with the
    worse of both severities and whom the look names.
    """
    worst: dict[tuple[str, str], Severity] = {
        (item.kind, item.identity): item.severity for item in resources if item.identity
    }
    fresh: list[Finding] = []
    named: dict[tuple[str, str], tuple[Suspect, ...]] = {}
    for item in live:
        thing = (item.kind, item.identity)
        named[thing] = item.suspects
        if thing not in worst:
            fresh.append(item)
        elif SEVERITIES.index(item.severity) < SEVERITIES.index(worst[thing]):
            worst[thing] = item.severity
    kept = [
        replace(
            item,
            severity=worst.get((item.kind, item.identity), item.severity),
            suspects=item.suspects or named.get((item.kind, item.identity), ()),
        )
        for item in resources
    ]
    return in_order([*kept, *fresh])


def read_drift(document: Mapping[str, object]) -> Drift:
    """A report as `drift --json` wrote it.

    Raises:
        ValueError: it is something else; the text says what is missing.
    """
    try:
        findings = [_finding(cast("dict[str, Any]", item)) for item in _list(document, "findings")]
        looks = [Look(**cast("dict[str, Any]", item)) for item in _list(document, "looks")]
        return Drift(
            stack=str(document["stack"]),
            environment=str(document["environment"]),
            looked_at=str(document["looked_at"]),
            findings=tuple(findings),
            looks=tuple(looks),
        )
    except KeyError as error:
        raise ValueError(f"it has no {error.args[0]!r}") from None
    except (TypeError, AttributeError) as error:
        raise ValueError(f"it is written otherwise ({error})") from None


def _finding(item: dict[str, Any]) -> Finding:
    values = {key: value for key, value in item.items() if key != "key"}
    values["differences"] = tuple(Difference(**one) for one in item["differences"])
    values["suspects"] = tuple(Suspect(**one) for one in item["suspects"])
    if values["severity"] not in SEVERITIES:
        raise TypeError(f"a severity of {values['severity']!r}")
    return Finding(**values)


def _list(document: Mapping[str, object], key: str) -> list[object]:
    value = document[key]
    if not isinstance(value, list):
        raise TypeError(f"{key} is no list")
    return cast("list[object]", value)
