"""The live looks at AWS, on moto: alarms, the database, security groups."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.operations.drift.conftest import (
    Live,
    client,
    differences,
    put_alarm,
)
from tests.operations.engine_stand_in import step

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
INSTANCE = "aws:rds/instance:Instance"


class TestAws:
    """Alarms are there and may act; nothing waits in RDS."""

    def test_untouched(self, aws: Live, moto: str) -> None:
        ran = aws(put_alarm(moto, "one"))
        assert ran.document["findings"] == []
        assert {look["name"]: look["looked_at"] for look in ran.document["looks"]}["aws"] == (
            "1 alarms present and switched on; 0 databases available"
        )

    def test_an_alarm_that_was_switched_off(self, aws: Live, moto: str) -> None:
        deployed = put_alarm(moto, "two")
        client(moto, "cloudwatch").disable_alarm_actions(AlarmNames=["two"])
        (found,) = aws.findings(deployed)
        assert differences(found) == {"actionsEnabled": ("true", "false")}

    def test_an_alarm_that_is_gone(self, aws: Live) -> None:
        (found,) = aws.findings(step("refresh", ALARM, "x", id="x", before={"name": "x"}))
        assert (found["look"], found["what"]) == ("aws", "gone")

    def test_what_the_engine_saw_is_told_once(self, aws: Live) -> None:
        (found,) = aws.findings(step("delete", ALARM, "x", id="x", before={"name": "x"}))
        assert found["look"] == "resources"

    def test_what_waits_for_the_maintenance_window(self, aws: Live) -> None:
        instance = {
            "DBInstanceStatus": "available",
            "PendingModifiedValues": {"DBInstanceClass": "db.t4g.micro"},
            "DBParameterGroups": [
                {"DBParameterGroupName": "ours", "ParameterApplyStatus": "pending-reboot"}
            ],
        }
        xml = rds_answer(instance)
        with answering_text(xml) as url:
            aws.environ["AWS_ENDPOINT_URL_RDS"] = url
            found = aws.findings(
                step("refresh", INSTANCE, "db", before={"identifier": "mlops-platform-dev-mlflow"})
            )
        assert [(item["severity"], differences(item)) for item in found] == [
            ("warning", {"parameter group ours": ("in-sync", "pending-reboot")}),
            ("info", {"pending DBInstanceClass": ("nothing waits", "db.t4g.micro")}),
        ]

    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("backing-up", []),
            ("maintenance", []),
            ("storage-full", ["status"]),
            ("stopped", ["status"]),
        ],
    )
    def test_status(self, aws: Live, status: str, found: list[str]) -> None:
        """What RDS does by itself is no drift; what does not come back is."""
        instance = {
            "DBInstanceStatus": status,
            "PendingModifiedValues": {},
            "DBParameterGroups": [],
        }
        with answering_text(rds_answer(instance)) as url:
            aws.environ["AWS_ENDPOINT_URL_RDS"] = url
            findings = aws.findings(step("refresh", INSTANCE, "db", before={"identifier": "db"}))
        assert [name for item in findings for name in differences(item)] == found

    def test_nobody_answers(self, aws: Live) -> None:
        aws.environ["AWS_ENDPOINT_URL_CLOUDWATCH"] = "http://127.0.0.1:1"
        look = aws.looks(step("refresh", ALARM, "x", id="x", before={"name": "x"}))["aws"]
        assert look["problem"].startswith("AWS did not answer: Could not connect")
        assert look["looked_at"] == ""


class TestSecurityGroups:
    """A rule that nobody deployed is found; the engine looks only at those that it knows."""

    RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    GROUP = "aws:ec2/securityGroup:SecurityGroup"

    def group(self, moto: str, name: str) -> tuple[Any, str, list[dict[str, Any]]]:
        """A group with one rule, as it was deployed."""
        ec2 = client(moto, "ec2")
        group = ec2.create_security_group(GroupName=name, Description="x")["GroupId"]
        everything = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        ec2.revoke_security_group_egress(
            GroupId=group, IpPermissions=everything["IpPermissionsEgress"]
        )
        self.open(ec2, group, "10.0.0.0/8", "the server")
        rules = ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [group]}]
        )["SecurityGroupRules"]
        deployed = [
            step("refresh", self.GROUP, "clients", id=group, before={}),
            *(
                step("refresh", self.RULE, f"rule-{n}", id=rule["SecurityGroupRuleId"], before={})
                for n, rule in enumerate(rules)
            ),
        ]
        return ec2, group, deployed

    def open(self, ec2: Any, group: str, network: str, why: str) -> None:
        ranges = [{"CidrIp": network, "Description": why}]
        rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": ranges}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def test_untouched(self, aws: Live, moto: str) -> None:
        _, _, deployed = self.group(moto, "untouched")
        assert aws.findings(*deployed) == []
        assert aws.looks(*deployed)["security-groups"]["looked_at"] == "1 rules of 1 groups"

    def test_opened_by_hand(self, aws: Live, moto: str) -> None:
        ec2, group, deployed = self.group(moto, "opened")
        self.open(ec2, group, "0.0.0.0/0", "just for today")
        (found,) = aws.findings(*deployed)
        assert (found["severity"], found["identity"]) == ("critical", group)
        assert differences(found) == {"ingress tcp 5432": ("nothing", "0.0.0.0/0 (just for today)")}

    def test_opened_by_a_controller(self, aws: Live, moto: str) -> None:
        ec2, group, deployed = self.group(moto, "controller")
        self.open(ec2, group, "10.1.0.0/16", "elbv2.k8s.aws/targetGroupBinding=shared")
        assert aws.findings(*deployed) == []

    def test_a_group_with_rules_of_its_own(self, aws: Live) -> None:
        own = step("refresh", self.GROUP, "own", id="sg-1", before={"ingress": [{"toPort": 1}]})
        assert "security-groups" not in aws.looks(own)


def rds_answer(instance: dict[str, Any]) -> str:
    pending = "".join(f"<{k}>{v}</{k}>" for k, v in instance["PendingModifiedValues"].items())
    groups = "".join(
        "<DBParameterGroup>"
        + "".join(f"<{k}>{v}</{k}>" for k, v in group.items())
        + "</DBParameterGroup>"
        for group in instance["DBParameterGroups"]
    )
    return (
        "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>"
        f"<DBInstanceStatus>{instance['DBInstanceStatus']}</DBInstanceStatus>"
        f"<PendingModifiedValues>{pending}</PendingModifiedValues>"
        f"<DBParameterGroups>{groups}</DBParameterGroups>"
        "</DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
    )


@contextmanager
def answering_text(text: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
