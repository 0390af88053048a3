"""What a running cloud tells a program is enough to work on it, and on nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
