"""N clients that each ask the next question when the last was answered, in a process of its own.

Owns the clock: when a request goes out, when its answer is complete, and what counts as an error.
It knows nothing of MLflow: what each client sends comes as text in which `@STEP@` is replaced by a
number that grows. A job comes as JSON on stdin and its result goes as JSON to stdout.

What the figures mean:

- The loop is closed: a client waits for its answer. A slow server is asked less often, as by real
  training jobs; latencies are those such a job sees.
- No request begins after the window (`seconds`), and one that began in it is waited for, up to
  `patience_seconds` more; what is then unanswered is counted, never dropped.
- The rate is the sum of the clients' own rates, each over the time until its own last answer: a
  client that hangs does not lengthen the time of the others.
"""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import uvloop

from benchmarks.server_comparison.http_connection import (
    ConnectionLostError,
    HttpConnection,
    open_connection,
    request_head,
)

STEP = "@STEP@"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What one client asks again and again."""

    method: str
    path: str
    body: str = ""
    zero_bytes: int = 0  # a body of that many zero bytes instead
    content_type: str = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What to send, to whom, for how long."""

    host: str
    port: int
    authority: str = ""  # what the Host header says; empty: the host and port
    questions: tuple[Question, ...]  # one for each client
    seconds: float
    patience_seconds: float
    first_step: int = 1
    requests_per_client: int | None = None  # an end before the window's
    warm_up: Question | None = None  # asked once by every client, not counted


@dataclass(slots=True)
class Client:
    """What happened to one client's requests."""

    latencies: list[float] = field(default_factory=list)  # seconds, of acknowledged requests
    errors: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    received_bytes: int = 0
    seconds: float = 0.0  # until its last answer


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadResult:
    """What came of a job."""

    requests_per_second: float
    acknowledged: int
    acknowledged_by_client: list[int]
    errors: int
    error_kinds: dict[str, int]
    unanswered: int
    received_bytes: int
    p50_ms: float | None  # None: nothing was acknowledged
    p95_ms: float | None
    p99_ms: float | None
    slowest_ms: float | None
    elapsed_seconds: float
    generator_cpu_seconds: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def run(job: Job) -> LoadResult:
    """Do a job in a child process and hand back its result."""
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the load generator failed:\n{done.stderr[-2000:]}")
    return LoadResult(**json.loads(done.stdout))


async def generate(job: Job) -> LoadResult:
    """Do a job in this process."""
    clients = [Client() for _ in job.questions]
    ready_by = time.monotonic() + job.patience_seconds
    connections = [await _connected(job, ready_by) for _ in clients]
    cpu = time.process_time()
    started = time.monotonic()
    tasks = [
        asyncio.create_task(_ask(job, question, client, connection, started))
        for question, client, connection in zip(job.questions, clients, connections, strict=True)
    ]
    _, unfinished = await asyncio.wait(tasks, timeout=job.seconds + job.patience_seconds)
    elapsed = time.monotonic() - started
    for task, client in zip(tasks, clients, strict=True):
        if task in unfinished:
            task.cancel()
            client.unanswered += 1
            client.seconds = elapsed
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):  # a fault of this program
            raise error
    return summed_up(clients, elapsed, time.process_time() - cpu)


async def _ask(
    job: Job, question: Question, client: Client, connection: HttpConnection | None, started: float
) -> None:
    host = job.authority or f"{job.host}:{job.port}"
    step = job.first_step
    last = math.inf if job.requests_per_client is None else step + job.requests_per_client
    try:
        while time.monotonic() - started < job.seconds and step < last:
            body: bytes | int = question.body.replace(STEP, str(step)).encode()
            length = len(body)
            if question.zero_bytes:
                body = length = question.zero_bytes
            path = question.path.replace(STEP, str(step))
            head = request_head(question.method, path, host, length, question.content_type)
            step += 1
            begun = time.monotonic()
            try:
                if connection is None or not connection.is_open:
                    connection = await open_connection(job.host, job.port)
                answer = await connection.request(head, body)
            except (ConnectionLostError, OSError) as error:
                client.errors[f"{type(error).__name__}: {error}"[:200]] += 1
                await asyncio.sleep(0.01)  # nobody listens: not a million errors a second
                continue
            finally:
                client.seconds = time.monotonic() - started
            if answer.status == 200:
                client.latencies.append(time.monotonic() - begun)
                client.received_bytes += answer.length
            else:
                text = answer.beginning.decode(errors="replace")
                client.errors[f"HTTP {answer.status}: {text}"[:200]] += 1
    finally:
        if connection is not None:
            connection.close()


async def _connected(job: Job, ready_by: float) -> HttpConnection | None:
    """A connection over which one question was answered, so that no cell pays for its set-up.

    None where that takes too long: the client connects with its first request.
    """
    try:
        async with asyncio.timeout(max(0.0, ready_by - time.monotonic())):
            connection = await open_connection(job.host, job.port)
            if job.warm_up is not None:
                ask = job.warm_up
                body = ask.body.encode()
                host = job.authority or f"{job.host}:{job.port}"
                head = request_head(ask.method, ask.path, host, len(body), ask.content_type)
                await connection.request(head, body)
    except (OSError, TimeoutError):
        return None
    return connection


def summed_up(clients: Sequence[Client], elapsed: float, cpu: float) -> LoadResult:
    """What the clients' requests come to."""
    ordered = sorted(value for client in clients for value in client.latencies)
    kinds: Counter[str] = Counter()
    for client in clients:
        kinds.update(client.errors)

    def milliseconds(share: float) -> float | None:
        return round(percentile(ordered, share) * 1000, 3) if ordered else None

    return LoadResult(
        requests_per_second=sum(
            len(client.latencies) / client.seconds for client in clients if client.seconds
        ),
        acknowledged=len(ordered),
        acknowledged_by_client=[len(client.latencies) for client in clients],
        errors=sum(kinds.values()),
        error_kinds=dict(kinds.most_common(5)),
        unanswered=sum(client.unanswered for client in clients),
        received_bytes=sum(client.received_bytes for client in clients),
        p50_ms=milliseconds(0.50),
        p95_ms=milliseconds(0.95),
        p99_ms=milliseconds(0.99),
        slowest_ms=milliseconds(1.0),
        elapsed_seconds=elapsed,
        generator_cpu_seconds=cpu,
    )


def job_from(record: dict[str, object]) -> Job:
    """A job as it came through JSON."""
    values = dict(record)
    questions: list[dict[str, object]] = values.pop("questions")  # type: ignore[assignment]
    warm_up = values.pop("warm_up")
    return Job(
        questions=tuple(Question(**question) for question in questions),  # type: ignore[arg-type]
        warm_up=Question(**warm_up) if warm_up else None,  # type: ignore[arg-type]
        **values,  # type: ignore[arg-type]
    )


def main() -> int:
    job = job_from(json.load(sys.stdin))
    json.dump(asdict(uvloop.run(generate(job))), sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
