"""Whether an object that was applied is what it is meant to become: rolled out, complete.

Owns the kinds that are waited for, by what their status says. A wait that cannot succeed ends at
once with the reason; the others end at the program's own timeout.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 600.0
"""Of the real provider, where the program sets no timeout."""

SKIP = "pulumi.com/skipAwait"


class NotYetError(Exception):
    """Not ready; the message says what is missing."""


class NeverError(Exception):
    """It will not become ready; the message says why."""


def wait(kind: str, read: Callable[[], Mapping[str, Any] | None], seconds: float) -> str | None:
    """Wait until the object is ready; return why it is not, or None.

    `read` returns the object as it is.
    """
    check = _CHECKS.get(kind)
    if check is None:
        return None
    deadline = time.monotonic() + (seconds or PATIENCE_SECONDS)
    while True:
        live = read()
        if live is None:
            return f"{kind} was deleted while it was waited for"
        if live["metadata"].get("annotations", {}).get(SKIP) == "true":
            return None
        try:
            check(live)
        except NeverError as error:
            return str(error)
        except NotYetError as error:
            if time.monotonic() > deadline:
                return f"{error} after {seconds or PATIENCE_SECONDS:g} s"
        else:
            return None
        time.sleep(POLL_SECONDS)


def _deployment(live: Mapping[str, Any]) -> None:
    status, name = live.get("status", {}), live["metadata"]["name"]
    wanted = live["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        raise NotYetError(f"Deployment {name} was not looked at by its controller")
    progressing = _condition(status, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        raise NeverError(f"Deployment {name}: {progressing.get('message')}")
    for field, words in (
        ("updatedReplicas", "are of this version"),
        ("availableReplicas", "are available"),
    ):
        if status.get(field, 0) < wanted:
            raise NotYetError(
                f"Deployment {name}: {status.get(field, 0)} of {wanted} servers {words}"
            )
    if status.get("replicas", 0) > wanted:
        raise NotYetError(f"Deployment {name}: pods of the old version are still there")


def _job(live: Mapping[str, Any]) -> None:
    status, name = live.get("status", {}), live["metadata"]["name"]
    failed = _condition(status, "Failed")
    if failed.get("status") == "True":
        raise NeverError(f"Job {name} failed: {failed.get('reason')}: {failed.get('message')}")
    if _condition(status, "Complete").get("status") != "True":
        raise NotYetError(f"Job {name} has not completed")


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {})


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "Deployment": _deployment,
    "Job": _job,
}
