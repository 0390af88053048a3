"""Who could have caused a difference, as the clouds' books say."""

from __future__ import annotations

import json
from typing import Any

from tests.operations.drift.conftest import (
    Live,
    answering,
)
from tests.operations.engine_stand_in import step

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
INSTANCE = "aws:rds/instance:Instance"


class TestWho:
    """CloudTrail names the last callers that wrote; where it does not answer, that is said once."""

    EVENTS = "/com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"

    def event(self, name: str, at: int, *, reads: str = "false") -> dict[str, Any]:
        told = {"userIdentity": {"arn": "arn:aws:iam::1:user/ann"}}
        return {
            "EventName": name,
            "EventTime": at,
            "ReadOnly": reads,
            "Username": "ann",
            "CloudTrailEvent": json.dumps(told),
        }

    def test_cloudtrail(self, aws: Live) -> None:
        changed = step(
            "update",
            INSTANCE,
            "db",
            id="db-ABC",
            before={"identifier": "mlops-db", "multiAz": True},
            after={"identifier": "mlops-db", "multiAz": False},
            changed=["multiAz"],
        )
        with answering() as trail:
            events = [
                self.event("DescribeDBInstances", 1_800_000_300, reads="true"),
                self.event("CreateDBInstance", 1_800_000_000),
                self.event("ModifyDBInstance", 1_800_000_200),
            ]
            trail.by_path[self.EVENTS] = {"Events": events}
            aws.environ["AWS_ENDPOINT_URL_CLOUDTRAIL"] = trail.url
            found = next(f for f in aws.findings(changed) if f["look"] == "resources")
        assert [(s["who"], s["what"], s["source"]) for s in found["suspects"]] == [
            ("arn:aws:iam::1:user/ann", "ModifyDBInstance", "CloudTrail"),
            ("arn:aws:iam::1:user/ann", "CreateDBInstance", "CloudTrail"),
        ]
        assert trail.asked[0][1]["LookupAttributes"] == [
            {"AttributeKey": "ResourceName", "AttributeValue": "mlops-db"}
        ]

    def test_no_book(self, aws: Live) -> None:
        gone = [step("delete", ALARM, f"x{n}", id=f"x{n}", before={}) for n in range(2)]
        with answering() as trail:
            aws.environ["AWS_ENDPOINT_URL_CLOUDTRAIL"] = trail.url
            looks = aws.looks(*gone)
        assert looks["who did it (aws)"]["problem"].startswith("CloudTrail did not answer: ")
        assert len(trail.asked) == 1

    def test_managed_fields(self, live: Live) -> None:
        fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}
        metadata = {
            "managedFields": [
                {"manager": "pulumi-kubernetes", "operation": "Apply", "fieldsV1": fields},
                {
                    "manager": "kubectl-set",
                    "operation": "Update",
                    "time": "2026-11-21T18:00:00Z",
                    "fieldsV1": fields,
                },
                {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {}}},
            ]
        }
        (found,) = live.findings(
            step(
                "update",
                "kubernetes:batch/v1:CronJob",
                "job",
                before={"metadata": {}},
                after={"metadata": metadata},
                changed=["spec.template.spec.containers[0].image"],
            )
        )
        assert [(s["who"], s["source"]) for s in found["suspects"]] == [
            ("kubectl-set", "managedFields")
        ]
