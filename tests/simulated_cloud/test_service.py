"""What a running cloud tells a program is enough to work on it, and on nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import simulated_cloud


class TestEnvironment:
    """boto3 in another process sees this account, whatever the caller's profile is."""

    def test_a_callers_profile_is_replaced(self, tmp_path: Path) -> None:
        ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
        with simulated_cloud.running(tmp_path) as cloud:
            done = subprocess.run(
                [sys.executable, "-c", ask],
                env={**os.environ, "AWS_PROFILE": "somebody", **cloud.environment},
                capture_output=True,
                text=True,
                check=False,
            )
        assert (done.stdout.strip(), done.stderr) == ("123456789012", "")


class TestManyCallers:
    """An engine makes dozens of things at once; moto is asked for one thing at a time."""

    def test_two_calls_do_not_meet(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """moto's listings end in a RuntimeError when another call adds to what they list."""
        from moto.cloudwatch.models import CloudWatchBackend

        both, met = threading.Barrier(2), threading.Event()

        def wait_for_another(*_arguments: object) -> list[object]:
            with suppress(threading.BrokenBarrierError):
                both.wait(0.5)
                met.set()
            both.reset()
            return []

        monkeypatch.setattr(CloudWatchBackend, "describe_alarms", wait_for_another)
        with simulated_cloud.running(tmp_path) as cloud, ThreadPoolExecutor(2) as threads:
            watch = cloud.client("cloudwatch")
            watch.describe_alarms()  # the first call waits for imports
            asked = [threads.submit(watch.describe_alarms) for _ in range(2)]
            assert [len(one.result()["MetricAlarms"]) for one in asked] == [0, 0]
        assert not met.is_set()
