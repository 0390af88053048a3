"""Careful reading of JSON that a server sent.

Owns the lookups that turn an answer of unknown shape into typed values. A proxy, a login page or a
broken server may answer anything: a missing or mistyped field is None here, never an exception.
"""

from __future__ import annotations

import json
from typing import cast

Document = dict[str, object]


def parse_document(body: bytes) -> Document | None:
    """A JSON object, or None when the bytes are anything else."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return as_document(value)


def as_document(value: object) -> Document | None:
    """The value if it is a JSON object."""
    return cast("Document", value) if isinstance(value, dict) else None


def find(document: Document | None, *keys: str) -> object:
    """Follow keys through nested objects; None where the path ends early."""
    value: object = document
    for key in keys:
        inner = as_document(value)
        if inner is None:
            return None
        value = inner.get(key)
    return value


def find_text(document: Document | None, *keys: str) -> str | None:
    """A non-empty string at that path, else None."""
    value = find(document, *keys)
    return value if isinstance(value, str) and value else None


def find_documents(document: Document | None, *keys: str) -> list[Document]:
    """The objects of the list at that path; empty where there is none."""
    value = find(document, *keys)
    if not isinstance(value, list):
        return []
    items = [as_document(item) for item in cast("list[object]", value)]
    return [item for item in items if item is not None]
