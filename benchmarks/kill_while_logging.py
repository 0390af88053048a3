"""A client logs while the server and PostgreSQL are killed: what was acknowledged must be there.

Owns one question, asked of the local platform as `make up` leaves it: `kill -9` the MLflow server,
then PostgreSQL, while a client logs one metric after the other. How long until the next
acknowledgement, and is every acknowledged metric there at the end? The victims are found below the
stack's own supervisord, so no other process can be hit.

    python benchmarks/kill_while_logging.py http://127.0.0.1:5000 .state/local
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import requests


class Client:
    """Logs metrics one by one, each until it is acknowledged, in a thread of its own."""

    def __init__(self, tracking_uri: str) -> None:
        self.api = f"{tracking_uri.rstrip('/')}/api/2.0/mlflow"
        experiment = self.call("experiments/create", name=f"kill-{uuid.uuid4().hex[:8]}")
        self.experiment_id = experiment["experiment_id"]
        run = self.call("runs/create", experiment_id=self.experiment_id)
        self.run_id = run["run"]["info"]["run_id"]
        self.acknowledged: list[tuple[int, float]] = []  # step, monotonic time
        self.refused = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def call(self, path: str, **body: object) -> dict:
        answer = requests.post(f"{self.api}/{path}", json=body, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def work(self) -> None:
        step = 0
        while not self.stop.is_set():
            metric = {"key": "m", "value": step, "timestamp": step, "step": step}
            try:
                self.call("runs/log-metric", run_id=self.run_id, **metric)
            except requests.RequestException:
                self.refused += 1
                time.sleep(0.05)
            else:
                self.acknowledged.append((step, time.monotonic()))
                step += 1

    def stored(self) -> set[int]:
        steps: set[int] = set()
        token = ""
        while True:
            query = {"run_id": self.run_id, "metric_key": "m", "max_results": 20000}
            if token:
                query["page_token"] = token
            page = requests.get(f"{self.api}/metrics/get-history", params=query, timeout=60).json()
            steps.update(int(metric["step"]) for metric in page.get("metrics", []))
            token = page.get("next_page_token", "")
            if not token:
                return steps


def below_supervisor(state_dir: Path) -> list[psutil.Process]:
    configuration = str(state_dir.resolve() / "run" / "supervisord.conf")
    for process in psutil.process_iter():
        try:
            if configuration in process.cmdline():
                return process.children(recursive=True)
        except psutil.Error:
            continue
    raise SystemExit(f"no supervisord runs for {state_dir}: `make up` first")


def is_server(process: psutil.Process) -> bool:
    return "mlflow" in process.cmdline() and process.parent() is not None


def is_postmaster(process: psutil.Process) -> bool:
    return any(word.endswith("/postgres") for word in process.cmdline())


def kill(state_dir: Path, wanted: Callable[[psutil.Process], bool]) -> float:
    victim = next(process for process in below_supervisor(state_dir) if wanted(process))
    victim.send_signal(signal.SIGKILL)
    return time.monotonic()


def seconds_until_served(client: Client, killed: float, patience: float = 120.0) -> float:
    """From the kill to the first acknowledgement after the first refusal that followed it."""
    refused = client.refused
    while time.monotonic() - killed < patience:
        if client.refused > refused:
            count = len(client.acknowledged)
            while len(client.acknowledged) == count and time.monotonic() - killed < patience:
                time.sleep(0.01)
            return client.acknowledged[-1][1] - killed
        if client.acknowledged[-1][1] - killed > 10:
            return 0.0  # ten seconds of undisturbed service
        time.sleep(0.01)
    raise SystemExit("the server did not come back")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tracking_uri")
    parser.add_argument("state_dir", type=Path, help="the stack's folder, such as .state/local")
    arguments = parser.parse_args()
    client = Client(arguments.tracking_uri)
    client.thread.start()
    result: dict[str, object] = {}
    try:
        for name, wanted in (("server", is_server), ("postgresql", is_postmaster)):
            time.sleep(3)
            killed = kill(arguments.state_dir, wanted)
            result[f"{name}_seconds_until_served"] = round(seconds_until_served(client, killed), 2)
        time.sleep(3)
    finally:
        client.stop.set()
        client.thread.join()
    steps = {step for step, _ in client.acknowledged}
    result |= {
        "acknowledged": len(steps),
        "refused_and_repeated": client.refused,
        "acknowledged_but_missing": len(steps - client.stored()),
    }
    client.call("experiments/delete", experiment_id=client.experiment_id)
    json.dump(result, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
