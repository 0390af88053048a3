"""The two spellings of one thing: Pulumi's camelCase and an API's PascalCase.

Owns the translation of whole structures, with a table for the names that do not follow the rule
(`kmsMasterKeyId` is `KMSMasterKeyID` to S3, `rules` may be `Rules` or `Rule`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def pascal(value: Any, irregular: Mapping[str, str]) -> Any:
    """Return a structure as the API spells it."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {
            irregular.get(key) or key[:1].upper() + key[1:]: pascal(item, irregular)
            for key, item in items
        }
    if isinstance(value, list):
        return [pascal(item, irregular) for item in cast("list[Any]", value)]
    return value


def camel(value: Any, irregular: Mapping[str, str]) -> Any:
    """Return a structure as Pulumi spells it."""
    return _camel(value, {there: here for here, there in irregular.items()})


def _camel(value: Any, regular: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {
            regular.get(key) or key[:1].lower() + key[1:]: _camel(item, regular)
            for key, item in items
        }
    if isinstance(value, list):
        return [_camel(item, regular) for item in cast("list[Any]", value)]
    return value
