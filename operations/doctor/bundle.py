"""Everything a pass saw, in one file for whoever is called next, with no secret in it.

Owns the archive (findings, settings, outputs, exhibits, tails of logs) and the masking of all of
it, which is stricter than a report's: besides the secrets that are known, whatever looks like one
goes, for logs and objects hold those of others. Fields that are secret are left out by what they
are, not by what they look like.
"""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import os
import platform
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from operations.doctor.patient import Patient
from operations.doctor.report import DoctorReport
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import MASK, Masker

_NAMES = (
    r"pass(?:word|wd|phrase)?|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|credential"
)

LOOKS_SECRET = (
    # key = value, "key": "value", key: value; the key may have words around it.
    re.compile(
        rf"(?i)(?P<keep>[\w.-]*(?:{_NAMES})[\w.-]*(?P<q>\\?[\"']?)\s*[:=]\s*)"
        r"(?P<secret>\\?\"(?:[^\"\\\n]|\\[^\"])*\\?\"|'[^'\n]*'|[^\s\"',;&}]{3,})"
    ),
    re.compile(r"(?i)(?P<keep>(?:set-)?cookie:\s*)(?P<secret>[^\r\n]+)"),
    re.compile(r"(?P<keep>)(?P<secret>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)"),
    re.compile(r"(?P<keep>)(?P<secret>\bya29\.[\w.-]{10,})"),
    re.compile(
        r"(?P<keep>)(?P<secret>-----BEGIN [A-Z ]*PRIVATE KEY-----"
        r".*?(?:-----END [A-Z ]*KEY-----|\Z))",
        re.DOTALL,
    ),
    re.compile(
        r"(?i)(?P<keep>[?&](?:x-amz-(?:signature|credential|security-token)|sig)=)"
        r"(?P<secret>[^&\s\"']+)"
    ),
)
"""What is hidden although nobody told us that it is a secret."""

_NOT_SECRET = frozenset({"null", "None", "true", "false", "True", "False", "", MASK})


def write_bundle(path: Path, patient: Patient, report: DoctorReport) -> None:
    """Write the archive, readable by its owner alone.

    Raises:
        CouldNotLook: the file cannot be written.
    """
    files = {name: hide(text, patient.place.masker) for name, text in contents(patient, report)}
    raw = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, text in sorted(files.items()):
            content = text.encode()
            entry = tarfile.TarInfo(f"doctor/{name}")
            entry.size, entry.mode = len(content), 0o600
            entry.mtime = int(patient.place.clock.epoch())
            archive.addfile(entry, io.BytesIO(content))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # one that was there keeps its mode otherwise
            file.write(raw.getvalue())
    except OSError as error:
        raise CouldNotLook(
            f"--bundle is {str(path)!r}: it cannot be written ({error.strerror}); name a file in a "
            "folder of yours"
        ) from None


def contents(patient: Patient, report: DoctorReport) -> list[tuple[str, str]]:
    """Names and texts, not masked yet."""
    place = patient.place
    lines = "\n".join(line.text for line in report.lines())
    files = [
        ("findings.txt", f"{lines}\n"),
        ("findings.json", _json(report.document())),
        ("about.json", _json(_about(patient))),
        *patient.exhibits.texts().items(),
    ]
    if place.outputs is not None:
        files.append(("outputs.json", _json(without_secrets(place.outputs))))
    if place.settings is not None:
        files.append(("settings.json", _json(without_secrets(place.settings))))
    return files


def hide(text: str, masker: Masker) -> str:
    """Text without the secrets that are known and without what looks like one."""
    text = masker.foreign(text)
    for pattern in LOOKS_SECRET:
        text = pattern.sub(_hidden, text)
    return text


def _hidden(match: re.Match[str]) -> str:
    secret = match["secret"]
    if secret.strip("\\\"'") in _NOT_SECRET:
        return match[0]
    quote = secret[: len(secret) - len(secret.lstrip("\\\"'"))]
    return f"{match['keep']}{quote}{MASK}{quote}"


def without_secrets(value: Any) -> Any:
    """Plain values of a dataclass; a field that is not to be shown (`repr=False`) is hidden."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: without_secrets(getattr(value, item.name))
            if item.repr or getattr(value, item.name) is None
            else MASK
            for item in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(key): without_secrets(item) for key, item in items}
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in cast("Sequence[object]", value)]
    return value


def _about(patient: Patient) -> Mapping[str, object]:
    place = patient.place
    return {
        "stack": place.stack,
        "tracking_uri": place.target.uri,
        "epoch_seconds": int(place.clock.epoch()),
        "log_minutes": patient.options.log_minutes,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
