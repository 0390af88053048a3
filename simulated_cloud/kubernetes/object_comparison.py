"""Whether an object is still what its manifest says, and where two manifests differ.

Owns what of a live object belongs to the program: the fields that its manifest has. An API server
adds defaults, controllers add annotations and numbers, and none of that is drift. In a list the
program wrote, one item more or less is. Quantities mean the same in different words.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, cast

from simulated_cloud.comparison import Change
from simulated_cloud.kubernetes.object_rules import amount
from simulated_cloud.property_values import Secret, Unknown

QUANTITIES = frozenset({"cpu", "memory", "ephemeral-storage", "storage", "sizeLimit"})
"""Fields that an API server writes in its own form: 1024Mi becomes 1Gi."""


def project(wanted: Any, live: Any, key: str = "") -> Any:
    """`live` in the manifest's words: what the manifest says where they mean the same."""
    if isinstance(wanted, Secret):
        found = project(wanted.value, live, key)
        return wanted if found == wanted.value else Secret(found)
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        ours, theirs = cast("Mapping[str, Any]", wanted), cast("Mapping[str, Any]", live)
        return {
            name: project(value, theirs.get(name), name)
            for name, value in ours.items()
            if name in theirs or _is_empty(value)
        }
    if isinstance(wanted, list) and isinstance(live, list):
        ours_, theirs_ = cast("list[Any]", wanted), cast("list[Any]", live)
        if len(ours_) == len(theirs_):
            return [project(a, b) for a, b in zip(ours_, theirs_, strict=True)]
        return theirs_
    if _is_empty(wanted) and _is_empty(live):
        return wanted
    return wanted if _same(wanted, live, key) else live


def with_text_secrets(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """`live` with the text of a Secret's data where the manifest gives texts."""
    if not manifest.get("stringData"):
        return dict(live)
    data = cast("Mapping[str, str]", live.get("data") or {})
    texts = {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return {**live, "stringData": texts}


def sent(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest as it is applied: texts of a Secret as data, which is what is kept of them."""
    body = dict(manifest)
    texts = cast("Mapping[str, str] | None", body.pop("stringData", None))
    if texts:
        data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
        body["data"] = {**(body.get("data") or {}), **data}
    return body


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Change]]:
    """Yield the paths at which two manifests differ; the order of a list means something."""
    old, new = _bare(old), _bare(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        one, other = cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new)
        for key in sorted({*one, *other}):
            inner = key if key.isidentifier() else f'["{key}"]'
            joined = f"{path}.{inner}" if path and inner[0] != "[" else f"{path}{inner}"
            yield from differences(one.get(key), other.get(key), joined)
    elif isinstance(old, list) and isinstance(new, list):
        ones, others = cast("list[Any]", old), cast("list[Any]", new)
        for index in range(max(len(ones), len(others))):
            pair = [items[index] if index < len(items) else None for items in (ones, others)]
            yield from differences(pair[0], pair[1], f"{path}[{index}]")
    elif isinstance(old, Unknown) or isinstance(new, Unknown):
        yield path, "update"
    elif _same(old, new, path.rpartition(".")[2]) or (_is_empty(old) and _is_empty(new)):
        return
    elif old is None:
        yield path, "add"
    elif new is None:
        yield path, "delete"
    else:
        yield path, "update"


def _same(one: Any, other: Any, key: str) -> bool:
    if one == other and isinstance(one, bool) == isinstance(other, bool):
        return True
    if key.strip('[]"') not in QUANTITIES or one is None or other is None:
        return False
    try:
        return amount(one) == amount(other)
    except (ValueError, KeyError):
        return False


def _is_empty(value: Any) -> bool:
    return value is None or value in ({}, [], "")


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value
