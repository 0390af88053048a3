"""From records in order to `log-batch` bodies within MLflow's limits.

Owns the limits and what may stand together. MLflow takes at most 1,000 metrics, 100 parameters and
100 tags, 1,000 items in all and 1,000,000 bytes (`mlflow.utils.validation`; its own text says 1 MB,
so bodies stay below that, not below 1 MiB). It refuses a batch that names one parameter twice:
the same value again is left out here, another value waits for the next batch, where the server
says what it says about changed parameters. A tag named twice keeps its last value, as the server
would. Order is kept per run: batches of one window may belong to different runs, but a window ends
where any of them is full.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from mlflow_platform_client.spool_lane import Lane
from mlflow_platform_client.spool_segments import Position

MOST_METRICS = 1000
MOST_PARAMS = 100
MOST_TAGS = 100
MOST_ITEMS = 1000
MOST_BYTES = 990_000  # 1,000,000 less room for the frame
MOST_RECORDS_IN_WINDOW = 5000
MOST_RUNS_IN_WINDOW = 100


@dataclass
class Batch:
    """Records of one run that go in one request."""

    run_id: str
    lines: list[bytes] = field(default_factory=list[bytes])
    size: int = 0
    counts: dict[bytes, int] = field(default_factory=dict[bytes, int])
    _named: dict[tuple[bytes, str], tuple[int, bytes]] = field(
        default_factory=dict[tuple[bytes, str], tuple[int, bytes]]
    )

    def admit(self, kind: bytes, line: bytes, content: bytes, most_metrics: int) -> bool:
        """Take a record, or say that it needs the next batch."""
        if len(self.lines) >= MOST_ITEMS or (self.lines and self.size + len(line) > MOST_BYTES):
            return False
        most = most_metrics if kind == b"m" else MOST_PARAMS if kind == b"p" else MOST_TAGS
        if self.counts.get(kind, 0) >= most:
            return False
        if kind != b"m":
            name = (kind, json.loads(content)["key"])
            if name in self._named:
                index, earlier = self._named[name]
                if kind == b"p" and earlier != content:
                    return False
                self.lines[index] = line
                return True
            self._named[name] = (len(self.lines), content)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.lines.append(line)
        self.size += len(line)
        return True

    def body(self) -> bytes:
        """The request."""
        return body_of(self.run_id, self.lines)


@dataclass(frozen=True)
class Window:
    """Batches in order, and the place behind them."""

    batches: tuple[Batch, ...]
    records: int
    end: Position


def body_of(run_id: str, lines: list[bytes]) -> bytes:
    """A `log-batch` body; no lines make the request that only asks whether the run takes any."""
    parts: dict[bytes, list[bytes]] = {b"m": [], b"p": [], b"t": []}
    for line in lines:
        kind, _, content = line.split(b"\t", 2)
        parts[kind].append(content)
    fields = [b'"run_id":' + json.dumps(run_id).encode()]
    for kind, name in ((b"m", b"metrics"), (b"p", b"params"), (b"t", b"tags")):
        if parts[kind]:
            fields.append(b'"%b":[%b]' % (name, b",".join(parts[kind])))
    return b"{" + b",".join(fields) + b"}"


def gather(lane: Lane, most_metrics: int = MOST_METRICS) -> Window:
    """Read records from the lane's cursor until a batch is full or nothing is left."""
    batches: dict[bytes, Batch] = {}
    records = 0
    while records < MOST_RECORDS_IN_WINDOW:
        before = lane.cursor
        line = lane.read()
        if line is None:
            break
        kind, run, content = line.split(b"\t", 2)
        batch = batches.get(run)
        if batch is None:
            if len(batches) >= MOST_RUNS_IN_WINDOW:
                lane.seek(before)
                break
            batch = batches[run] = Batch(run.decode())
        if not batch.admit(kind, line, content, most_metrics):
            lane.seek(before)
            break
        records += 1
    return Window(tuple(batches.values()), records, lane.cursor)
