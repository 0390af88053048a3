"""Where a text goes: a short one becomes an artifact, a long one a truncated parameter.

Owns that choice and the parameter's name, as the pooling fix of September 2025 made it: up to 1,000
characters are worth an upload, beyond them the first 100 and "..." are kept as a parameter (both
limits are settings). `prompt.txt` becomes `prompt_truncated`; a path keeps its folders, so that the
texts of many requests of one run do not claim one parameter.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import NamedTuple

from mlflow_platform_client.logging_settings import LoggingSettings

_NOT_IN_NAMES = re.compile(r"[^/\w.\- :]")


class Truncated(NamedTuple):
    """A parameter in place of an artifact."""

    key: str
    value: str


def truncated(text: str, artifact_file: str, settings: LoggingSettings) -> Truncated | None:
    """The parameter that stands for a text too long to upload; None when it is short enough."""
    if len(text) <= settings.text_artifact_characters:
        return None
    path = PurePosixPath(artifact_file)
    stem = str(path.with_suffix("")) if path.suffix else str(path)
    key = _NOT_IN_NAMES.sub("_", stem) + "_truncated"
    return Truncated(key, text[: settings.text_parameter_characters] + "...")
