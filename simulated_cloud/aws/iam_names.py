"""What IAM takes for a name, a path and a policy document.

Owns the rules that every IAM type repeats; they are checked before anything is called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import Properties

_NAME = re.compile(r"[\w+=,.@-]+", re.ASCII)
_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12}|aws)?:.+")
EFFECTS = ("Allow", "Deny")


def check_name(inputs: Properties, longest: int, name: str = "name") -> Iterator[InputProblem]:
    """Yield what is wrong with a name."""
    text = inputs.get(name)
    if text is None:
        return
    if not _NAME.fullmatch(text):
        yield InputProblem(
            name,
            f"invalid value for {name} (must match [\\w+=,.@-]): {text}",
        )
    if len(text) > longest:
        yield InputProblem(
            name, f"expected length of {name} to be in the range (1 - {longest}), got {text}"
        )


def check_arn(inputs: Properties, name: str) -> Iterator[InputProblem]:
    """Yield what is wrong with an ARN."""
    text = inputs.get(name)
    if text and not _ARN.fullmatch(text):
        yield InputProblem(name, f'"{name}" ({text}) is an invalid ARN')


def check_document(
    inputs: Properties, name: str, *, trust: bool = False, resources: bool = True
) -> Iterator[InputProblem]:
    """Yield what is wrong with a policy document.

    A trust policy names principals and no resources; an identity's policy the other way round.
    """
    text = inputs.get(name)
    if text is None:
        return
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        yield InputProblem(name, f'"{name}" contains an invalid JSON policy: {error}')
        return
    if not isinstance(document, dict):
        yield InputProblem(name, f'"{name}" contains an invalid JSON policy: not a JSON object')
        return
    whole = cast("dict[str, Any]", document)
    statements = whole.get("Statement")
    listed = cast("list[Any]", statements) if isinstance(statements, list) else [statements]
    for problem in _statements(listed, trust=trust, resources=resources):
        yield InputProblem(name, f"MalformedPolicyDocument: {problem}")


def _statements(statements: list[Any], *, trust: bool, resources: bool) -> Iterator[str]:
    identifiers: set[str] = set()
    for statement in statements:
        if not isinstance(statement, dict):
            yield "Syntax errors in policy."
            continue
        entry = cast("dict[str, Any]", statement)
        if entry.get("Effect") not in EFFECTS:
            yield "Syntax errors in policy. (Effect must be Allow or Deny)"
        if not (entry.get("Action") or entry.get("NotAction")):
            yield "Policy statement must contain actions."
        if trust:
            if not (entry.get("Principal") or entry.get("NotPrincipal")):
                yield "Missing required field Principal"
            if entry.get("Resource"):
                yield "Has prohibited field Resource"
        elif resources and not (entry.get("Resource") or entry.get("NotResource")):
            yield "Policy statement must contain resources."
        sid = entry.get("Sid")
        if sid and sid in identifiers:
            yield f"Statement IDs (SID) in a single policy must be unique. ({sid})"
        if sid and not trust and not re.fullmatch(r"[a-zA-Z0-9 ]*", sid):
            yield f"Statement IDs (SID) must be alpha-numeric. ({sid})"
        identifiers.add(sid or f"({len(identifiers)})")
