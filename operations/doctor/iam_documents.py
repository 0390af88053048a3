"""What IAM documents allow, as far as it can be read from them.

Owns the reading of policy documents as AWS returns them: who, what, on which resource. Conditions
are taken as met, so a wrong condition is not found here; an action that no statement names is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, cast
from urllib.parse import unquote

Document = Mapping[str, Any]


def parse(document: object) -> Document:
    """A document as a mapping, whether it came as text, quoted for a URL, or parsed."""
    if isinstance(document, str):
        text = document if document.lstrip().startswith("{") else unquote(document)
        found: Any = json.loads(text)
        return cast("Document", found)
    return cast("Document", document)


def statements(document: Document) -> list[Mapping[str, Any]]:
    """A document's statements; a single one may stand without a list."""
    found: Any = document.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def allows(documents: Iterable[Document], action: str, resource: str) -> bool:
    """Whether a statement allows it and none denies it without a condition."""
    allowed = False
    for document in documents:
        for statement in statements(document):
            if not _matches(statement, action, resource):
                continue
            if statement.get("Effect") == "Deny" and not statement.get("Condition"):
                return False
            allowed = allowed or statement.get("Effect") == "Allow"
    return allowed


def denies(document: Document, action: str, resource: str, principals: Sequence[str]) -> bool:
    """Whether a resource's policy denies it to one of these principals, without a condition."""
    return any(
        statement.get("Effect") == "Deny"
        and not statement.get("Condition")
        and _matches(statement, action, resource)
        and _is_for(statement, principals)
        for statement in statements(document)
    )


def demands_tls(document: Document) -> bool:
    """Whether a bucket's policy denies what comes without TLS."""
    return any(
        statement.get("Effect") == "Deny"
        and "false"
        in json.dumps(_of(statement, "Condition", "Bool", "aws:SecureTransport")).lower()
        for statement in statements(document)
    )


def trusted(document: Document, *, federated: str, subject: str) -> bool:
    """Whether a role may be assumed with a web identity of this provider and subject."""
    for statement in statements(document):
        providers = _texts(_of(statement, "Principal", "Federated"))
        named = statement.get("Effect") == "Allow" and _any(
            _texts(statement.get("Action")), "sts:AssumeRoleWithWebIdentity"
        )
        if not named or federated not in providers:
            continue
        conditions = cast("Mapping[str, Any]", statement.get("Condition") or {})
        subjects = [
            text
            for operator in conditions.values()
            for key, value in operator.items()
            if key.endswith(":sub")
            for text in _texts(value)
        ]
        if not subjects or _any(subjects, subject):
            return True
    return False


def _matches(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    named = _texts(statement.get("Action"))
    if named and not _any([text.lower() for text in named], action.lower()):
        return False
    if not named and _any([t.lower() for t in _texts(statement.get("NotAction"))], action.lower()):
        return False
    return _any(_texts(statement.get("Resource", "*")), resource)


def _is_for(statement: Mapping[str, Any], principals: Sequence[str]) -> bool:
    found = statement.get("Principal")
    names = _texts(found) if not isinstance(found, Mapping) else _texts(found.get("AWS"))
    return "*" in names or any(name in principals for name in names)


def _any(patterns: Iterable[str], text: str) -> bool:
    # IAM knows * and ?; [ is a letter like others.
    return any(fnmatchcase(text, pattern.replace("[", "[[]")) for pattern in patterns)


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    return [str(item) for item in cast("Iterable[object]", value)]


def _of(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
