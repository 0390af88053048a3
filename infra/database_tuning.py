"""PostgreSQL's own settings, for every place that a database of ours runs in.

Owns one table: what is set, to what, and why. Values follow from the machine's memory and from the
settings; local PostgreSQL takes them as arguments, RDS as a parameter group, Cloud SQL as flags.
All three take the base units that PostgreSQL itself reports (`pg_settings.unit`: pages of 8 kB, kB,
MB, seconds), so a value is rendered once. What belongs to one place alone (TLS on RDS, sockets on
this machine) stays there. docs/database.md has the measurements.

Not here: `statement_timeout`. The server sets its own; a backup or a migration takes longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.settings_model import PlatformSettings

PAGES_PER_MIB = 128
KIB_PER_MIB = 1024

STATIC = frozenset({"max_connections", "shared_buffers"})
"""What PostgreSQL reads only when it starts: a change waits for a restart."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One of PostgreSQL's settings."""

    name: str
    value: Callable[[PlatformSettings, int], str]  # from the settings and the memory in MiB
    why: str
    follows_memory: bool = False


def requests_at_once(settings: PlatformSettings) -> int:
    """How many statements all servers together can be running."""
    server = settings.server
    return server.replicas * server.workers * server.threads


def work_mem_mib(settings: PlatformSettings, memory_mib: int) -> int:
    """A quarter of the memory, shared by the statements that can run at once; 4 to 64 MiB.

    Below 4 MiB (PostgreSQL's default) sorting the runs of one experiment goes to disk; above 64
    nothing that MLflow asks gets any faster.
    """
    return min(max(memory_mib // 4 // requests_at_once(settings), 4), 64)


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "max_connections",
        lambda settings, _memory: str(settings.database.max_connections),
        "the connection budget's other half",
    ),
    Parameter(
        "shared_buffers",
        lambda _settings, memory: str(memory // 4 * PAGES_PER_MIB),
        "a quarter of the memory: the rest is the system's cache and the connections'",
        follows_memory=True,
    ),
    Parameter(
        "effective_cache_size",
        # Cloud SQL takes up to 70 % of the memory.
        lambda _settings, memory: str(memory * 65 // 100 * PAGES_PER_MIB),
        "what the planner may count on finding in memory",
        follows_memory=True,
    ),
    Parameter(
        "work_mem",
        lambda settings, memory: str(work_mem_mib(settings, memory) * KIB_PER_MIB),
        "search_runs sorts whole rows: an experiment of 50,000 runs wants 7 MB",
        follows_memory=True,
    ),
    Parameter(
        "maintenance_work_mem",
        lambda _settings, memory: str(min(max(memory // 16, 64), 1024) * KIB_PER_MIB),
        "an index over ten million metrics is sorted here while it is built",
        follows_memory=True,
    ),
    Parameter(
        "random_page_cost",
        lambda _settings, _memory: "1.1",
        "solid-state storage reads any page as fast as the next one",
    ),
    Parameter(
        "max_wal_size",
        lambda _settings, memory: str(min(max(memory, 1024), 4096)),
        "the first change of a page after a checkpoint logs all of it: a log-batch of 10 metrics"
        " writes 86 kB then and 8 kB later",
        follows_memory=True,
    ),
    Parameter(
        "checkpoint_timeout",
        lambda _settings, _memory: "900",
        "as above; a restart after a crash replays at most this many seconds of writing",
    ),
    Parameter(
        "jit",
        lambda _settings, _memory: "off",
        "MLflow's queries are short; compiling them costs more than it saves",
    ),
    Parameter(
        "track_io_timing",
        lambda _settings, _memory: "on",
        "a slow query shows whether it waited for the disk",
    ),
    Parameter(
        "log_min_duration_statement",
        lambda settings, _memory: str(settings.telemetry.slow_query_ms),
        "slowQueryMs",
    ),
    Parameter("log_lock_waits", lambda _settings, _memory: "on", "who waited for whom"),
    Parameter(
        "log_temp_files",
        lambda _settings, _memory: "10240",
        "a sort of more than 10 MB that did not fit work_mem",
    ),
)


def parameters(settings: PlatformSettings, memory_mib: int | None) -> dict[str, str]:
    """PostgreSQL's settings for a machine with that much memory, in base units.

    Where nobody knows the memory (None), what follows from it is left as the place has it. Switches
    are `on` and `off`, which PostgreSQL and Cloud SQL take; `rds_spelling` is for RDS.
    """
    return {
        item.name: item.value(settings, memory_mib or 0)
        for item in PARAMETERS
        if memory_mib is not None or not item.follows_memory
    }


def rds_spelling(values: Mapping[str, str]) -> dict[str, str]:
    """The same values as an RDS parameter group spells them: switches are 1 and 0."""
    return {name: {"on": "1", "off": "0"}.get(value, value) for name, value in values.items()}
