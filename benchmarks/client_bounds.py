"""What the client's bounds are worth: memory when the queue is full, values lost to `kill -9`.

Memory: the spool is full and the server away, a training loop logs on; the queue fills to its bound
and the resident memory of the process is read before and after. Durability: a training loop logs
the time, in steps of 2 ms or as fast as it can, and is killed with -9, again and again; how old is
the newest value that did reach the disk? In `durable` mode: is every value there whose call had
returned?

    python benchmarks/client_bounds.py --kills 20
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "client")]

from mlflow_platform_client.errors import ServerUnreachable  # noqa: E402
from mlflow_platform_client.logging_settings import LoggingSettings  # noqa: E402
from mlflow_platform_client.tracking_logger import TrackingLogger  # noqa: E402

METRICS_PER_STEP = 10


class Away:
    """A server that is not there."""

    def log_batch(self, *_: object, **__: object) -> None:
        """Never."""
        raise ServerUnreachable("connection refused")

    def log_text(self, *_: object, **__: object) -> None:
        """Never."""
        raise ServerUnreachable("connection refused")


def logger_in(folder: Path, **settings: object) -> TrackingLogger:
    return TrackingLogger(
        "0" * 32,
        tracking_uri="http://127.0.0.1:1",
        server=Away(),
        settings=LoggingSettings(spool_directory=folder, **settings),  # type: ignore[arg-type]
    )


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


def memory(answer: Connection, together: bool) -> None:
    """In a process of its own: fill the queue to its bound."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "spool"
        folder.mkdir()
        with (folder / "others").open("wb") as others:
            others.truncate(32 * 1024**2)
        logger = logger_in(folder, spool_max_mib=32, max_block_ms=100, close_seconds=0)
        bound = logger.settings.queue_max_items
        before, slowest, step = resident_mib(), 0.0, 0
        while logger.depth.dropped < 100:
            step += 1
            values = {f"metric {index}": random.random() for index in range(METRICS_PER_STEP)}
            started = time.perf_counter()
            if together:
                logger.log_metrics(values, step=step)
            else:
                for key, value in values.items():
                    logger.log_metric(key, value, step=step)
            slowest = max(slowest, time.perf_counter() - started)
        after = resident_mib()
        answer.send(
            {
                "logged_with": "log_metrics of 10" if together else "log_metric",
                "bound": bound,
                "queued": logger.depth.queue_items,
                "resident_mib": round(after - before, 1),
                "bytes_per_value": round((after - before) * 1024**2 / bound),
                "slowest_step_ms": round(slowest * 1000, 1),
            }
        )
        logger.close(0)


def log_the_time(answer: Connection, folder: str, durable: bool, step_seconds: float) -> None:
    """In a process of its own: log until killed; in durable mode report what returned."""
    logger = logger_in(Path(folder), durable=durable, max_block_ms=10_000)
    answer.send("started")
    while True:
        until = time.monotonic() + step_seconds
        while time.monotonic() < until:
            pass  # a step that never leaves the interpreter
        for _ in range(1 if durable else METRICS_PER_STEP):
            now = time.monotonic_ns()
            logger.log_metric("t", float(now), timestamp=1)
        if durable:
            answer.send(now)


def kill_once(*, durable: bool, step_seconds: float = 0.0) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = context.Pipe()
        child = context.Process(target=log_the_time, args=(theirs, folder, durable, step_seconds))
        child.start()
        theirs.close()
        ours.recv()
        until = time.monotonic() + random.uniform(0.3, 0.9)
        returned = 0
        while time.monotonic() < until:
            if durable and ours.poll(0.01):
                returned = max(returned, int(ours.recv()))
            elif not durable:
                time.sleep(0.01)
        assert child.pid is not None
        killed = time.monotonic_ns()
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        while durable and ours.poll(0):
            try:
                returned = max(returned, int(ours.recv()))
            except EOFError:
                break
        values = [
            int(float(text))
            for path in Path(folder).glob("*/batches/*.log")
            for text in re.findall(rb'"value":([0-9.e+]+)', path.read_bytes())
        ]
        newest = max(values, default=0)
        return {
            "values": len(values),
            "newest_is_ms_old": (killed - newest) / 1e6,
            "returned_but_missing": float(returned > newest),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    found: dict[str, object] = {"memory": []}
    for together in (False, True):
        ours, theirs = context.Pipe()
        child = context.Process(target=memory, args=(theirs, together))
        child.start()
        found["memory"].append(ours.recv())  # type: ignore[attr-defined]
        child.join()
    found["killed"] = []
    for title, step_seconds in (("5,000 values/s", 0.002), ("as fast as it can", 0.0)):
        kills = [
            kill_once(durable=False, step_seconds=step_seconds) for _ in range(arguments.kills)
        ]
        ages = [kill["newest_is_ms_old"] for kill in kills]
        found["killed"].append(  # type: ignore[attr-defined]
            {
                "logging": title,
                "kills": arguments.kills,
                "spool_delay_ms": LoggingSettings().spool_delay_ms,
                "newest_value_on_disk_is_ms_old_median": round(statistics.median(ages), 1),
                "newest_value_on_disk_is_ms_old_worst": round(max(ages), 1),
            }
        )
    durable = [kill_once(durable=True) for _ in range(arguments.kills)]
    found["killed_in_durable_mode"] = {
        "kills": arguments.kills,
        "values": int(sum(one["values"] for one in durable)),
        "returned_but_missing": int(sum(one["returned_but_missing"] for one in durable)),
    }
    print(json.dumps(found, indent=2))
    return 1 if found["killed_in_durable_mode"]["returned_but_missing"] else 0  # type: ignore[index]


if __name__ == "__main__":
    raise SystemExit(main())
