"""JSON text as Go's encoder writes it, for values that a program compares character by character.

An object in a stack's configuration reaches the program, and the inputs of default providers in
the state, as JSON text. If the two engines spelled it differently, every switch between them would
show a difference where there is none.
"""

from __future__ import annotations

import json
import math
from typing import Any

from local_engine.errors import EngineError


def go_json(value: Any) -> str:
    """Return `value` compact, keys sorted, numbers and <, >, & spelled as Go does."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return go_number(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(go_json(item) for item in value) + "]"  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        items = sorted(value.items())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportUnknownVariableType]
        return "{" + ",".join(f"{_string(key)}:{go_json(inner)}" for key, inner in items) + "}"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    raise EngineError(f"A {type(value).__name__} has no JSON form.")


def go_number(value: float) -> str:
    """Spell a float as Go's encoding/json: shortest digits, exponents only far from one."""
    if not math.isfinite(value):
        raise EngineError(f"{value} is not a number JSON can carry: use a finite one.")
    if value.is_integer() and abs(value) < 1e21:
        return "-0" if value == 0 and math.copysign(1, value) < 0 else str(int(value))
    size = abs(value)
    if 1e-6 <= size < 1e21:
        text = repr(value)
        if "e" not in text:
            return text
        digits = text.partition("e")[0].lstrip("-").replace(".", "")
        exponent = int(text.partition("e")[2])
        return ("-" if value < 0 else "") + "0." + "0" * (-exponent - 1) + digits
    mantissa, _, exponent = repr(value).partition("e")
    sign = exponent[0] if exponent[0] in "+-" else "+"
    return f"{mantissa.removesuffix('.0')}e{sign}{exponent.lstrip('+-').lstrip('0')}"


def _string(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        quoted = quoted.replace(character, f"\\u{ord(character):04x}")
    return quoted
