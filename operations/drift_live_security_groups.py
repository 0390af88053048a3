"""Who may connect, as AWS says: rules of our security groups that nobody deployed.

Owns the one hole in the engine's comparison. Where a group's rules are resources of their own, the
engine asks how each of *them* is, and never whether there are others: a port that somebody opened
by hand shows nowhere.
"""

from __future__ import annotations

from typing import Any

from operations.aws_client import aws_client, aws_problem
from operations.drift_findings import Difference, Finding
from operations.drift_sight import NotVisible, Seen, Sight, finding
from operations.engine_steps import State, shown

LOOK = "security-groups"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
RULES = (
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
)

OF_CONTROLLERS = ("elbv2.k8s.aws/",)
"""Beginnings of the descriptions that a cluster's controllers give to rules they make."""


def look(sight: Sight) -> Seen | None:
    """Ask for every rule of our groups; None for a stack that has none.

    Raises:
        NotVisible: AWS does not answer here, or not to us.
    """
    groups = {state.id: step for step, state in sight.deployed(GROUP) if not _has_own(state)}
    if not groups:
        return None
    if not sight.place.environ.get("AWS_ENDPOINT_URL"):
        sight.must_be_real()
    deployed = {state.id for kind in RULES for _, state in sight.deployed(kind)}
    findings: list[Finding] = []
    number = 0
    try:
        for group in sorted(groups):
            rules = _rules(sight, group)
            number += len(rules)
            foreign = [
                Difference(property=_words(rule), expected="nothing", found=_whom(rule))
                for rule in rules
                if rule["SecurityGroupRuleId"] not in deployed
                and not rule.get("Description", "").startswith(OF_CONTROLLERS)
            ]
            findings += finding(
                LOOK,
                groups[group].name,
                foreign,
                severity="critical",
                kind=GROUP,
                identity=group,
                note="no deployment made it, and none will take it away",
            )
    except aws_problem() as error:
        raise NotVisible(f"AWS did not answer: {error}") from None
    return Seen(looked_at=f"{number} rules of {len(groups)} groups", findings=tuple(findings))


def _has_own(state: State) -> bool:
    """Whether the group's rules stand in it; then the engine compares them all."""
    return bool(state.inputs.get("ingress") or state.inputs.get("egress"))


def _rules(sight: Sight, group: str) -> list[dict[str, Any]]:
    pages = aws_client(sight.place, "ec2").get_paginator("describe_security_group_rules")
    answers = pages.paginate(Filters=[{"Name": "group-id", "Values": [group]}])
    return [rule for answer in answers for rule in answer["SecurityGroupRules"]]


def _words(rule: dict[str, Any]) -> str:
    """`ingress tcp 5432`."""
    way = "egress" if rule["IsEgress"] else "ingress"
    if rule["IpProtocol"] == "-1":
        return f"{way} of everything"
    first, last = rule.get("FromPort"), rule.get("ToPort")
    return f"{way} {rule['IpProtocol']} {first}" + (f" to {last}" if last != first else "")


def _whom(rule: dict[str, Any]) -> str:
    """Who is let through, and what the rule says of itself."""
    other = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    whom = rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or other
    said = rule.get("Description")
    return shown(f"{whom or 'somebody'} ({said})" if said else whom or "somebody")
