"""A log group that is longer than what is read says so: its end is no log without errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations.doctor import aws_logs
from operations.doctor.patient import Patient
from operations.place import Place

GROUP = "/aws/rds/instance/db/postgresql"
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "nobody",
    "AWS_SECRET_ACCESS_KEY": "nothing-at-all",
    "AWS_REGION": "eu-central-1",
}


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CloudWatch with a group of five lines, read two by two and twice."""
    monkeypatch.setattr(aws_logs, "AT_ONCE", 2)
    monkeypatch.setattr(aws_logs, "PAGES", 2)
    with mock_aws():
        client = boto3.client(
            "logs",
            region_name="eu-central-1",
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing-at-all",
        )
        client.create_log_group(logGroupName=GROUP)
        client.create_log_stream(logGroupName=GROUP, logStreamName="one")
        yield client


def read(logs: Any, lines: int) -> dict[str, str]:
    now = int(time.time() * 1000)
    events = [{"timestamp": now - lines + n, "message": f"line {n}"} for n in range(lines)]
    logs.put_log_events(logGroupName=GROUP, logStreamName="one", logEvents=events)
    patient = Patient(place=Place(stack=None, url="http://127.0.0.1:1", environ=ENVIRON))
    texts: dict[str, str] = {}
    reasons: list[str] = []
    aws_logs._add(texts, reasons, patient, "PostgreSQL in CloudWatch", GROUP)
    assert reasons == []
    return texts


class TestLength:
    """What was not read is told by the name of what was."""

    def test_whole(self, logs: Any) -> None:
        texts = read(logs, 3)
        assert list(texts) == ["PostgreSQL in CloudWatch"]
        assert texts["PostgreSQL in CloudWatch"].endswith(" line 2")

    def test_too_long(self, logs: Any) -> None:
        texts = read(logs, 5)
        assert list(texts) == ["PostgreSQL in CloudWatch (its first 4 lines)"]
        assert texts.popitem()[1].endswith(" line 3")
