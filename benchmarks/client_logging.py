"""What logging costs a training loop, and how fast it gets there: four ways, one server.

For each way of logging and each network delay it measures two things: metrics per second, from the
first call until the server has acknowledged the last one; and the time added to a training step
that computes for 2 ms and logs 10 metrics: inside the calls, and as processor time of background
threads, which a loop that never leaves the interpreter pays as well. Each measurement has a process
and a run of its own; with `--repeat` they take turns and the median of each number is printed.
Delays are round trips, made by `delaying_proxy`.

    python benchmarks/client_logging.py http://127.0.0.1:5000 --delays 0 25 75
    python benchmarks/client_logging.py --throwaway          on a server of its own
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "client")]

from benchmarks.delaying_proxy import delayed  # noqa: E402
from benchmarks.throwaway_server import ThrowawayServer  # noqa: E402

METRICS_PER_STEP = 10
COMPUTE_SECONDS = 0.002


class Way(NamedTuple):
    """One way of logging: how many metrics are enough to measure it, how many steps."""

    title: str
    metrics: int
    steps: int


WAYS = {
    "client": Way("this client, `log_metric`", 50_000, 1000),
    "client-together": Way("this client, `log_metrics` of 10", 50_000, 1000),
    "batch": Way("hand-made `log_batch` of 1,000", 50_000, 1000),
    "async-buffered": Way("MLflow asynchronous, buffered 1 s", 10_000, 1000),
    "async": Way("MLflow asynchronous", 500, 50),
    "plain": Way("plain `mlflow.log_metric`", 100, 10),
}


class Logging(NamedTuple):
    """How a way logs one step, and how it waits for the end."""

    step: Callable[[int], None]
    finish: Callable[[], None]


def names(step: int) -> list[tuple[str, float]]:
    return [(f"m{index}", step + index / 10) for index in range(METRICS_PER_STEP)]


def way_of(name: str, uri: str, folder: str) -> Logging:
    """Connect and prepare one way of logging."""
    import mlflow
    from mlflow.entities import Metric

    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    run = client.create_run("0")
    run_id = run.info.run_id
    if name.startswith("client"):
        from mlflow_platform_client.logging_settings import LoggingSettings
        from mlflow_platform_client.tracking_logger import TrackingLogger

        logger = TrackingLogger(run, settings=LoggingSettings(spool_directory=Path(folder)))

        def log_together(step: int) -> None:
            logger.log_metrics(dict(names(step)), step=step)

        def log_step(step: int) -> None:
            for key, value in names(step):
                logger.log_metric(key, value, step=step)

        return Logging(
            log_together if name == "client-together" else log_step,
            lambda: None if logger.flush(600) else sys.exit("not flushed"),
        )
    if name == "batch":
        waiting: list[Metric] = []

        def send() -> None:
            client.log_batch(run_id, metrics=waiting)
            waiting.clear()

        def collect_step(step: int) -> None:
            now = time.time_ns() // 1_000_000
            waiting.extend(Metric(key, value, now, step) for key, value in names(step))
            if len(waiting) >= 1000:
                send()

        return Logging(collect_step, lambda: send() if waiting else None)
    with_plain = name == "plain"
    if name == "async-buffered":
        os.environ["MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS"] = "1"
    mlflow.start_run(run_id)

    def call_step(step: int) -> None:
        for key, value in names(step):
            mlflow.log_metric(key, value, step=step, synchronous=with_plain)

    return Logging(call_step, (lambda: None) if with_plain else mlflow.flush_async_logging)


def work(turns: int) -> None:
    """A step's own work: the same number of turns each time, so that lost time shows."""
    total = 0
    for number in range(turns):
        total += number


def turns_for(seconds: float) -> int:
    """How many turns of `work` take so long on this machine."""
    best = min(_timed(lambda: work(10_000)) for _ in range(20))
    return max(1, int(10_000 * seconds / best))


def _timed(function: Callable[[], None]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measure(name: str, uri: str, metrics: int, steps: int) -> dict[str, float]:
    """In a process of its own."""
    with tempfile.TemporaryDirectory(prefix="client-logging-") as folder:
        way = way_of(name, uri, folder)
        way.step(0)
        way.finish()  # connections, imports and threads are there
        started = time.perf_counter()
        for step in range(1, 1 + metrics // METRICS_PER_STEP):
            way.step(step)
        called = time.perf_counter() - started
        way.finish()
        total = time.perf_counter() - started

        turns = turns_for(COMPUTE_SECONDS)
        inside: list[float] = []
        processor, own = time.process_time(), time.thread_time()
        for step in range(100_000, 100_000 + steps):
            work(turns)
            before = time.perf_counter()
            way.step(step)
            inside.append(time.perf_counter() - before)
        background = (time.process_time() - processor) - (time.thread_time() - own)
        way.finish()
    inside.sort()
    return {
        "metrics": metrics,
        "metrics_per_second": round(metrics / total, 1),
        "call_microseconds": round(called / metrics * 1e6, 2),
        "step_p50_microseconds": round(inside[len(inside) // 2] * 1e6, 1),
        "step_p99_microseconds": round(inside[int(len(inside) * 0.99)] * 1e6, 1),
        "step_max_microseconds": round(inside[-1] * 1e6, 1),
        "step_mean_microseconds": round(statistics.fmean(inside) * 1e6, 1),
        "background_microseconds_per_step": round(background / steps * 1e6, 1),
    }


COLUMNS = {
    "metrics/s": ("metrics_per_second", "{:,.0f}"),
    "of hand-made": ("share", "{:.0%}"),
    "one call (µs)": ("call_microseconds", "{:,.1f}"),
    "10 metrics in a step: p50 (µs)": ("step_p50_microseconds", "{:,.0f}"),
    "p99 (µs)": ("step_p99_microseconds", "{:,.0f}"),
    "mean (µs)": ("step_mean_microseconds", "{:,.0f}"),
    "background processor time (µs)": ("background_microseconds_per_step", "{:,.0f}"),
}


def as_markdown(results: list[dict[str, object]]) -> str:
    """One line for each way and delay: the median of its repetitions."""
    lines = ["| delay | logging | " + " | ".join(COLUMNS) + " |"]
    lines.append("|---:|---|" + "---:|" * len(COLUMNS))
    medians: dict[tuple[object, object], dict[str, float]] = {}
    for delay, way in dict.fromkeys((r["delay_ms"], r["way"]) for r in results):
        rows = [r for r in results if (r["delay_ms"], r["way"]) == (delay, way)]
        medians[delay, way] = {
            name: statistics.median(float(str(row[name])) for row in rows)
            for name, _ in COLUMNS.values()
            if name != "share"
        }
    for (delay, way), row in medians.items():
        hand_made = medians.get((delay, "batch"), {}).get("metrics_per_second", float("nan"))
        row["share"] = row["metrics_per_second"] / hand_made
        cells = " | ".join(form.format(row[name]) for name, form in COLUMNS.values())
        lines.append(f"| {delay:g} ms | {WAYS[str(way)].title} | {cells} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tracking_uri", nargs="?")
    parser.add_argument("--throwaway", action="store_true", help="start a server for this")
    parser.add_argument("--workers", type=int, default=2, help="of the throwaway server")
    parser.add_argument("--delays", type=float, nargs="+", default=[0.0, 25.0, 75.0])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of metrics")
    parser.add_argument("--repeat", type=int, default=1, help="take turns so often")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        way = WAYS[arguments.measure]
        metrics = max(METRICS_PER_STEP, int(way.metrics * arguments.scale))
        found = measure(arguments.measure, arguments.tracking_uri, metrics, way.steps)
        print(json.dumps(found))
        return 0
    if bool(arguments.tracking_uri) == arguments.throwaway:
        parser.error("name a tracking server, or --throwaway")
    results: list[dict[str, object]] = []
    with contextlib.ExitStack() as stack:
        uri = arguments.tracking_uri
        if arguments.throwaway:
            uri = stack.enter_context(ThrowawayServer(workers=arguments.workers)).tracking_uri
        for delay in arguments.delays:
            with delayed(uri, delay) if delay else contextlib.nullcontext(uri) as far:
                for way in arguments.ways * arguments.repeat:
                    command = [sys.executable, __file__, far, "--measure", way]
                    answer = subprocess.run(
                        [*command, "--scale", str(arguments.scale)],
                        stdout=subprocess.PIPE,
                        text=True,
                        check=True,
                    )
                    # MLflow prints where to look at the run.
                    lines = [line for line in answer.stdout.splitlines() if line[:1] == "{"]
                    found = json.loads(lines[-1])
                    results.append({"delay_ms": delay, "way": way, **found})
                    print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    print(as_markdown(results))
    print()
    print(json.dumps(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
