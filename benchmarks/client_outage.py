"""A server killed for 30 s in the middle of 100,000 metrics, then the training killed with -9.

Owns the hardest case of the client's promise, at full size: a training process logs steadily; its
server (with PostgreSQL behind it) is killed with -9 and stays away; when it is back and the spool
is being replayed, the training process is killed with -9 too, and started again from its last
checkpoint. At the end PostgreSQL is asked: is every metric there, and each of them once?

    python benchmarks/client_outage.py                      100,000 metrics, 30 s: about 90 s
    python benchmarks/client_outage.py --metrics 5000 --outage 3

The trainer does what the documentation says: `commit()` before each checkpoint, and timestamps
that belong to the step, so that steps repeated after the restart are the same rows.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "client")]

from benchmarks.throwaway_server import ThrowawayServer  # noqa: E402

METRICS_PER_STEP = 10
CHECKPOINT_STEPS = 50
BASE_TIMESTAMP = 1_700_000_000_000


def train(uri: str, run_id: str, spool: Path, checkpoint: Path, steps: int, seconds: float) -> None:
    """The training process: from its checkpoint to the last step."""
    from mlflow_platform_client.logging_settings import LoggingSettings
    from mlflow_platform_client.tracking_logger import TrackingLogger

    settings = LoggingSettings(
        spool_directory=spool,
        breaker_reset_seconds=2.0,
        close_seconds=600.0,
        flush_seconds=0.5,
    )
    first = int(checkpoint.read_text()) if checkpoint.exists() else 0
    slowest = 0.0
    with TrackingLogger(run_id, tracking_uri=uri, settings=settings) as logger:
        logger.log_params({"steps": steps})
        for step in range(first, steps):
            time.sleep(seconds)
            values = {f"m{i}": step + i / 10 for i in range(METRICS_PER_STEP)}
            before = time.perf_counter()
            logger.log_metrics(values, step=step, timestamp=BASE_TIMESTAMP + step)
            logger.set_tag("last_step", step)
            slowest = max(slowest, time.perf_counter() - before)
            if step % CHECKPOINT_STEPS == 0:
                if not logger.commit(10):
                    raise SystemExit("the disk did not confirm")
                new = checkpoint.with_suffix(".new")
                new.write_text(str(step))
                new.replace(checkpoint)
        print(json.dumps({"slowest_call_ms": round(slowest * 1000, 2), "first_step": first}))
    dropped = logger.depth.dropped
    if dropped:
        raise SystemExit(f"{dropped} values were dropped")


def run(server: ThrowawayServer, metrics: int, outage: float, folder: Path) -> dict[str, object]:
    """The whole story; returns what PostgreSQL has to say."""
    import mlflow

    client = mlflow.MlflowClient(server.tracking_uri)
    run_id = client.create_run("0").info.run_id
    steps = metrics // METRICS_PER_STEP
    checkpoint = folder / "checkpoint"
    # The outage begins at a quarter of the training and ends, the server's start included, in it.
    command = [
        *(sys.executable, __file__, "--train", server.tracking_uri, "--run", run_id),
        *("--spool", str(folder / "spool"), "--checkpoint", str(checkpoint)),
        *("--metrics", str(metrics), "--step-seconds", str((outage * 2 + 40) / steps)),
    ]

    def reached() -> int:
        return int(checkpoint.read_text()) if checkpoint.exists() else 0

    def wait_for_step(step: int) -> None:
        while reached() < step:
            if training.poll() is not None:
                raise SystemExit("the training process ended early")
            time.sleep(0.02)

    training = subprocess.Popen(command)
    wait_for_step(steps // 4)
    at_outage = server.count("SELECT count(*) FROM metrics WHERE run_uuid = %s", run_id)
    server.kill()
    time.sleep(outage)
    logged_meanwhile = (reached() + 1) * METRICS_PER_STEP
    server.start()
    before_kill = server.count("SELECT count(*) FROM metrics WHERE run_uuid = %s", run_id)
    training.send_signal(signal.SIGKILL)
    training.wait()
    at_kill = reached()
    again = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows, distinct = server.query(
        "SELECT count(*), count(DISTINCT (key, step)) FROM metrics WHERE run_uuid = %s", run_id
    )[0]
    tag = server.query("SELECT value FROM tags WHERE run_uuid = %s AND key = 'last_step'", run_id)[
        0
    ][0]
    left = [str(path) for path in (folder / "spool").glob("*/session.json")]
    return {
        "metrics": steps * METRICS_PER_STEP,
        "outage_seconds": outage,
        "in_database_when_server_was_killed": at_outage,
        "handed_over_when_it_came_back": logged_meanwhile,
        "in_database_when_training_was_killed": before_kill,
        "checkpoint_of_killed_training": at_kill,
        **json.loads(again.stdout.splitlines()[-1]),
        "rows": rows,
        "distinct": distinct,
        "missing": steps * METRICS_PER_STEP - distinct,
        "twice": rows - distinct,
        "last_tag": tag,
        "sessions_left": left,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--metrics", type=int, default=100_000)
    parser.add_argument("--outage", type=float, default=30.0, help="seconds")
    for name in ("--train", "--run", "--spool", "--checkpoint", "--step-seconds"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        train(
            arguments.train,
            arguments.run,
            Path(arguments.spool),
            Path(arguments.checkpoint),
            arguments.metrics // METRICS_PER_STEP,
            float(arguments.step_seconds),
        )
        return 0
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with (
        tempfile.TemporaryDirectory(prefix="client-outage-") as folder,
        ThrowawayServer() as server,
    ):
        found = run(server, arguments.metrics, arguments.outage, Path(folder))
    print(json.dumps(found, indent=2))
    return 1 if found["missing"] or found["twice"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
