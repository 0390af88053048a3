"""Load balancers and target groups (ELBv2).

Owns names of 32 characters, subnets in two zones, health checks within AWS's bounds, and deletion
that is protected or would leave a listener without its target. Listeners are in `lb_listener.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value, tags_of
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

ATTRIBUTES: Mapping[str, str] = {
    "enableDeletionProtection": "deletion_protection.enabled",
    "idleTimeout": "idle_timeout.timeout_seconds",
    "clientKeepAlive": "client_keep_alive.seconds",
    "enableHttp2": "routing.http2.enabled",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
    "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
    "enableXffClientPort": "routing.http.xff_client_port.enabled",
    "enableWafFailOpen": "waf.fail_open.enabled",
    "enableTlsVersionAndCipherSuiteHeaders": (
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled"
    ),
}
TARGET_ATTRIBUTES: Mapping[str, str] = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "slowStart": "slow_start.duration_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
}
HEALTH_CHECK: Mapping[str, str] = {
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
}


class LbType(AwsType):
    """A type of ELBv2, whose id is its ARN."""

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        lb = aws.client("elbv2")
        if gone:
            lb.remove_tags(ResourceArns=[identity], TagKeys=gone)
        if tags:
            lb.add_tags(ResourceArns=[identity], Tags=key_value(tags))

    @staticmethod
    def tags_of(aws: AwsCloud, identity: str) -> dict[str, str]:
        """Return a thing's tags."""
        described = aws.client("elbv2").describe_tags(ResourceArns=[identity])
        return from_key_value(described["TagDescriptions"][0]["Tags"])


class LoadBalancer(LbType):
    """aws.lb.LoadBalancer of type application (or network)."""

    token = "aws:lb/loadBalancer:LoadBalancer"
    title = "ELBv2 Load Balancer"
    missing = frozenset({"LoadBalancerNotFound"})
    defaults: ClassVar = {
        "loadBalancerType": "application",
        "internal": False,
        "ipAddressType": "ipv4",
        "enableDeletionProtection": False,
        "idleTimeout": 60,
        "clientKeepAlive": 3600,
        "enableHttp2": True,
        "dropInvalidHeaderFields": False,
        "desyncMitigationMode": "defensive",
        "preserveHostHeader": False,
    }
    replace_on = frozenset({"name", "namePrefix", "internal", "loadBalancerType"})
    name_property = "name"
    name_length = 32
    unsupported = frozenset(
        {
            *("namePrefix", "subnetMappings", "connectionLogs", "healthCheckLogs"),
            *("customerOwnedIpv4Pool", "ipamPools", "minimumLoadBalancerCapacity"),
        }
    )

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield names and numbers that ELB does not take."""
        yield from check_lb_name(inputs)
        kind = inputs.get("loadBalancerType", "application")
        if kind not in ("application", "network"):
            yield InputProblem(
                "loadBalancerType", f"the simulated cloud has no load balancer of type {kind}"
            )
        timeout = inputs.get("idleTimeout", 60)
        if not 1 <= timeout <= 4000:
            yield InputProblem(
                "idleTimeout",
                "ValidationError: Load balancer attribute value of idle_timeout.timeout_seconds "
                f"must be between 1 and 4000, got {timeout}",
            )
        mode = inputs.get("desyncMitigationMode", "defensive")
        if mode not in ("monitor", "defensive", "strictest"):
            yield InputProblem(
                "desyncMitigationMode",
                "expected desync_mitigation_mode to be one of [monitor defensive strictest], got "
                f"{mode}",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the load balancer in its subnets."""
        self._see(aws, inputs)
        lb = aws.client("elbv2")
        names = [item["LoadBalancerName"] for item in lb.describe_load_balancers()["LoadBalancers"]]
        if inputs["name"] in names:
            raise Refusal(
                "DuplicateLoadBalancerName: A load balancer with the same name "
                f"'{inputs['name']}' exists, but with different settings"
            )
        groups = (
            {"SecurityGroups": inputs["securityGroups"]} if inputs.get("securityGroups") else {}
        )
        arn = lb.create_load_balancer(
            Name=inputs["name"],
            Subnets=inputs["subnets"],
            Scheme="internal" if inputs["internal"] else "internet-facing",
            Type=inputs["loadBalancerType"],
            IpAddressType=inputs["ipAddressType"],
            **tags_of(inputs),
            **groups,
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self._attribute(aws, arn, inputs, ATTRIBUTES.keys() | {"accessLogs"})
        return arn

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the load balancer."""
        lb = aws.client("elbv2")
        found = lb.describe_load_balancers(LoadBalancerArns=[identity])["LoadBalancers"][0]
        answer = lb.describe_load_balancer_attributes(LoadBalancerArn=identity)["Attributes"]
        attributes = {item["Key"]: item["Value"] for item in answer}
        zones = found.get("AvailabilityZones") or []
        logs = {
            "bucket": attributes.get("access_logs.s3.bucket") or "",
            "enabled": attributes.get("access_logs.s3.enabled") == "true",
            "prefix": attributes.get("access_logs.s3.prefix") or "",
        }
        return {
            "arn": identity,
            "arnSuffix": identity.partition("loadbalancer/")[2],
            "dnsName": found["DNSName"],
            "internal": found["Scheme"] == "internal",
            "ipAddressType": found.get("IpAddressType", "ipv4"),
            "loadBalancerType": found["Type"],
            "name": found["LoadBalancerName"],
            "securityGroups": found.get("SecurityGroups") or [],
            "subnets": [zone["SubnetId"] for zone in zones if zone.get("SubnetId")],
            "vpcId": found["VpcId"],
            "zoneId": found["CanonicalHostedZoneId"],
            "accessLogs": logs if logs["bucket"] else None,
            **from_attributes(attributes, ATTRIBUTES),
            "tagsAll": self.tags_of(aws, identity),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change groups, subnets and attributes."""
        self._see(aws, news)
        lb = aws.client("elbv2")
        if "securityGroups" in changed:
            lb.set_security_groups(LoadBalancerArn=identity, SecurityGroups=news["securityGroups"])
        if "subnets" in changed:
            lb.set_subnets(LoadBalancerArn=identity, Subnets=news["subnets"])
        if "ipAddressType" in changed:
            lb.set_ip_address_type(LoadBalancerArn=identity, IpAddressType=news["ipAddressType"])
        self._attribute(aws, identity, news, changed)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a load balancer that is not protected."""
        lb = aws.client("elbv2")
        found = (self.find(aws, identity, {}) or {}).get("enableDeletionProtection")
        if found:
            raise Refusal(
                f"OperationNotPermitted: Load balancer '{identity}' cannot be deleted because "
                "deletion protection is enabled"
            )
        lb.delete_load_balancer(LoadBalancerArn=identity)

    @staticmethod
    def _see(aws: AwsCloud, inputs: Properties) -> None:
        ec2 = aws.client("ec2")
        subnets = ec2.describe_subnets(SubnetIds=inputs["subnets"])["Subnets"]
        zones = {subnet["AvailabilityZone"] for subnet in subnets}
        if inputs["loadBalancerType"] == "application" and len(zones) < 2:
            raise Refusal(
                "ValidationError: At least two subnets in two different Availability Zones must be "
                "specified"
            )
        if len(zones) < len(subnets):
            raise Refusal(
                "InvalidConfigurationRequest: A load balancer cannot be attached to multiple "
                "subnets in the same Availability Zone"
            )
        if inputs.get("securityGroups"):
            groups = ec2.describe_security_groups(GroupIds=inputs["securityGroups"])
            for group in groups["SecurityGroups"]:
                if group["VpcId"] != subnets[0]["VpcId"]:
                    raise Refusal(
                        "InvalidConfigurationRequest: One or more security groups are invalid: "
                        f"{group['GroupId']} is in another VPC"
                    )

    @staticmethod
    def _attribute(aws: AwsCloud, identity: str, inputs: Properties, names: Iterable[str]) -> None:
        # A network load balancer has none of an application's attributes of HTTP.
        spelled = to_attributes(inputs, ATTRIBUTES, names)
        logs = inputs.get("accessLogs")
        if "accessLogs" in names and logs:
            buckets = aws.client("s3").list_buckets()["Buckets"]
            if logs["bucket"] not in [bucket["Name"] for bucket in buckets]:
                raise Refusal(
                    f"InvalidConfigurationRequest: S3Bucket: {logs['bucket']} could not be located"
                )
            spelled += [
                {"Key": "access_logs.s3.enabled", "Value": str(logs["enabled"]).lower()},
                {"Key": "access_logs.s3.bucket", "Value": logs["bucket"]},
                {"Key": "access_logs.s3.prefix", "Value": logs.get("prefix") or ""},
            ]
        elif "accessLogs" in names:
            spelled.append({"Key": "access_logs.s3.enabled", "Value": "false"})
            spelled.append({"Key": "access_logs.s3.bucket", "Value": ""})
        if spelled:
            aws.client("elbv2").modify_load_balancer_attributes(
                LoadBalancerArn=identity, Attributes=spelled
            )


class TargetGroup(LbType):
    """aws.lb.TargetGroup."""

    token = "aws:lb/targetGroup:TargetGroup"
    title = "ELBv2 Target Group"
    missing = frozenset({"TargetGroupNotFound"})
    defaults: ClassVar = {
        "targetType": "instance",
        "protocolVersion": "HTTP1",
        "deregistrationDelay": 300,
        "slowStart": 0,
        "loadBalancingAlgorithmType": "round_robin",
        "ipAddressType": "ipv4",
    }
    replace_on = frozenset(
        {
            *("ipAddressType", "name", "namePrefix", "port", "protocol", "protocolVersion"),
            *("targetType", "vpcId"),
        }
    )
    name_property = "name"
    name_length = 32
    unsupported = frozenset(
        {"namePrefix", "stickiness", "targetFailovers", "targetGroupHealth", "targetHealthStates"}
    )

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield names and health checks that ELB does not take."""
        yield from check_lb_name(inputs)
        check = inputs.get("healthCheck") or {}
        bounds = {
            "interval": (5, 300),
            "timeout": (2, 120),
            "healthyThreshold": (2, 10),
            "unhealthyThreshold": (2, 10),
        }
        for name, (least, most) in bounds.items():
            value = check.get(name)
            if value is not None and not least <= value <= most:
                yield InputProblem(
                    f"healthCheck.{name}",
                    f"expected health_check.{name} to be in the range ({least} - {most}), got "
                    f"{value}",
                )
        if check.get("timeout", 5) >= check.get("interval", 30):
            yield InputProblem(
                "healthCheck.timeout",
                "ValidationError: Health check interval must be greater than the timeout.",
            )
        delay = inputs.get("deregistrationDelay", 300)
        if not 0 <= int(delay) <= 3600:
            yield InputProblem(
                "deregistrationDelay",
                f"expected deregistration_delay to be in the range (0 - 3600), got {delay}",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the group in a VPC that is there."""
        lb = aws.client("elbv2")
        if inputs.get("vpcId"):
            aws.client("ec2").describe_vpcs(VpcIds=[inputs["vpcId"]])
        for group in lb.describe_target_groups()["TargetGroups"]:
            if group["TargetGroupName"] == inputs["name"]:
                raise Refusal(
                    "DuplicateTargetGroupName: A target group with the same name "
                    f"'{inputs['name']}' exists, but with different settings"
                )
        optional = {
            "VpcId": inputs.get("vpcId"),
            "Port": inputs.get("port"),
            "Protocol": inputs.get("protocol"),
        }
        if inputs.get("protocol") in ("HTTP", "HTTPS"):
            optional["ProtocolVersion"] = inputs["protocolVersion"]
        arn = lb.create_target_group(
            Name=inputs["name"],
            TargetType=inputs["targetType"],
            **tags_of(inputs),
            **{key: value for key, value in optional.items() if value},
            **self._health_check(inputs),
        )["TargetGroups"][0]["TargetGroupArn"]
        self._attribute(aws, arn, inputs, TARGET_ATTRIBUTES.keys())
        return arn

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the group."""
        lb = aws.client("elbv2")
        group = lb.describe_target_groups(TargetGroupArns=[identity])["TargetGroups"][0]
        answer = lb.describe_target_group_attributes(TargetGroupArn=identity)["Attributes"]
        attributes = {item["Key"]: item["Value"] for item in answer}
        check = {name: group.get(key) for name, key in HEALTH_CHECK.items()}
        check |= {"enabled": group.get("HealthCheckEnabled", True)}
        check |= {"matcher": (group.get("Matcher") or {}).get("HttpCode")}
        return {
            "arn": identity,
            "arnSuffix": identity.rpartition(":")[2],
            "healthCheck": {key: value for key, value in check.items() if value is not None},
            "loadBalancerArns": group.get("LoadBalancerArns") or [],
            "name": group["TargetGroupName"],
            "port": group.get("Port"),
            "protocol": group.get("Protocol"),
            "protocolVersion": group.get("ProtocolVersion") or "HTTP1",
            "targetType": group["TargetType"],
            "vpcId": group.get("VpcId"),
            **from_attributes(attributes, TARGET_ATTRIBUTES),
            "tagsAll": self.tags_of(aws, identity),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change the health check and attributes."""
        if "healthCheck" in changed:
            aws.client("elbv2").modify_target_group(
                TargetGroupArn=identity, **self._health_check(news)
            )
        self._attribute(aws, identity, news, changed)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a group that no listener sends to."""
        lb = aws.client("elbv2")
        lb.describe_target_groups(TargetGroupArns=[identity])
        for balancer in lb.describe_load_balancers()["LoadBalancers"]:
            arn = balancer["LoadBalancerArn"]
            for listener in lb.describe_listeners(LoadBalancerArn=arn)["Listeners"]:
                rules = lb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
                if any(identity == a.get("TargetGroupArn") for r in rules for a in r["Actions"]):
                    raise Refusal(
                        f"ResourceInUse: Target group '{identity}' is currently in use by a "
                        "listener or a rule"
                    )
        lb.delete_target_group(TargetGroupArn=identity)

    @staticmethod
    def _health_check(inputs: Properties) -> dict[str, Any]:
        check = inputs.get("healthCheck") or {}
        spelled = {key: check[name] for name, key in HEALTH_CHECK.items() if name in check}
        if check.get("matcher"):
            spelled["Matcher"] = {"HttpCode": check["matcher"]}
        return spelled

    @staticmethod
    def _attribute(aws: AwsCloud, identity: str, inputs: Properties, names: Iterable[str]) -> None:
        spelled = to_attributes(inputs, TARGET_ATTRIBUTES, names)
        if spelled:
            aws.client("elbv2").modify_target_group_attributes(
                TargetGroupArn=identity, Attributes=spelled
            )


def check_lb_name(inputs: Properties) -> Iterable[InputProblem]:
    """Yield what is wrong with a name."""
    name = inputs.get("name")
    if name is not None and not re.fullmatch(
        r"(?!internal-)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?", name
    ):
        yield InputProblem(
            "name",
            'only alphanumeric characters and hyphens allowed in "name", 32 at most, not '
            '"internal-" '
            f"at its beginning nor a hyphen at either end: {name}",
        )


def to_attributes(
    inputs: Properties, table: Mapping[str, str], names: Iterable[str]
) -> list[dict[str, str]]:
    """Return attributes as ELB takes them: all values are texts."""
    wanted = [name for name in table if name in names and inputs.get(name) is not None]
    values = {name: inputs[name] for name in wanted}
    return [
        {"Key": table[name], "Value": str(value).lower() if isinstance(value, bool) else str(value)}
        for name, value in values.items()
    ]


def from_attributes(attributes: Mapping[str, str], table: Mapping[str, str]) -> Properties:
    """Return attributes as the program has them."""
    found: Properties = {}
    for name, key in table.items():
        text = attributes.get(key)
        if text is None:
            continue
        if text in ("true", "false"):
            found[name] = text == "true"
        else:
            found[name] = int(text) if text.isdigit() else text
    return found


TYPES = (LoadBalancer, TargetGroup)
