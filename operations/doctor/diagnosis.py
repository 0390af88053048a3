"""Which finding is the reason for which, and what is to be read first.

Owns the order of a report. A check names the checks whose failure would explain its own
(`explained_by`); a failure that nothing explains is a root, and roots come first, the one that
explains most others on top. So a database that is down stands above the query that it fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from operations.doctor.check import Finding


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Failures first, causes before consequences; then what could not be asked, then the rest."""
    failed = {item.check.name: item for item in findings if item.answer.status == "failed"}
    roots = {name: root_of(name, failed) for name in failed}
    explains = {name: sum(root == name for root in roots.values()) for name in failed}
    explained = [
        replace(item, follows_from=roots[name] if roots[name] != name else None)
        for name, item in failed.items()
    ]
    # Sorting keeps the order of the list of checks among equals: from the ground upwards.
    explained.sort(
        key=lambda item: (item.follows_from is not None, -explains.get(item.check.name, 0))
    )
    rest = [item for item in findings if item.answer.status == "not_run"]
    rest += [item for item in findings if item.answer.status == "passed"]
    return explained + rest


def root_of(name: str, failed: Mapping[str, Finding], seen: frozenset[str] = frozenset()) -> str:
    """The failed check at the bottom of the chain of reasons; `name` where nothing explains it."""
    for reason in failed[name].check.explained_by:
        if reason in failed and reason not in seen:
            return root_of(reason, failed, seen | {name})
    return name
