"""Change one entry of a YAML file and leave every other character where it is.

Works on the text, guided by the positions the parser reports, because a dump of the parsed tree
would lose comments, quotes and order. It covers block style, which is what people and Pulumi write;
callers read the result again and compare, so a form it does not cover is refused, never mangled.
"""

from __future__ import annotations

import re
from typing import Any, cast

from local_engine.go_json import go_json
from local_engine.yaml_reader import compose

_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./+=@-]|:(?=[A-Za-z0-9/+=]))*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}
_INDENT = 2


def set_entry(text: str, section: str | None, key: str, value: Any) -> str:
    """Return `text` with `key` of the mapping `section` (None: the file's own) set to `value`."""
    root = compose(text)
    if root is None:
        return _append(text, _section_lines(section, key, value))
    if section is None:
        return _set_in(text, root, key, value)
    entry = _find(root, section)
    if entry is None:
        return _append(text, _section_lines(section, key, value))
    section_key, node = entry
    if node.id != "mapping" or node.flow_style:
        if node.id == "mapping" and node.value:
            return text  # flow style with content: not covered, the caller notices
        start, end = _after_colon(text, section_key), _end(section_key, node)
        line = f"\n{' ' * _INDENT}{_entry(key, value, _INDENT)}"
        return text[:start] + line + text[max(start, end) :]
    return _set_in(text, node, key, value)


def remove_entry(text: str, section: str, key: str) -> str:
    """Return `text` without `key` of the mapping `section`; its comment lines above stay."""
    root = compose(text)
    entry = _find(root, section) if root is not None else None
    if entry is None or entry[1].id != "mapping":
        return text
    section_key, node = entry
    found = _find(node, key)
    if found is None or node.flow_style:
        return text
    start = text.rfind("\n", 0, found[0].start_mark.index) + 1
    end = _line_end(text, _end(*found))
    if len(node.value) == 1:
        colon = _after_colon(text, section_key)
        return text[:colon] + " {}" + text[colon:start] + text[end:]
    return text[:start] + text[end:]


def scalar(value: str) -> str:
    """Spell text as YAML that every reader takes for text."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return '"' + "".join(_escaped(character) for character in value) + '"'


def _set_in(text: str, mapping: Any, key: str, value: Any) -> str:
    found = _find(mapping, key)
    column = mapping.start_mark.column
    if found is not None:
        key_node, node = found
        start, end = _after_colon(text, key_node), _end(key_node, node)
        rest = text[max(start, end) :]
        if text[max(start, end) - 1 : max(start, end)] == "\n":  # a block scalar ends its line
            rest = "\n" + rest
        return text[:start] + _value(value, column) + rest
    last_key, last = mapping.value[-1]
    at = _line_end(text, max(_end(last_key, last), last_key.end_mark.index))
    before = text[:at] if text[:at].endswith("\n") or not at else text[:at] + "\n"
    return f"{before}{' ' * column}{_entry(key, value, column)}\n{text[at:]}"


def _find(mapping: Any, key: str) -> tuple[Any, Any] | None:
    for key_node, node in mapping.value if mapping.id == "mapping" else ():
        if key_node.id == "scalar" and key_node.value == key:
            return key_node, node
    return None


def _after_colon(text: str, key_node: Any) -> int:
    return text.index(":", key_node.end_mark.index) + 1


def _end(key_node: Any, node: Any) -> int:
    """Return where the last character of a value is; block collections report their end too late.

    An alias reports where its anchor stands, before the key: the key's end is returned for it.
    """
    while node.id in ("mapping", "sequence") and not node.flow_style and node.value:
        last = node.value[-1]
        key_node, node = last if node.id == "mapping" else (key_node, last)
    if node.id == "scalar" and node.start_mark.index == node.end_mark.index:
        return int(key_node.end_mark.index) + 1  # nothing but the key and its colon
    return int(node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    if index and text[index - 1 : index] == "\n":
        return index
    newline = text.find("\n", index)
    return len(text) if newline < 0 else newline + 1


def _append(text: str, lines: str) -> str:
    return (text if not text or text.endswith("\n") else text + "\n") + lines


def _section_lines(section: str | None, key: str, value: Any) -> str:
    if section is None:
        return f"{_entry(key, value, 0)}\n"
    return f"{section}:\n{' ' * _INDENT}{_entry(key, value, _INDENT)}\n"


def _entry(key: str, value: Any, column: int) -> str:
    return f"{scalar(key)}:{_value(value, column)}"


def _value(value: Any, column: int) -> str:
    """Spell a value after its colon: in blocks, but what is in a list on one line."""
    inner = column + _INDENT
    indent = "\n" + " " * inner
    if isinstance(value, dict) and value:
        items = cast("dict[str, Any]", value).items()
        return "".join(f"{indent}{scalar(key)}:{_value(item, inner)}" for key, item in items)
    if isinstance(value, list) and value:
        return "".join(f"{indent}- {_flow(item)}" for item in cast("list[Any]", value))
    return f" {_flow(value)}"


def _flow(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        return go_json(value)  # YAML spells these as JSON does
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{scalar(key)}: {_flow(item)}" for key, item in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in cast("list[Any]", value)) + "]"
    return scalar(str(value))


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    if named:
        return named
    code = ord(character)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
