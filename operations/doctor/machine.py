"""Of a stack on this machine: its processes, disk, artifact folder, and the password it keeps.

Owns what the operating system can be asked. The stack's folder is found by its logs; what lies
where in it is the layout of the local target (docs/server.md).
"""

from __future__ import annotations

import os
import shutil
import stat
from configparser import ConfigParser, Error
from pathlib import Path
from typing import Any, cast

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import Patient

LEAST_FREE_BYTES = 2**30
LEAST_FREE_SHARE = 0.05
YOUNG_SECONDS = 10

GIB = 2**30


def folder_of(patient: Patient) -> Path:
    """The stack's folder.

    Raises:
        NotRun: the stack is not on this machine.
    """
    logs = patient.outputs.log_directory
    if not logs:
        raise NotRun("the stack exports no logDirectory")
    folder = Path(logs).parent
    if not folder.is_dir():
        raise NotRun(f"{folder} is not on this machine, or is gone")
    return folder


def processes(patient: Patient) -> Answer:
    """Do the stack's processes run?"""
    supervisor = _supervisor(folder_of(patient))
    try:
        found = cast("list[dict[str, Any]]", supervisor.supervisor.getAllProcessInfo())
    except Exception as error:  # xmlrpc's, http's and socket's own
        return failed(
            f"supervisord does not answer ({type(error).__name__})",
            cause="the supervisor of this stack does not run: nothing starts what ends",
            next_step="`make up` starts it, and with it what is missing.",
        )
    patient.exhibits.add("machine/processes.json", found)
    states = ", ".join(f"{item['name']} {item['statename']}" for item in found) or "no program"
    dead = [item for item in found if item["statename"] not in ("RUNNING", "STARTING")]
    if dead or not found:
        words = "; ".join(f"{item['name']}: {item['description']}" for item in dead)
        return failed(
            patient.foreign(f"{states}" + (f" ({words})" if words else "")),
            cause="a program was stopped, or ends each time it is started",
            next_step=f"Read its log in {patient.outputs.log_directory}; `make up` starts it.",
        )
    young = [
        item["name"]
        for item in found
        if item["statename"] == "STARTING" or item["now"] - item["start"] < YOUNG_SECONDS
    ]
    if young:
        return passed(f"{states}; {', '.join(young)} was started a moment ago")
    return passed(states)


def disk(patient: Patient) -> Answer:
    """Is there room on the disks of data and artifacts?"""
    folder = folder_of(patient)
    places = {folder}
    root = patient.outputs.artifact_root
    if "://" not in root and Path(root).exists():
        places.add(Path(root))
    seen: list[str] = []
    full: list[str] = []
    for place in sorted(places):
        usage = shutil.disk_usage(place)
        text = f"{place}: {usage.free / GIB:.1f} of {usage.total / GIB:.1f} GiB free"
        seen.append(text)
        if usage.free < max(_least_free(usage.total), 0):
            full.append(text)
    if full:
        return failed(
            "; ".join(full),
            cause="the disk is almost full: when it is, PostgreSQL stops and artifacts fail",
            next_step="Free space, or move localStateDir. What is deleted in MLflow goes with "
            "`mlflow gc` (retention in docs/runbooks/mlflow-management.md).",
        )
    return passed("; ".join(seen))


def _least_free(total: int) -> int:
    return min(LEAST_FREE_BYTES, int(total * LEAST_FREE_SHARE))


def artifact_folder(patient: Patient) -> Answer:
    """Is the artifact folder there, and may the server write to it?"""
    root = patient.outputs.artifact_root
    if "://" in root:
        raise NotRun(f"artifacts are in {root}")
    path = Path(root.removeprefix("file://"))
    try:
        found = path.stat()
    except OSError as error:
        return failed(
            f"{path}: {error.strerror}",
            cause="the artifact folder is gone: deleted, or its disk is not mounted",
            next_step="Mount it or restore it from a backup; `make up` makes an empty one.",
        )
    mode = f"{stat.filemode(found.st_mode)}, owner {found.st_uid}"
    if not stat.S_ISDIR(found.st_mode):
        return failed(
            f"{path} is no folder ({mode})",
            cause="something else stands where artifacts belong",
            next_step="Move it away; `make up` makes the folder.",
        )
    # For root everything is writable but what the file system refuses: the mode says more.
    by_owner = os.geteuid() == 0 and not found.st_mode & stat.S_IWUSR
    if by_owner or not os.access(path, os.W_OK | os.X_OK):
        return failed(
            f"{path} may not be written to ({mode})",
            cause="the folder's rights were changed, or its file system is mounted read-only",
            next_step=f"chmod u+rwx {path}, or chown it to whoever runs the stack; `mount | grep` "
            "its file system.",
        )
    return passed(f"{path} is there and writable ({mode})")


def password(patient: Patient) -> Answer:
    """Is the password file that the server reads in step with the stack?"""
    expected = patient.outputs.database_password
    if not expected:
        raise NotRun("the stack exports no databasePassword")
    path = folder_of(patient) / "run" / "mlflow.pgpass"
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        return failed(
            f"{path}: {error.strerror}",
            cause="the server's password file is gone or unreadable: its next connection fails",
            next_step="`make up` writes it again.",
        )
    written = content.strip().rsplit(":", 1)[-1].replace("\\:", ":").replace("\\\\", "\\")
    patient.place.masker.remember(written)
    if written != expected:
        return failed(
            f"{path} holds another password than the stack's databasePassword",
            cause="the file or the stack's secret was changed alone",
            next_step="`make up` writes the stack's password to the file and to the database.",
        )
    if path.stat().st_mode & 0o077:
        return failed(
            f"{path} can be read by others ({stat.filemode(path.stat().st_mode)})",
            cause="its rights were changed; libpq ignores a password file that others can read",
            next_step=f"chmod 600 {path}",
        )
    return passed(f"{path} has the stack's password, for its owner alone")


def _supervisor(folder: Path) -> Any:
    import xmlrpc.client

    from supervisor.xmlrpc import SupervisorTransport

    config = ConfigParser(interpolation=None)
    path = folder / "run" / "supervisord.conf"
    try:
        config.read_string(path.read_text(encoding="utf-8"))
        socket_file = config["unix_http_server"]["file"].replace("%%", "%")
    except (OSError, Error, KeyError):
        raise NotRun(f"{path} cannot be read: the stack was never deployed here") from None
    transport: Any = SupervisorTransport(None, None, serverurl=f"unix://{socket_file}")
    return xmlrpc.client.ServerProxy("http://localhost", transport=transport)


CHECKS = (
    Check(name="machine.processes", question="Do the stack's processes run?", ask=processes),
    Check(
        name="machine.disk",
        question="Is there room on the disks of data and artifacts?",
        ask=disk,
    ),
    Check(
        name="machine.artifact_folder",
        question="Is the artifact folder there, and may the server write to it?",
        ask=artifact_folder,
        explained_by=("machine.disk",),
    ),
    Check(
        name="machine.password",
        question="Is the password that the server reads in step with the stack?",
        ask=password,
    ),
)
