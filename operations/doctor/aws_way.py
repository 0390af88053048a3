"""The way from the server to its database and from clients to the server, on AWS.

Owns security groups, the password in Secrets Manager and whether it is still the database's, the
load balancer's targets and certificate, and the alarms that ring.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any

from infra.naming import base_name
from operations.database_login import NotReachable
from operations.doctor.aws_account import asking_aws, client, error_code
from operations.doctor.aws_database import instance
from operations.doctor.check import Answer, Check, NotRun, counted, failed, passed
from operations.doctor.patient import Patient


def security_group(patient: Patient) -> Answer:
    """Does the database's security group let the cluster's nodes in?"""
    from botocore.exceptions import ClientError

    cluster = patient.outputs.cluster_name
    port = patient.outputs.database_port or 5432
    with asking_aws(patient):
        try:
            groups = [item["VpcSecurityGroupId"] for item in instance(patient)["VpcSecurityGroups"]]
        except ClientError:
            raise NotRun("RDS does not describe the instance: see aws.database") from None
        described: list[dict[str, Any]] = client(patient, "ec2").describe_security_groups(
            GroupIds=groups
        )["SecurityGroups"]
        eks = client(patient, "eks").describe_cluster(name=cluster)["cluster"]
    patient.exhibits.add("aws/database_security_groups.json", described)
    nodes = eks["resourcesVpcConfig"].get("clusterSecurityGroupId")
    rules = [rule for group in described for rule in group["IpPermissions"] if _covers(rule, port)]
    from_nodes = any(
        nodes in (pair["GroupId"], None)
        for rule in rules
        for pair in rule.get("UserIdGroupPairs", [])
    )
    ranges = [item["CidrIp"] for rule in rules for item in rule.get("IpRanges", [])]
    ranges += [item["CidrIpv6"] for rule in rules for item in rule.get("Ipv6Ranges", [])]
    if {"0.0.0.0/0", "::/0"} & set(ranges):
        return failed(
            f"{', '.join(groups)} lets everybody in on port {port}",
            cause="a rule was added by hand",
            next_step="aws ec2 revoke-security-group-ingress for that rule; only the cluster's "
            f"group {nodes} belongs there.",
        )
    if not from_nodes and not ranges:
        return failed(
            f"{', '.join(groups)} has no rule for port {port} from the cluster's nodes",
            cause="the rule from the server to the database is gone: connections time out",
            next_step="Deploy the stack again (`make up`), which makes it; CloudTrail says who "
            "removed it (RevokeSecurityGroupIngress).",
        )
    return passed(
        f"{', '.join(groups)} lets {'the nodes' if from_nodes else ranges} in on port {port}"
    )


def _covers(rule: dict[str, Any], port: int) -> bool:
    if rule["IpProtocol"] == "-1":
        return True
    return rule["IpProtocol"] == "tcp" and rule.get("FromPort", 0) <= port <= rule.get("ToPort", 0)


def secret(patient: Patient) -> Answer:
    """Is the password in Secrets Manager the database's?"""
    arn = patient.outputs.database_secret_arn
    if not arn:
        raise NotRun("the stack exports no databaseSecretArn")
    found = read_secret(patient, arn)
    if isinstance(found, Answer):
        return found
    expected = patient.outputs.database_password
    if expected and found != expected:
        return failed(
            f"{_name(arn)} holds another password than the stack gave the database",
            cause="the secret was changed or rotated without the database (or the database's "
            "password without the stack)",
            next_step="Deploy the stack again (`make up`), which writes one password to both; "
            "then `kubectl rollout restart -n mlflow deployment/mlflow`.",
        )
    return _tried(patient, arn, found)


def read_secret(patient: Patient, arn: str) -> str | Answer:
    """The password in it; an answer where there is none. The masker knows it from here on."""
    from botocore.exceptions import ClientError

    secrets = client(patient, "secretsmanager")
    with asking_aws(patient):
        try:
            value = secrets.get_secret_value(SecretId=arn)["SecretString"]
        except ClientError as error:
            if error_code(error) not in ("ResourceNotFoundException", "InvalidRequestException"):
                raise
            return failed(
                f"{_name(arn)} cannot be read: {error_code(error)}",
                cause="the database's secret was deleted, or is to be",
                next_step=f"aws secretsmanager restore-secret --secret-id {arn}; where it is gone, "
                "deploy the stack again (`make up`).",
            )
    try:
        password = str(json.loads(value)["password"])
    except (ValueError, KeyError, TypeError):
        patient.place.masker.remember(value)
        return failed(
            f"{_name(arn)} holds no JSON with a password",
            cause="somebody wrote another value into the secret",
            next_step="Deploy the stack again (`make up`), which writes it.",
        )
    patient.place.masker.remember(password)
    return password


def _tried(patient: Patient, arn: str, password: str) -> Answer:
    """Log in with it, where the database can be reached from here."""
    try:
        login = replace(patient.login(), password=password)
    except NotReachable:
        return passed(f"{_name(arn)} has a password; the stack keeps none to compare it with")
    try:
        login.connect().close()
    except NotReachable as reason:
        if "password authentication failed" in str(reason):
            return failed(
                f"the database refuses the password in {_name(arn)}",
                cause="the database's password was changed behind the secret's back",
                next_step="Deploy the stack again (`make up`), which sets the database's password "
                "to the secret's.",
            )
        return passed(
            f"{_name(arn)} has the stack's password (not tried: the database cannot be "
            "reached from here)"
        )
    return passed(f"the database takes the password in {_name(arn)}")


def _name(arn: str) -> str:
    return f"secret {arn.rpartition(':')[2]}"


def load_balancer(patient: Patient) -> Answer:
    """Has the load balancer healthy targets?"""
    wanted = patient.outputs.load_balancer_dns_name
    if not wanted:
        raise NotRun("the stack has no load balancer (ingress: none)")
    with asking_aws(patient):
        elb = client(patient, "elbv2")
        balancers = elb.describe_load_balancers()["LoadBalancers"]
        found = next((item for item in balancers if item["DNSName"] == wanted), None)
        if found is None:
            return failed(
                f"ELB knows no load balancer {wanted}",
                cause="the load balancer was deleted",
                next_step="Deploy the stack again (`make up`), then point DNS at its new name.",
            )
        groups = elb.describe_target_groups(LoadBalancerArn=found["LoadBalancerArn"])
        health = [
            item
            for group in groups["TargetGroups"]
            for item in elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                "TargetHealthDescriptions"
            ]
        ]
    patient.exhibits.add("aws/target_health.json", health)
    healthy = [item for item in health if item["TargetHealth"]["State"] == "healthy"]
    if not healthy:
        states = {
            f"{item['TargetHealth']['State']} ({item['TargetHealth'].get('Reason', 'no reason')})"
            for item in health
        }
        return failed(
            f"{counted(len(health), 'target')}, none healthy"
            + (f": {', '.join(sorted(states))}" if states else ""),
            cause="no pod is registered and ready: the pods do not run, or the "
            "TargetGroupBinding's controller does not register them",
            next_step="See the pods' findings; `kubectl describe targetgroupbinding -n mlflow`.",
        )
    return passed(f"{len(healthy)} of {len(health)} targets are healthy")


def certificate(patient: Patient) -> Answer:
    """Is the load balancer's certificate issued and valid?"""
    arn = patient.settings.aws.load_balancer.certificate_arn
    if not arn or not patient.outputs.load_balancer_dns_name:
        raise NotRun("the stack has no load balancer with a certificate")
    with asking_aws(patient):
        found = client(patient, "acm").describe_certificate(CertificateArn=arn)["Certificate"]
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    ends = found.get("NotAfter")
    seen = f"{found.get('DomainName')} is {found['Status']}"
    days = (ends - now).total_seconds() / 86_400 if ends else None
    seen += f", valid until {ends:%Y-%m-%d}" if ends else ""
    ends_soon = days is not None and days < patient.options.certificate_days
    if found["Status"] != "ISSUED" or ends_soon:
        return failed(
            seen,
            cause="the certificate was not renewed: its validation record in DNS is gone, or it "
            "was imported by hand",
            next_step="`aws acm describe-certificate` shows the record that validation wants; an "
            "imported one is imported anew.",
        )
    return passed(seen)


def alarms(patient: Patient) -> Answer:
    """Which alarms of the stack ring?"""
    prefix = base_name(patient.outputs.environment)
    with asking_aws(patient):
        found = client(patient, "cloudwatch").describe_alarms(
            AlarmNamePrefix=prefix, StateValue="ALARM"
        )["MetricAlarms"]
    ringing = [str(item["AlarmName"]) for item in found if item["StateValue"] == "ALARM"]
    if ringing:
        names = ", ".join(sorted(ringing))
        return failed(
            f"ringing: {names}",
            cause="CloudWatch has seen it for longer than this look; each alarm's description "
            "names its page",
            next_step="docs/runbooks/README.md leads from the alarm to its section.",
        )
    return passed(f"no alarm of {prefix} rings")


CHECKS = (
    Check(
        name="aws.security_group",
        question="Does the database's security group let the cluster's nodes in, and nobody else?",
        ask=security_group,
    ),
    Check(
        name="aws.secret",
        question="Is the password in Secrets Manager the database's?",
        ask=secret,
        explained_by=("aws.account", "aws.key"),
    ),
    Check(
        name="aws.load_balancer",
        question="Has the load balancer healthy targets?",
        ask=load_balancer,
        explained_by=("kubernetes.pods", "kubernetes.rollout", "aws.database"),
    ),
    Check(
        name="aws.certificate",
        question="Is the load balancer's certificate issued and valid for long enough?",
        ask=certificate,
    ),
    Check(
        name="aws.alarms",
        question="Does an alarm of the stack ring?",
        ask=alarms,
        explained_by=("aws.database", "aws.storage", "aws.connections", "server.health"),
    ),
)
