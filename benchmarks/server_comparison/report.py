"""The results as Markdown.

Owns the tables: aims, starts, rates and latencies, files, the ablation. It reads a `Results` and
nothing else, so that a page can be made again from a recorded file. Figures are medians of the
repeats; the least and the most stand in parentheses where there was more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.server_comparison.aims import verdicts
from benchmarks.server_comparison.results import Results
from benchmarks.server_comparison.summary import (
    CaseKey,
    Measured,
    Spread,
    busiest_generator_percent,
    measured,
    missing_values,
    started,
)
from benchmarks.server_comparison.traffic import FILE_BYTES

NONE = "–"


def markdown(results: Results, *, plots: Sequence[str] = ()) -> str:
    """The whole report; `plots` are file names beside it."""
    parts = [
        "# Default `mlflow server` and the platform's profile, side by side",
        conditions(results),
        *([] if results.mode == "ablation" else ["## Aims", aims_table(results)]),
        "## Start and memory",
        starts_table(results),
        "## Requests",
        requests_table(results),
    ]
    if any(cell.operation in FILE_BYTES for cell in results.cells):
        parts += ["## Files", files_table(results)]
    if errors := errors_list(results):
        parts += ["## Errors", errors]
    if results.skipped:
        parts += ["## Not measured", not_measured(results)]
    parts += [f"![{name}]({name})" for name in plots]
    return "\n\n".join(parts) + "\n"


def conditions(results: Results) -> str:
    """Where, when and how the figures came about."""
    machine = results.machine
    ceiling = ", ".join(
        f"{rate:.0f} requests a second with {clients.replace('_', ' ')}"
        for clients, rate in results.ceiling.items()
    )
    looked, missing = missing_values(results)
    ended = " (interrupted)" if results.interrupted else ""
    run = (
        f"{results.begun}, commit `{results.commit}`, mode `{results.mode}`, "
        f"{results.wall_seconds / 60:.0f} minutes{ended}"
    )
    place = (
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}, "
        f"Python {machine['python']}, MLflow {machine['mlflow']}, PostgreSQL "
        f"{machine.get('postgresql', NONE)}; load before: {machine['load_before']}. Servers, "
        "database and load generator share the machine: ratios hold, figures are its own."
    )
    generator = (
        f"The load generator alone, against a server that answers at once: {ceiling or NONE}; in "
        f"the busiest cell it used {busiest_generator_percent(results):.0f} % of a core."
    )
    store = f"Acknowledged requests looked for in the store: {looked}; missing: {missing}."
    servers = [f"{item.name}: {item.meaning}. `{item.command}`" for item in results.variants]
    lines = [run, place, generator, store, *servers]
    return "\n".join(f"- {line}" for line in lines)


def aims_table(results: Results) -> str:
    """Aim, measured, met."""
    rows = [
        (item.aim, item.measured, "yes" if item.met else "**no**") for item in verdicts(results)
    ]
    return table(("Aim", "Measured", "Met"), rows)


def starts_table(results: Results) -> str:
    """Cold start, processes and memory."""
    rows = [
        (
            item.variant,
            _seconds(item.health_seconds),
            _seconds(item.answer_seconds),
            str(item.processes),
            str(item.workers),
            _number(item.pss_mib, 0),
            _number(item.worker_pss_mib, 0),
            _number(item.idle_cpu_percent, 1),
        )
        for item in started(results)
    ]
    columns = (
        *("Server", "exec to /health, s", "exec to first answer, s", "Processes", "Workers"),
        *("Memory, MiB (PSS)", "of one worker", "CPU while idle, % of a core"),
    )
    return table(columns, rows)


def requests_table(results: Results) -> str:
    """Rates and latencies of calls, a row for each case and server."""
    rows = [
        (
            *_case(item.key),
            item.variant,
            _number(item.rate, 1),
            *(_number(value, 1) for value in (item.p50_ms, item.p95_ms, item.p99_ms)),
            str(item.failed),
            _number(item.server_cpu_ms, 1, bare=True),
            _number(item.database_cpu_ms, 1, bare=True),
        )
        for item in _ordered(results)
        if item.key.operation not in FILE_BYTES
    ]
    columns = (
        *("Operation", "Clients", "ms to database", "ms to client", "Server", "Requests/s"),
        *("p50 ms", "p95 ms", "p99 ms", "Errors", "CPU ms per request", "of the database"),
    )
    return table(columns, rows)


def files_table(results: Results) -> str:
    """Throughput and memory of uploads and downloads."""
    rows = [
        (
            *_case(item.key),
            item.variant,
            _throughput(item),
            _number(item.p50_ms, 1),
            _number(item.p99_ms, 1),
            NONE if item.extra_pss_mib is None else f"{item.extra_pss_mib:.0f}",
            str(item.failed),
        )
        for item in _ordered(results)
        if item.key.operation in FILE_BYTES
    ]
    columns = (
        *("Operation", "Clients", "ms to database", "ms to client", "Server", "MiB/s"),
        *("p50 ms", "p99 ms", "Memory above idle, MiB", "Errors"),
    )
    return table(columns, rows)


def errors_list(results: Results) -> str:
    """What went wrong, in the servers' own words."""
    lines: list[str] = []
    for item in _ordered(results):
        where = ", ".join((*(part for part in _case(item.key) if part), item.variant))
        if item.unanswered:
            lines.append(f"- {where}: {item.unanswered} unanswered when patience ended")
        lines += [f"- {where}: `{_one_line(kind)}`" for kind in item.error_kinds]
    return "\n".join(lines)


def not_measured(results: Results) -> str:
    """What could not be looked at, and why."""
    return "\n".join(f"- not measured: {_one_line(item)}" for item in results.skipped)


def table(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    names = tuple(columns)
    lines = [names, ("---",) * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ordered(results: Results) -> list[Measured]:
    """By case, the servers of one case below each other."""
    found = measured(results)
    order = {key: number for number, key in enumerate(dict.fromkeys(item.key for item in found))}
    names = [item.name for item in results.variants]
    return sorted(found, key=lambda item: (order[item.key], names.index(item.variant)))


def _case(key: CaseKey) -> tuple[str, str, str, str]:
    name = f"{key.operation}, {key.seconds:g} s" if key.seconds >= 30 else key.operation
    if key.operation in FILE_BYTES:
        name = key.operation
    return (name, str(key.clients), f"{key.database_ms:g}", f"{key.client_ms:g}")


def _throughput(item: Measured) -> str:
    mib = FILE_BYTES[item.key.operation] / (1 << 20)
    rate = item.rate
    return _number(Spread(rate.median * mib, rate.least * mib, rate.most * mib), 0)


def _seconds(value: Spread) -> str:
    return _number(value, 2)


def _number(value: Spread | None, places: int, *, bare: bool = False) -> str:
    if value is None:
        return NONE
    text = f"{value.median:,.{places}f}"
    if bare or value.least == value.most:
        return text
    return f"{text} ({value.least:,.{places}f}–{value.most:,.{places}f})"


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[0][:200] if lines else ""
