"""Many clients sending `log-batch` at once: does every call get its answer?

Owns one question, asked of any tracking server: with N clients that each log batches to a run of
their own for S seconds, how many calls fail, how long do the others take, and is every metric that
was acknowledged really there afterwards? It judges nothing and changes nothing but the experiment
it writes to, which it deletes at the end.

    python benchmarks/log_batch_load.py http://127.0.0.1:5000 --clients 64 --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import aiohttp


@dataclass
class Tally:
    """What happened to the calls of all clients."""

    seconds: list[float] = field(default_factory=list)  # of answered calls
    errors: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)  # metrics by run id


async def call(session: aiohttp.ClientSession, path: str, body: dict[str, object]) -> dict:
    async with session.post(f"api/2.0/mlflow/{path}", json=body) as answer:
        text = await answer.text()
        if answer.status != 200:
            raise RuntimeError(f"HTTP {answer.status}: {text[:160]}")
        return json.loads(text)


async def client(
    session: aiohttp.ClientSession, run_id: str, batch: int, until: float, tally: Tally
) -> None:
    step = 0
    while time.monotonic() < until:
        metrics = [
            {"key": f"m{i}", "value": step + i, "timestamp": 1_700_000_000_000 + step, "step": step}
            for i in range(batch)
        ]
        started = time.monotonic()
        try:
            await call(session, "runs/log-batch", {"run_id": run_id, "metrics": metrics})
        except (RuntimeError, aiohttp.ClientError, TimeoutError) as error:
            tally.errors[f"{type(error).__name__}: {error}"[:160]] += 1
        else:
            tally.seconds.append(time.monotonic() - started)
            tally.acknowledged[run_id] += batch
        step += 1


async def stored(session: aiohttp.ClientSession, run_id: str, batch: int) -> int:
    """Number of stored values of a run's metrics, over all their steps."""
    total, page = 0, ""
    for index in range(batch):
        while True:
            query = {"run_id": run_id, "metric_key": f"m{index}", "max_results": "25000"}
            if page:
                query["page_token"] = page
            async with session.get("api/2.0/mlflow/metrics/get-history", params=query) as answer:
                found = await answer.json()
            total += len(found.get("metrics", []))
            page = found.get("next_page_token", "")
            if not page:
                break
    return total


async def measure(arguments: argparse.Namespace) -> dict[str, object]:
    base = arguments.tracking_uri.rstrip("/") + "/"
    timeout = aiohttp.ClientTimeout(total=arguments.timeout)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base, timeout=timeout, connector=connector) as session:
        name = f"load-{uuid.uuid4().hex[:12]}"
        experiment = (await call(session, "experiments/create", {"name": name}))["experiment_id"]
        runs = [
            (await call(session, "runs/create", {"experiment_id": experiment}))["run"]["info"][
                "run_id"
            ]
            for _ in range(arguments.clients)
        ]
        tally = Tally()
        started = time.monotonic()
        until = started + arguments.seconds
        await asyncio.gather(
            *(client(session, run, arguments.metrics, until, tally) for run in runs)
        )
        elapsed = time.monotonic() - started
        missing = 0
        for run in runs:
            missing += max(
                0, tally.acknowledged[run] - await stored(session, run, arguments.metrics)
            )
        await call(session, "experiments/delete", {"experiment_id": experiment})
    cuts = statistics.quantiles(tally.seconds, n=100) if len(tally.seconds) > 1 else [0.0] * 99
    return {
        "clients": arguments.clients,
        "metrics_per_batch": arguments.metrics,
        "seconds": round(elapsed, 1),
        "answered": len(tally.seconds),
        "errors": sum(tally.errors.values()),
        "error_kinds": dict(tally.errors.most_common(5)),
        "batches_per_second": round(len(tally.seconds) / elapsed, 1),
        "p50_ms": round(cuts[49] * 1000),
        "p95_ms": round(cuts[94] * 1000),
        "p99_ms": round(cuts[98] * 1000),
        "acknowledged_metrics": sum(tally.acknowledged.values()),
        "acknowledged_but_missing": missing,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tracking_uri")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--metrics", type=int, default=10, help="metrics in one batch")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds per call")
    result = asyncio.run(measure(parser.parse_args()))
    json.dump(result, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
