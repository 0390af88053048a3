"""Compare default `mlflow server` with the platform's profile on this machine.

Owns the command line: what to measure, where results go, the exit code. 0: every aim was met.
1: one was not. 2: nothing could be measured, or the run was interrupted (what was measured is
written all the same).

    python -m benchmarks.server_comparison --quick
    python -m benchmarks.server_comparison --full --write-docs
    python -m benchmarks.server_comparison --ablation --variant default --variant uvloop
    python -m benchmarks.server_comparison --quick --case log-metric --seconds 1 --repeats 1
    python -m benchmarks.server_comparison --render .state/benchmark/…/results.json
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from benchmarks.server_comparison import aims, cases, documents, plots, report, variants
from benchmarks.server_comparison.default_environment import EnvironmentMissingError
from benchmarks.server_comparison.harness import Comparison
from benchmarks.server_comparison.results import (
    FILE_NAME,
    Results,
    UnreadableResultsError,
    commit,
    machine,
    read,
)
from benchmarks.server_comparison.server import ServerFailedError
from infra.settings import SettingsError, load_settings

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".state" / "benchmark"
MET, MISSED, COULD_NOT_LOOK = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure or render, write, print; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.render:
            results, folder = read(options.render), options.render.parent
        else:
            plan = _plan(options)
            if options.list:
                starts = [cases.COLD_START] if plan.cold_starts else []
                print("\n".join([*starts, *(case.title for case in plan.cases)]))
                return MET
            folder = options.results or WORK / datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S")
            results = _measure(options, plan, folder)
        _write(results, folder)
        if options.write_docs:
            documents.write(results)
    except (
        ServerFailedError,
        EnvironmentMissingError,
        SettingsError,
        UnreadableResultsError,
        documents.DocumentError,
    ) as error:
        print(error, file=sys.stderr)
        return COULD_NOT_LOOK
    if results.interrupted or not (results.cells or results.starts):
        return COULD_NOT_LOOK
    if results.mode == "ablation":
        return MET
    return MET if aims.all_met(aims.verdicts(results)) else MISSED


def _plan(options: argparse.Namespace) -> cases.Plan:
    whole = {"quick": cases.quick, "full": cases.full, "ablation": cases.ablation}[options.mode]()
    plan = cases.selected(whole, options.case)
    plan = cases.scaled(plan, seconds=options.seconds, repeats=options.repeats)
    if not plan.cases and not plan.cold_starts:
        raise ServerFailedError(
            f"no case of --{options.mode} has {' or '.join(map(repr, options.case))} in its title: "
            "--list prints them"
        )
    if options.search_runs is not None:
        plan = cases.sized(plan, search_runs=options.search_runs)
    return plan


def _groups(options: argparse.Namespace) -> list[list[variants.Variant]]:
    """Those that run side by side; an ablation's one after the other."""
    if options.mode != "ablation":
        return [list(variants.compared(_settings(options.setting)))]
    every = variants.ablation()
    wanted = options.variant or [item.name for item in every]
    return [[item] for item in every if item.name in wanted]


def _settings(given: Sequence[str]) -> dict[str, str]:
    """Settings of our stack, read as the program would read them."""
    pairs = [item.partition("=") for item in given]
    settings = {key: value for key, _, value in pairs}
    load_settings(settings, stack="local", environ={})  # refused here, not in the midst
    return settings


def _measure(options: argparse.Namespace, plan: cases.Plan, folder: Path) -> Results:
    folder.mkdir(parents=True, exist_ok=True)
    chosen = ("seconds", "repeats", "seed", "search_runs")
    results = Results(
        mode=options.mode,
        options={
            **{name: getattr(options, name) for name in chosen},
            "selection": [*options.case, *options.variant, *options.setting],
            "cases": [asdict(case) for case in plan.cases],
        },
        machine=machine(),
        begun=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
    )
    begun = time.monotonic()

    def progress(line: str) -> None:
        seconds = int(time.monotonic() - begun)
        print(f"{seconds // 60:3d}:{seconds % 60:02d}  {line}", file=sys.stderr, flush=True)
        results.write(folder)  # a machine that stops keeps what was measured

    comparison = Comparison(
        plan, _groups(options), results, work=WORK, seed=options.seed, progress=progress
    )
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, _interrupt) for number in signals}
    try:
        comparison.run()
    except KeyboardInterrupt:
        results.interrupted = True
        progress("interrupted: nothing is left running, what was measured is written")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        results.wall_seconds = round(time.monotonic() - begun, 1)
        results.write(folder)
    return results


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End in order, once: a second Ctrl-C would leave servers running."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print("stopping the servers …", file=sys.stderr, flush=True)
    raise KeyboardInterrupt


def _write(results: Results, folder: Path) -> None:
    """The report beside the results, and the aims to whoever asked."""
    text = report.markdown(results, plots=plots.draw(results, folder))
    page = folder / "report.md"
    page.write_text(text, encoding="utf-8")
    print(
        report.starts_table(results) if results.mode == "ablation" else report.aims_table(results)
    )
    print(f"\n{page}\n{folder / FILE_NAME}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.server_comparison",
        description=(__doc__ or "").partition("\n")[0],
    )
    modes = parser.add_mutually_exclusive_group()
    for mode, text in (
        ("quick", "all aims, every operation once (the default)"),
        ("full", "every case of docs/performance.md"),
        ("ablation", "the default server with one thing changed at a time"),
    ):
        modes.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, help=text)
    parser.set_defaults(mode="quick")
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        help="only cases with this in their title; repeatable",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        choices=[item.name for item in variants.ablation()],
        help="only this server of the ablation; repeatable",
    )
    parser.add_argument(
        "--setting",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of our stack, such as serverSize=large; repeatable",
    )
    parser.add_argument("--list", action="store_true", help="print the cases and measure nothing")
    parser.add_argument("--seconds", type=float, help="of each cell; default: the plan's")
    parser.add_argument("--repeats", type=int, help="of each cell and start; default: the plan's")
    parser.add_argument("--search-runs", type=int, help="runs to search through; default: 100000")
    parser.add_argument("--seed", type=int, default=1, help="of the order within a repeat")
    parser.add_argument("--results", type=Path, help=f"folder; default: a new one in {WORK}")
    parser.add_argument(
        "--render", type=Path, metavar=FILE_NAME, help="make the report of a finished run again"
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="put the tables into docs/performance.md"
    )
    return parser
