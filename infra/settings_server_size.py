"""What a server of each size has: workers, threads, processors, memory, and time to end.

Owns the presets by team size and what is derived from them where a stack says `auto`. The figures
are measured on the server that `image/mlflow_platform_server` runs (docs/server.md); how many
database connections they lead to is `settings_derived_numbers`' arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings_parsing import Parsed

SHARED_MIB = 384
"""MLflow itself, once for all workers, with the process that forks them."""

WORKER_MIB = 256
"""What one worker adds under load: its own pages, requests in flight, connections."""

JOBS_MIB = 512
"""MLflow's job runner and the job it runs."""

LEAST_SHARED_MIB = 256
LEAST_WORKER_MIB = 96
"""Below this a server is killed for its memory before it has served anything."""

CLOUD_RUN_GRACE_SECONDS = 8
"""Cloud Run kills ten seconds after SIGTERM, and sends nothing new from SIGTERM on."""

BALANCER_DRAIN_SECONDS = 10
"""Until every node and load balancer has heard that an ending pod takes no more requests."""

DEFAULT_IDLE_SECONDS = 60
KEEP_ALIVE_SECONDS = 75
"""Above the 60 s of load balancers that nobody has told otherwise."""

LONGEST_IDLE_SECONDS = 3500
"""AWS takes 4000; the server keeps a connection for an hour at most."""


@dataclass(frozen=True, slots=True)
class ServerSize:
    """What one server of a size has."""

    workers: int
    threads: int


SIZES = {
    "small": ServerSize(workers=1, threads=10),
    "medium": ServerSize(workers=2, threads=15),
    "large": ServerSize(workers=4, threads=15),
}
"""Small: some ten jobs log at once. Medium: some fifty. Large: hundreds, with replicas."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerShape:
    """What a target asks of a cluster or a cloud for one server, and how it ends."""

    cpus: int
    memory_mib: int
    keep_alive_seconds: int
    drain_seconds: int
    grace_seconds: int


def size_of(parsed: Parsed) -> ServerSize:
    """The preset that a stack names."""
    return SIZES.get(parsed.text("serverSize"), SIZES["medium"])


def shape_of(parsed: Parsed, *, workers: int, target: str) -> ServerShape:
    """The shape of a server with so many workers: what is given as it is, the rest derived."""
    jobs = JOBS_MIB if parsed.flag("serverJobExecution") else 0
    return ServerShape(
        # A worker uses one processor: Python runs one thread at a time.
        cpus=_given(parsed, "serverCpus", workers),
        memory_mib=_given(parsed, "serverMemoryMib", SHARED_MIB + WORKER_MIB * workers + jobs),
        keep_alive_seconds=_given(parsed, "serverKeepAliveSeconds", _keep_alive(parsed, target)),
        drain_seconds=_given(
            parsed, "serverDrainSeconds", BALANCER_DRAIN_SECONDS if target == "aws" else 0
        ),
        grace_seconds=_given(
            parsed, "serverGraceSeconds", CLOUD_RUN_GRACE_SECONDS if target == "gcp" else 30
        ),
    )


def balancer_idle_seconds(request_timeout_seconds: int) -> int:
    """How long AWS's load balancer keeps a connection on which nothing is said."""
    return min(request_timeout_seconds, LONGEST_IDLE_SECONDS)


def _keep_alive(parsed: Parsed, target: str) -> int:
    """Longer than the load balancer: it would send a request on a connection that just closed."""
    if target != "aws":
        return KEEP_ALIVE_SECONDS
    idle = balancer_idle_seconds(parsed.number("serverRequestTimeoutSeconds"))
    return max(KEEP_ALIVE_SECONDS, idle + KEEP_ALIVE_SECONDS - DEFAULT_IDLE_SECONDS)


def least_memory_mib(workers: int) -> int:
    """What such a server needs to start and to answer one request per worker."""
    return LEAST_SHARED_MIB + LEAST_WORKER_MIB * workers


def _given(parsed: Parsed, key: str, derived: int) -> int:
    given = parsed.number_or_auto(key)
    return derived if given is None else given
