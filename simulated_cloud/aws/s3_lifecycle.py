"""What S3 refuses of a lifecycle rule.

Owns the rules about rules: each has a name of its own, a status, something to do, days that are
days, and transitions in the order in which storage gets colder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import Properties

ACTIONS = (
    "abortIncompleteMultipartUpload",
    "expiration",
    "noncurrentVersionExpiration",
    "noncurrentVersionTransitions",
    "transitions",
)
MOST_RULES = 1000
MINIMUM_DAYS_BEFORE_IA = 30


def check_rules(rules: Sequence[Properties]) -> Iterator[InputProblem]:
    """Yield what S3 would answer to these rules."""
    seen: set[str] = set()
    if len(rules) > MOST_RULES:
        yield _problem(f"MalformedXML: a lifecycle has {MOST_RULES} rules at most")
    for rule in rules:
        name = rule.get("id", "")
        if name in seen:
            yield _problem(
                f"InvalidArgument: Rule ID must be unique. Found same ID for more than "
                f"one rule: {name}"
            )
        seen.add(name)
        yield from _check_rule(rule, name)


def _check_rule(rule: Properties, name: str) -> Iterator[InputProblem]:
    if len(name) > 255:
        yield _problem("InvalidArgument: ID length should not exceed allowed limit of 255")
    if rule.get("status") not in ("Enabled", "Disabled"):
        yield _problem(f"expected status to be one of [Enabled Disabled], got {rule.get('status')}")
    if not any(rule.get(action) for action in ACTIONS):
        yield _problem(
            f"InvalidRequest: At least one action needs to be specified in a rule ({name})"
        )
    expiration = rule.get("expiration") or {}
    said = sorted(
        key for key in ("date", "days", "expiredObjectDeleteMarker") if expiration.get(key)
    )
    if len(said) > 1:
        yield _problem(
            f"MalformedXML: an expiration has one of {', '.join(said)}, not all of them ({name})"
        )
    days = {
        "expiration.days": expiration.get("days"),
        "noncurrentVersionExpiration.noncurrentDays": (
            rule.get("noncurrentVersionExpiration") or {}
        ).get("noncurrentDays"),
        "abortIncompleteMultipartUpload.daysAfterInitiation": (
            rule.get("abortIncompleteMultipartUpload") or {}
        ).get("daysAfterInitiation"),
    }
    for path, value in days.items():
        if value is not None and value < 1:
            yield _problem(
                f"InvalidArgument: '{path}' for rule {name} must be a positive integer, got {value}"
            )
    for transition in rule.get("transitions") or []:
        kind, after = transition.get("storageClass", ""), transition.get("days")
        if kind.endswith("_IA") and after is not None and after < MINIMUM_DAYS_BEFORE_IA:
            yield _problem(
                "InvalidArgument: 'Days' in Transition action must be greater than or equal to "
                f"{MINIMUM_DAYS_BEFORE_IA} for storageClass '{kind}'"
            )
        if after is not None and expiration.get("days") and after >= expiration["days"]:
            yield _problem(
                "InvalidArgument: 'Days' in the Expiration action must be greater than 'Days' in "
                f"the Transition action ({name})"
            )


def _problem(words: str) -> InputProblem:
    return InputProblem("rules", words)
