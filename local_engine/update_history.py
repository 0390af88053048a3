"""The record of one update, as the CLI's history has it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from local_engine.project import merge_project_config
from local_engine.stack_config import Ciphertext, ConfigValue

if TYPE_CHECKING:
    from local_engine.workspace import Stack


def update_record(
    stack: Stack,
    kind: str,
    *,
    message: str,
    began: float,
    changes: Mapping[str, int],
    succeeded: bool,
) -> dict[str, Any]:
    """Return what is kept of an update that just ended; secrets of its config stay encrypted."""
    values = merge_project_config(stack.project, stack.name, stack.config.values, validate=False)
    return {
        "kind": kind,
        "startTime": int(began),
        "message": message,
        "environment": {"exec.kind": "local_engine"},
        "config": {key: _config_json(values[key]) for key in sorted(values)},
        "version": 0,
        "result": "succeeded" if succeeded else "failed",
        "endTime": int(time.time()),
        "resourceChanges": {op: count for op, count in sorted(changes.items()) if count},
    }


def _config_json(value: ConfigValue) -> Any:
    return _sealed(value.raw) if value.encrypted or value.is_object else value.text()


def _sealed(raw: Any) -> Any:
    if isinstance(raw, Ciphertext):
        return {"secure": raw.text}
    if isinstance(raw, dict):
        return {key: _sealed(inner) for key, inner in cast("dict[str, Any]", raw).items()}
    if isinstance(raw, list):
        return [_sealed(inner) for inner in cast("list[Any]", raw)]
    return raw
