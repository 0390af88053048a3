"""The outputs of a deployed stack, read from its state.

Reads the state's JSON directly: scripts ask for one output in a loop, and neither protobuf nor a
passphrase is needed for values that are not secret.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from local_engine.json_shapes import rows, table

if TYPE_CHECKING:
    from local_engine.workspace import Stack

# The signature of Pulumi's format, repeated here so that reading it imports nothing.
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
_STACK_TYPE = "pulumi:pulumi:Stack"


def read_outputs(stack: Stack, *, show_secrets: bool) -> dict[str, Any]:
    """Return the outputs by name, secrets as `[secret]` unless asked for in clear."""
    latest = table(table(table(stack.document).get("checkpoint")).get("latest"))
    for resource in rows(latest.get("resources")):
        if table(resource).get("type") == _STACK_TYPE and not table(resource).get("delete"):
            outputs = table(table(resource).get("outputs"))
            return {
                name: _plain(outputs[name], stack, reveal=show_secrets) for name in sorted(outputs)
            }
    return {}


def stack_outputs_text(value: Any) -> str:
    """Return an output as a shell wants it: text as it is, the rest as JSON."""
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    )


def _plain(value: Any, stack: Stack, *, reveal: bool) -> Any:
    if isinstance(value, list):
        return [_plain(item, stack, reveal=reveal) for item in cast("list[Any]", value)]
    fields = table(value)
    if fields.get(_SIGNATURE) == _SECRET:
        if not reveal:
            return "[secret]"
        plaintext = fields.get("plaintext")
        if plaintext is None:
            plaintext = stack.unlock(stack.state_salt()).decrypt(str(fields.get("ciphertext")))
        return _inner(json.loads(plaintext))
    if isinstance(value, dict):
        return {key: _plain(inner, stack, reveal=reveal) for key, inner in fields.items()}
    return value


def _inner(value: Any) -> Any:
    """Open the marks of secrets inside a secret, which hold their text unencrypted."""
    if isinstance(value, list):
        return [_inner(item) for item in cast("list[Any]", value)]
    fields = table(value)
    if fields.get(_SIGNATURE) == _SECRET:
        return _inner(json.loads(fields.get("ciphertext") or fields.get("plaintext") or "null"))
    if isinstance(value, dict):
        return {key: _inner(inner) for key, inner in fields.items()}
    return value
