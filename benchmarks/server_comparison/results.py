"""What a run of the benchmark leaves: records, and the JSON file that holds them.

Owns the file's shape. A reader may rely on it: fields are added, and `SCHEMA` grows by one when a
field changes its meaning or goes. Everything printed or drawn is made from such a file alone.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

SCHEMA = 1
FILE_NAME = "results.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class StartRecord:
    """One start of a variant, alone on the machine."""

    variant: str
    health_seconds: float  # from exec to an answered /health
    answer_seconds: float  # from exec to the first answered question to the database
    processes: int
    workers: int  # processes that serve
    pss_mib: float  # of all processes, every worker warm
    worker_pss_mib: float
    idle_cpu_percent: float  # of one core, with nothing to do


@dataclass(frozen=True, kw_only=True, slots=True)
class CellRecord:
    """One measurement of a case on a variant."""

    variant: str
    operation: str
    clients: int
    database_ms: float
    client_ms: float
    repeat: int
    seconds: float  # the window; the cell lasted elapsed_seconds
    elapsed_seconds: float
    requests_per_second: float
    acknowledged: int
    errors: int
    error_kinds: dict[str, int]
    unanswered: int
    missing: int | None  # acknowledged but not in the store; None: the operation stores nothing
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    slowest_ms: float | None
    server_cpu_ms_per_request: float | None
    database_cpu_ms_per_request: float | None
    generator_busy_percent: float  # of one core
    idle_pss_mib: float | None  # of files: before, and at the most while they went through
    peak_pss_mib: float | None

    @property
    def failed(self) -> int:
        """Requests that did not end well."""
        return self.errors + self.unanswered


@dataclass(frozen=True, kw_only=True, slots=True)
class VariantRecord:
    """A server as it was called."""

    name: str
    meaning: str
    command: str  # without the folders of the machine it ran on


@dataclass(kw_only=True, slots=True)
class Results:
    """All of one run."""

    mode: str
    options: dict[str, Any]
    machine: dict[str, Any]
    begun: str
    commit: str
    variants: list[VariantRecord] = field(default_factory=list[VariantRecord])
    starts: list[StartRecord] = field(default_factory=list[StartRecord])
    cells: list[CellRecord] = field(default_factory=list[CellRecord])
    ceiling: dict[str, float] = field(default_factory=dict[str, float])  # of the generator
    skipped: list[str] = field(default_factory=list[str])
    interrupted: bool = False
    wall_seconds: float = 0.0
    schema: int = SCHEMA

    def write(self, folder: Path) -> Path:
        """Write them into a folder; whole or not at all."""
        path = folder / FILE_NAME
        fresh = path.with_suffix(".json.new")
        fresh.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)
        return path


class UnreadableResultsError(ValueError):
    """A file is no results of this benchmark."""


def read(path: Path) -> Results:
    """Results as they were written."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = record["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableResultsError(
            f"{path} cannot be read as results of this benchmark ({error}): name the "
            f"{FILE_NAME} of one of its runs"
        ) from error
    if found != SCHEMA:
        raise UnreadableResultsError(
            f"{path} has schema {found}, and this program reads schema {SCHEMA}: render it with "
            "the program that wrote it"
        )
    record["variants"] = [VariantRecord(**item) for item in record["variants"]]
    record["starts"] = [StartRecord(**item) for item in record["starts"]]
    record["cells"] = [CellRecord(**item) for item in record["cells"]]
    return Results(**record)


def machine() -> dict[str, Any]:
    """Where the figures come from: ratios travel, figures do not."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / (1 << 30), 1),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "mlflow": version("mlflow"),
        "uvicorn": version("uvicorn"),
        "implementation": sys.implementation.name,
        "load_before": round(os.getloadavg()[0], 2),
    }


def commit() -> str:
    """What was measured; empty outside a checkout."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
