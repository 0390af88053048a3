"""How much memory an RDS instance class has, from its name.

Owns the arithmetic of AWS's naming (db.<family>.<size>): general classes (m) have 4 GiB for each
processor, memory classes (r) twice that, and burstable ones (t) a row of their own. A class that
is not in it is unknown here, not wrong.
"""

from __future__ import annotations

import re

_CLASS = re.compile(r"db\.(?P<family>[tmr])\d[a-z]{0,2}\.(?P<size>\d*[a-z]+)")
_BURSTABLE_GIB = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}
_LARGE_GIB = {"m": 8, "r": 16}
_TIMES_LARGE = {
    "large": 1,
    "xlarge": 2,
    **{f"{times}xlarge": 2 * times for times in (2, 4, 8, 12, 16, 24, 32, 48)},
}

BYTES_PER_CONNECTION = 9_531_392
"""What RDS allows for a connection when it derives max_connections from an instance's memory."""


def looks_like_a_class(text: str) -> bool:
    """Whether the text has the form of an instance class."""
    return re.fullmatch(r"db\.[a-z0-9-]+\.[a-z0-9]+", text) is not None


def memory_gib(instance_class: str) -> int | None:
    """Memory of the class; None where its name does not say."""
    match = _CLASS.fullmatch(instance_class)
    if match is None:
        return None
    family, size = match["family"], match["size"]
    if family == "t":
        return _BURSTABLE_GIB.get(size)
    times = _TIMES_LARGE.get(size)
    return times and _LARGE_GIB[family] * times


def most_connections(instance_class: str) -> int | None:
    """As many connections as RDS itself would set for the class; None where it is unknown."""
    memory = memory_gib(instance_class)
    return None if memory is None else memory * 1024**3 // BYTES_PER_CONNECTION
