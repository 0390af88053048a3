"""Where a platform's logs are, and their last lines.

Owns the choice: files on this machine, pods and CloudWatch, Cloud Logging. Only the end of a log is
read, and only once for all patterns.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from operations.doctor.check import NotRun
from operations.doctor.log_lines import Logs
from operations.doctor.patient import Patient

READ_BYTES = 512 * 1024
TAIL_LINES = 200

_LogReader = Callable[[Patient], Logs]


def read_logs(patient: Patient) -> Logs:
    """All logs of the platform that can be read from here.

    Raises:
        NotRun: there are none that can be read from here.
    """
    return patient.once("logs", lambda: _read(patient))


def _read(patient: Patient) -> Logs:
    found = _reader(patient)(patient)
    for name, text in found.texts.items():
        tail = "\n".join(text.splitlines()[-TAIL_LINES:])
        patient.exhibits.add(f"logs/{name.replace('/', '_')}.txt", tail)
    return found


def _reader(patient: Patient) -> _LogReader:
    outputs = patient.outputs
    if outputs.log_directory:
        return _files
    if outputs.target == "aws":
        from operations.doctor.aws_logs import logs_on_aws

        return logs_on_aws
    if outputs.target == "gcp":
        from operations.doctor.gcp_logs import cloud_logs

        return cloud_logs
    raise NotRun("the stack exports no logDirectory")


def _files(patient: Patient) -> Logs:
    folder = Path(patient.outputs.log_directory or "")
    if not folder.is_dir():
        raise NotRun(f"{folder} is gone: the stack's logs are written there")
    texts: dict[str, str] = {}
    refused: list[str] = []
    for path in sorted(folder.glob("*.log")):
        try:
            texts[path.name] = _end_of(path)
        except OSError as error:
            refused.append(f"{path.name} ({error.strerror})")
    if not texts:
        raise NotRun(
            f"no log in {folder} can be read" + (f": {', '.join(refused)}" if refused else "")
        )
    return Logs(texts, tuple(refused))


def _end_of(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as log:
        log.seek(max(0, size - READ_BYTES))
        return log.read().decode("utf-8", errors="replace")
