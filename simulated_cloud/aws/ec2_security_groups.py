"""Security groups and their rules.

Owns the rules' own ids (a rule is a resource), the group that AWS makes with a VPC and this program
empties, and what EC2 refuses of a rule. Rules written inside a group (`ingress`, `egress`) are kept
as the group's own: a rule somebody adds to such a group is drift.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import from_key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.ec2_rules import api_rule, api_rules, check_rule, rule_inputs, rules_of
from simulated_cloud.aws.ec2_type import Ec2Type
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

RULES = "aws:vpc:rules"
"""In the store: which rules are resources of their own."""


class SecurityGroup(Ec2Type):
    """aws.ec2.SecurityGroup; made without any rule, as the real provider leaves it."""

    token = "aws:ec2/securityGroup:SecurityGroup"
    title = "EC2 Security Group"
    kind = "security-group"
    missing = frozenset({"InvalidGroup.NotFound"})
    defaults: ClassVar = {"description": "Managed by Pulumi", "revokeRulesOnDelete": False}
    replace_on = frozenset({"description", "name", "namePrefix", "vpcId"})
    name_property = "name"
    unsupported = frozenset({"namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield names EC2 keeps for itself and rules that are none."""
        name = inputs.get("name", "")
        if name.startswith("sg-"):
            yield InputProblem("name", f'"{name}" cannot begin with sg-')
        if len(name) > 255:
            yield InputProblem("name", "expected length of name to be in the range (0 - 255)")
        for direction in ("ingress", "egress"):
            for rule in inputs.get(direction) or []:
                yield from check_rule(rule, direction, rule.get("protocol", ""))

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the group and take away the rule that lets everything out."""
        ec2 = aws.client("ec2")
        if inputs.get("vpcId"):
            ec2.describe_vpcs(VpcIds=[inputs["vpcId"]])
        vpc = {"VpcId": inputs["vpcId"]} if inputs.get("vpcId") else {}
        answer = ec2.create_security_group(
            GroupName=inputs["name"], Description=inputs["description"], **vpc, **self.tags(inputs)
        )
        identity = answer["GroupId"]
        _revoke(aws, identity, ("egress",))
        self._authorize(aws, identity, inputs)
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the group with all its rules."""
        group = _group(aws, identity)
        return {
            "arn": aws.arn("ec2", f"security-group/{identity}"),
            "name": group["GroupName"],
            "description": group["Description"],
            "vpcId": group.get("VpcId"),
            "ownerId": aws.account_id,
            **self._rules(aws, identity),
            "tagsAll": from_key_value(group.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Write the rules inside the group anew."""
        directions = tuple(d for d in ("ingress", "egress") if d in changed)
        _revoke(aws, identity, directions)
        self._authorize(aws, identity, {d: news.get(d) for d in directions})

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a group that nothing uses and no other group's rule names."""
        ec2 = aws.client("ec2")
        group = _group(aws, identity)
        mine = [{"Name": "group-id", "Values": [identity]}]
        users = ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]
        named = [
            other["GroupId"]
            for other in ec2.describe_security_groups()["SecurityGroups"]
            if other["GroupId"] != identity
            for rule in (*other["IpPermissions"], *other["IpPermissionsEgress"])
            if any(pair.get("GroupId") == identity for pair in rule.get("UserIdGroupPairs") or [])
        ]
        if users or named:
            raise Refusal(
                f"DependencyViolation: resource {group['GroupId']} has a dependent object"
                + (f" ({', '.join(sorted(set(named)))})" if named else "")
            )
        ec2.delete_security_group(GroupId=identity)

    @staticmethod
    def _rules(aws: AwsCloud, identity: str) -> Properties:
        """Return the rules that are no resources of their own: somebody's, or the program's here.

        The real provider tells all of them, so that every rule beside a group is reported as the
        group's drift by the first refresh.
        """
        mine = [{"Name": "group-id", "Values": [identity]}]
        answer = aws.client("ec2").describe_security_group_rules(Filters=mine)
        own = aws.store.list(RULES)
        rules = [
            {**rule, "Description": _description(aws, rule)}
            for rule in answer["SecurityGroupRules"]
            if rule["SecurityGroupRuleId"] not in own
        ]
        return {
            "ingress": rules_of([rule for rule in rules if not rule["IsEgress"]], identity),
            "egress": rules_of([rule for rule in rules if rule["IsEgress"]], identity),
        }

    @staticmethod
    def _authorize(aws: AwsCloud, identity: str, inputs: Properties) -> None:
        ec2 = aws.client("ec2")
        calls = {
            "ingress": ec2.authorize_security_group_ingress,
            "egress": ec2.authorize_security_group_egress,
        }
        for direction, authorize in calls.items():
            rules = api_rules(inputs.get(direction) or [], identity)
            if rules:
                authorize(GroupId=identity, IpPermissions=rules)


class DefaultSecurityGroup(SecurityGroup):
    """aws.ec2.DefaultSecurityGroup: the group of the VPC, adopted, emptied, never deleted."""

    token = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    title = "EC2 Default Security Group"
    defaults: ClassVar = {"revokeRulesOnDelete": False, "ingress": [], "egress": []}
    replace_on = frozenset({"vpcId"})
    name_property = ""

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Adopt the group: what is in it goes."""
        mine = [
            {"Name": "vpc-id", "Values": [inputs.get("vpcId") or ""]},
            {"Name": "group-name", "Values": ["default"]},
        ]
        found = aws.client("ec2").describe_security_groups(Filters=mine)["SecurityGroups"]
        if not found:
            raise Refusal(f"reading EC2 Default Security Group ({inputs.get('vpcId')}): not found")
        identity = found[0]["GroupId"]
        _revoke(aws, identity, ("ingress", "egress"))
        self._authorize(aws, identity, inputs)
        self.retag(aws, identity, inputs, [], inputs.get("tagsAll") or {})
        return identity

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Leave it: it goes with its VPC."""


class _Rule(Ec2Type):
    kind = "security-group-rule"
    missing = frozenset({"InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound"})
    replace_on = frozenset({"securityGroupId"})
    direction: ClassVar[str] = ""

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what is no rule."""
        sources = {"cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId"}
        given = sorted(sources & inputs.keys())
        if len(given) > 1:
            yield InputProblem(given[1], f"Invalid Attribute Combination: {', '.join(given)}")
        yield from check_rule(
            {**inputs, "cidrBlocks": [inputs["cidrIpv4"]] if "cidrIpv4" in inputs else []},
            "",
            inputs.get("ipProtocol", ""),
        )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Add the rule; EC2 gives it an id."""
        ec2 = aws.client("ec2")
        group = inputs["securityGroupId"]
        _group(aws, group)
        if inputs.get("referencedSecurityGroupId"):
            _group(aws, inputs["referencedSecurityGroupId"].rpartition("/")[2])
        rule = api_rule(inputs)
        if "IpRanges" not in rule and "UserIdGroupPairs" not in rule:
            raise Refusal(
                "one of cidr_ipv4, prefix_list_id, referenced_security_group_id is needed"
            )
        calls = {
            "ingress": ec2.authorize_security_group_ingress,
            "egress": ec2.authorize_security_group_egress,
        }
        answer = calls[self.direction](GroupId=group, IpPermissions=[rule])
        identity = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        aws.store.put(RULES, identity, {"securityGroupId": group})
        if inputs.get("tagsAll"):
            self.retag(aws, identity, inputs, [], inputs["tagsAll"])
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the rule."""
        rule = _rule(aws, identity)
        if rule is None or rule["IsEgress"] != (self.direction == "egress"):
            return None
        return {
            "arn": aws.arn("ec2", f"security-group-rule/{identity}"),
            "securityGroupRuleId": identity,
            **rule_inputs(rule),
            "description": _description(aws, rule),
            "tagsAll": from_key_value(rule.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change the rule under its id."""
        spelled = {
            "IpProtocol": news["ipProtocol"],
            "FromPort": news.get("fromPort", -1),
            "ToPort": news.get("toPort", -1),
            "CidrIpv4": news.get("cidrIpv4"),
            "ReferencedGroupId": news.get("referencedSecurityGroupId"),
            "Description": news.get("description"),
        }
        aws.client("ec2").modify_security_group_rules(
            GroupId=news["securityGroupId"],
            SecurityGroupRules=[
                {
                    "SecurityGroupRuleId": identity,
                    "SecurityGroupRule": {k: v for k, v in spelled.items() if v is not None},
                }
            ],
        )
        if news.get("referencedSecurityGroupId"):
            # moto changes addresses only.
            source = {"GroupId": news["referencedSecurityGroupId"].rpartition("/")[2]}
            if news.get("description"):
                source["Description"] = news["description"]
            model = _model(aws, news["securityGroupId"], identity)
            model.source_group = {**model.source_group, **source}

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Take the rule out."""
        ec2 = aws.client("ec2")
        aws.store.remove(RULES, identity)
        if _rule(aws, identity) is None:
            return
        calls = {
            "ingress": ec2.revoke_security_group_ingress,
            "egress": ec2.revoke_security_group_egress,
        }
        revoke = calls[self.direction]
        revoke(GroupId=state["securityGroupId"], SecurityGroupRuleIds=[identity])


class SecurityGroupIngressRule(_Rule):
    """aws.vpc.SecurityGroupIngressRule."""

    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    title = "VPC Security Group Rule"
    direction = "ingress"


class SecurityGroupEgressRule(_Rule):
    """aws.vpc.SecurityGroupEgressRule."""

    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    title = "VPC Security Group Rule"
    direction = "egress"


def _group(aws: AwsCloud, identity: str) -> Any:
    return aws.client("ec2").describe_security_groups(GroupIds=[identity])["SecurityGroups"][0]


def _rule(aws: AwsCloud, identity: str) -> Any:
    answer = aws.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[identity])
    rules = answer["SecurityGroupRules"]
    return rules[0] if rules else None


def _description(aws: AwsCloud, rule: Any) -> str | None:
    """Return a rule's description; that of a rule for a group moto keeps and does not tell."""
    if rule.get("Description") or not rule.get("ReferencedGroupInfo"):
        return rule.get("Description")
    model = _model(aws, rule["GroupId"], rule["SecurityGroupRuleId"])
    return model.source_group.get("Description")


def _model(aws: AwsCloud, group: str, identity: str) -> Any:
    return moto_backend(aws, "ec2").get_security_group_from_id(group).get_rule(identity)


def _revoke(aws: AwsCloud, identity: str, directions: tuple[str, ...]) -> None:
    ec2 = aws.client("ec2")
    group = _group(aws, identity)
    if "ingress" in directions and group["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=identity, IpPermissions=group["IpPermissions"])
    if "egress" in directions and group["IpPermissionsEgress"]:
        rules = group["IpPermissionsEgress"]
        ec2.revoke_security_group_egress(GroupId=identity, IpPermissions=rules)


TYPES = (
    SecurityGroup,
    DefaultSecurityGroup,
    SecurityGroupIngressRule,
    SecurityGroupEgressRule,
)
