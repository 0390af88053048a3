"""Look into JSON or YAML of unknown origin without trusting its shape.

A state edited by hand may hold a list where an object belongs. These two answer with something
empty instead of failing deep inside a command; who needs the difference checks it before.
"""

from __future__ import annotations

from typing import Any, cast


def table(value: Any) -> dict[str, Any]:
    """Return `value` if it is an object, else an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """Return `value` if it is a list, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []
