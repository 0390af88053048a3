"""Variables that are called like a secret: their values are compared, and never shown.

Owns hiding them. A password that somebody put into a container by hand (`kubectl set env`) is plain
text to every engine and to the cluster, and what is found goes into issues, comments and artifacts
of workflows that many people read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from operations.engine_steps import ABSENT, SECRET, State, follow
from policies.encryption import names_a_secret

VALUE = ".value"


def hidden(value: object) -> object:
    """The same value; in it, what a variable holds that is called like a secret is replaced."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        return _hidden_in_text(value)
    if isinstance(value, list):
        return [hidden(item) for item in cast("list[object]", value)]
    if not isinstance(value, Mapping):
        return value
    items = cast("Mapping[str, object]", value)
    secret = names_a_secret(str(items.get("name") or ""))
    return {
        key: SECRET
        if isinstance(one, str) and one and ((secret and key == "value") or _is_variable(key))
        else hidden(one)
        for key, one in items.items()
    }


def _hidden_in_text(text: str) -> str:
    """The same for a document in a text, such as the configuration that `kubectl apply` keeps."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    shown = hidden(document)
    return text if shown == document else json.dumps(shown)


def hidden_at(state: State, path: str, value: object) -> object:
    """What stands at a path of a state, hidden where the path leads to such a variable's value."""
    if value is ABSENT or value is None:
        return value
    name = path.rpartition(".")[2]
    if path.endswith(VALUE):
        place = path.removesuffix(VALUE)
        found = (follow(part, f"{place}.name") for part in (state.inputs, state.outputs))
        if any(isinstance(one, str) and names_a_secret(one) for one in found):
            return SECRET
    return SECRET if isinstance(value, str) and _is_variable(name) else hidden(value)


def _is_variable(key: str) -> bool:
    """Whether a key is a variable's name rather than a property's: `DB_PASSWORD`."""
    return key.isupper() and names_a_secret(key)
