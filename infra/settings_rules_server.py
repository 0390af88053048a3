"""Rules about the shape of one server: what would be killed, cut short or read by nobody."""

from __future__ import annotations

from collections.abc import Iterator

from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, Problem, problem
from infra.settings_server_size import least_memory_mib

CLOUD_RUN_KILLS_AFTER_SECONDS = 10


def server_has_the_memory_it_starts_with(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """A container beyond its limit is killed without a word."""
    server = settings.server
    least = least_memory_mib(server.workers)
    if "serverMemoryMib" in parsed.given and server.memory_mib < least:
        yield problem(
            "serverMemoryMib",
            f"is {server.memory_mib} and {server.workers} workers need {least} to start: raise it "
            "(auto leaves room for requests), or lower mlflow-platform:serverWorkers",
        )


def shape_is_asked_of_somebody(settings: PlatformSettings, parsed: Parsed) -> Iterator[Problem]:
    """On this machine nothing limits a process."""
    if settings.target != "local":
        return
    for key in ("serverCpus", "serverMemoryMib"):
        if key in parsed.given:
            yield problem(
                key,
                "is set and mlflow-platform:target is local, where nothing limits a process: "
                "leave it out (serverSize and serverWorkers decide what the server takes)",
            )


def server_ends_before_it_is_killed(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[Problem]:
    """Cloud Run allows ten seconds from SIGTERM."""
    del parsed
    server = settings.server
    if settings.target != "gcp":
        return
    total = server.drain_seconds + server.grace_seconds
    if total >= CLOUD_RUN_KILLS_AFTER_SECONDS:
        yield problem(
            "serverGraceSeconds",
            f"is {server.grace_seconds} and serverDrainSeconds is {server.drain_seconds}, together "
            f"{total}: Cloud Run kills {CLOUD_RUN_KILLS_AFTER_SECONDS} s after SIGTERM; leave both "
            "at auto, or make them less together",
        )


SERVER_RULES = (
    server_has_the_memory_it_starts_with,
    shape_is_asked_of_somebody,
    server_ends_before_it_is_killed,
)
