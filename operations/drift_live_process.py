"""The server's processes on this machine: environment and number, of a local stack.

Owns the comparison of the processes that run with the definition that was deployed. A server that
somebody started by hand with another pool answers on the same port and looks healthy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from operations.drift_findings import Difference
from operations.drift_sight import NotVisible, Seen, Sight, differing, finding
from operations.engine_steps import State, shown
from smoke_tests.json_document import as_document

if TYPE_CHECKING:
    import psutil

LOOK = "process"
SERVER = "pulumi-python:dynamic/local:MlflowServer"
PACKAGE = "mlflow_platform_server"


def look(sight: Sight) -> Seen | None:
    """Compare them; None where the server does not run on this machine.

    Raises:
        NotVisible: no such process runs, or it is another user's.
    """
    servers = sight.deployed(SERVER)
    if not servers:
        return None
    import psutil

    step, state = servers[0]
    try:
        processes = _serving(state)
        if not processes:
            raise NotVisible("no process of the server runs here")
        numbers = {process.pid for process in processes}
        first = next((item for item in processes if item.ppid() not in numbers), processes[0])
        found = dict(first.environ())
        workers = len(processes) - 1
    except psutil.Error as error:
        raise NotVisible(f"the server's process cannot be read ({type(error).__name__})") from None
    expected = expected_environment(state)
    differences = differing(expected, {name: found.get(name) for name in expected})
    wanted = _option(state, "--workers")
    if wanted is not None and wanted != str(workers):
        differences.append(Difference(property="workers", expected=wanted, found=str(workers)))
    return Seen(
        looked_at=f"{workers} workers, {len(expected)} variables of process {first.pid}",
        findings=tuple(finding(LOOK, step.name, differences, kind="process", identity=state.id)),
    )


def expected_environment(state: State) -> dict[str, str]:
    """The variables as they were deployed, whole: what is shown may be cut short, no comparison."""
    given = as_document(state.at("environment")) or {}
    return {
        name: value if isinstance(value, str) else shown(value) for name, value in given.items()
    }


def _serving(state: State) -> list[psutil.Process]:
    """Our server's processes: those that listen where the definition says."""
    import psutil

    port = _option(state, "--port")
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words: Sequence[str] = process.cmdline()
        except psutil.Error:
            continue  # it ended, or is none of ours
        serves = PACKAGE in words and "serve" in words
        if serves and "--port" in words and words[words.index("--port") + 1] == port:
            found.append(process)
    return found


def _option(state: State, name: str) -> str | None:
    command = state.at("command")
    words = cast("list[object]", command) if isinstance(command, list) else []
    return str(words[words.index(name) + 1]) if name in words else None
