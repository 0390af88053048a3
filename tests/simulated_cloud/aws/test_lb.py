"""Load balancers, target groups, listeners and rules behave, and refuse, as ELB does."""

from __future__ import annotations

from typing import Any

import pytest

from simulated_cloud import SimulatedCloud
from tests.simulated_cloud.aws import account
from tests.simulated_cloud.desk import Desk, Refused, Resource

BALANCER = "aws:lb/loadBalancer:LoadBalancer"
TARGETS = "aws:lb/targetGroup:TargetGroup"
LISTENER = "aws:lb/listener:Listener"
RULE = "aws:lb/listenerRule:ListenerRule"
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/1"


@pytest.fixture(scope="module")
def place(aws: Desk) -> tuple[Resource, list[str]]:
    return account.network(aws)


@pytest.fixture(scope="module")
def balancer(aws: Desk, place: tuple[Resource, list[str]]) -> Resource:
    vpc, subnets = place
    return aws.create(
        BALANCER,
        name="main",
        internal=True,
        subnets=subnets,
        securityGroups=[account.group(aws, vpc).id],
    )


@pytest.fixture(scope="module")
def targets(aws: Desk, place: tuple[Resource, list[str]]) -> Resource:
    return aws.create(
        TARGETS, name="main", vpcId=place[0].id, port=5000, protocol="HTTP", targetType="ip"
    )


@pytest.fixture(scope="module")
def listener(aws: Desk, balancer: Resource, targets: Resource) -> Resource:
    return aws.create(
        LISTENER,
        loadBalancerArn=balancer.id,
        port=443,
        protocol="HTTPS",
        certificateArn=CERTIFICATE,
        sslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        defaultActions=[{"type": "forward", "targetGroupArn": targets.id}],
    )


class TestLoadBalancer:
    """A load balancer's attributes are its own; a protected one stays."""

    def test_life(
        self, cloud: SimulatedCloud, aws: Desk, place: tuple[Resource, list[str]]
    ) -> None:
        inputs = {"name": "life", "internal": True, "subnets": place[1]}
        balancer = aws.create(
            BALANCER, **inputs, enableDeletionProtection=True, dropInvalidHeaderFields=True
        )
        assert balancer["arnSuffix"].startswith("app/life/")
        cloud.client("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=balancer.id,
            Attributes=[{"Key": "idle_timeout.timeout_seconds", "Value": "7"}],
        )
        assert balancer.drift() == {"idleTimeout": 7}
        with pytest.raises(Refused, match="deletion protection is enabled"):
            balancer.refresh().delete()
        balancer.update(**inputs, idleTimeout=120)
        balancer.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"name": "internal-x"}, "only alphanumeric characters and hyphens"),
            ({"name": "n" * 33}, "only alphanumeric characters and hyphens"),
            ({"idleTimeout": 4001}, "must be between 1 and 4000, got 4001"),
            ({"desyncMitigationMode": "lax"}, "desync_mitigation_mode to be one of"),
            ({"loadBalancerType": "gateway"}, "has no load balancer of type gateway"),
            ({"securityGroups": ["sg-1"]}, r"InvalidGroup\.NotFound"),
            ({"accessLogs": {"bucket": "none", "enabled": True}}, "could not be located"),
        ],
    )
    def test_refusals(
        self,
        aws: Desk,
        place: tuple[Resource, list[str]],
        inputs: dict[str, Any],
        words: str,
    ) -> None:
        with pytest.raises(Refused, match=words):
            aws.create(BALANCER, **{"name": account.unique("w"), "subnets": place[1], **inputs})

    def test_one_zone(self, aws: Desk, place: tuple[Resource, list[str]]) -> None:
        with pytest.raises(Refused, match="At least two subnets in two different"):
            aws.create(BALANCER, name="one", subnets=place[1][:1])

    def test_two_of_one_name(self, aws: Desk, balancer: Resource, place: Any) -> None:
        with pytest.raises(Refused, match="DuplicateLoadBalancerName"):
            aws.create(BALANCER, name="main", subnets=place[1])


class TestTargets:
    """A target group has a health check within bounds, and stays while it is sent to."""

    def test_life(self, cloud: SimulatedCloud, aws: Desk, place: Any) -> None:
        check = {"path": "/health", "interval": 10, "timeout": 5, "matcher": "200"}
        inputs = {"name": "life", "vpcId": place[0].id, "port": 1, "protocol": "HTTP"}
        group = aws.create(TARGETS, **inputs, healthCheck=check, deregistrationDelay=35)
        cloud.client("elbv2").modify_target_group(TargetGroupArn=group.id, HealthCheckPath="/x")
        assert group.drift()["healthCheck"]["path"] == "/x"
        group.repair(**inputs, healthCheck=check, deregistrationDelay=35)
        group.delete()

    def test_one_in_use(self, listener: Resource, targets: Resource) -> None:
        with pytest.raises(Refused, match="is currently in use by a listener or a rule"):
            targets.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"healthCheck": {"interval": 4}}, r"range \(5 - 300\), got 4"),
            ({"healthCheck": {"healthyThreshold": 1}}, r"range \(2 - 10\), got 1"),
            ({"healthCheck": {"interval": 5, "timeout": 5}}, "must be greater than the timeout"),
            ({"deregistrationDelay": 3601}, r"range \(0 - 3600\), got 3601"),
            ({"vpcId": "vpc-1"}, r"InvalidVpcID\.NotFound"),
            ({"name": "main"}, "DuplicateTargetGroupName"),
        ],
    )
    def test_refusals(
        self, aws: Desk, targets: Resource, inputs: dict[str, Any], words: str
    ) -> None:
        given = {"name": account.unique("w"), "vpcId": targets["vpcId"], "port": 1}
        with pytest.raises(Refused, match=words):
            aws.create(TARGETS, **{**given, "protocol": "HTTP", **inputs})


class TestListeners:
    """A port has one listener, a priority one rule."""

    def test_a_redirect(self, aws: Desk, balancer: Resource) -> None:
        redirect = {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}
        listener = aws.create(
            LISTENER,
            loadBalancerArn=balancer.id,
            port=80,
            protocol="HTTP",
            defaultActions=[{"type": "redirect", "redirect": redirect}],
        )
        listener.delete()

    def test_rules(
        self, cloud: SimulatedCloud, aws: Desk, listener: Resource, targets: Resource
    ) -> None:
        inputs = {
            "listenerArn": listener.id,
            "priority": 1,
            "conditions": [{"hostHeader": {"values": ["mlflow.example.com"]}}],
            "actions": [{"type": "forward", "order": 1, "targetGroupArn": targets.id}],
        }
        rule = aws.create(RULE, **inputs)
        with pytest.raises(Refused, match="PriorityInUse: Priority '1'"):
            aws.create(RULE, **inputs)
        other = [{"Field": "host-header", "HostHeaderConfig": {"Values": ["x.example.com"]}}]
        cloud.client("elbv2").modify_rule(RuleArn=rule.id, Conditions=other)
        assert rule.drift() == {"conditions": [{"hostHeader": {"values": ["x.example.com"]}}]}
        rule.repair(**inputs)
        rule.delete()

    def test_a_sign_in(self, aws: Desk, listener: Resource, targets: Resource) -> None:
        sign_in = {
            "issuer": "https://id.example.com",
            "authorizationEndpoint": "https://id.example.com/a",
            "tokenEndpoint": "https://id.example.com/t",
            "userInfoEndpoint": "https://id.example.com/u",
            "clientId": "mlflow",
            "clientSecret": "hunter2",
            "sessionTimeout": 3600,
        }
        rule = aws.create(
            RULE,
            listenerArn=listener.id,
            priority=7,
            conditions=[{"pathPattern": {"values": ["/*"]}}],
            actions=[
                {"type": "authenticate-oidc", "order": 1, "authenticateOidc": sign_in},
                {"type": "forward", "order": 2, "targetGroupArn": targets.id},
            ],
        )
        rule.delete()

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"port": 0}, r"range \(1 - 65535\), got 0"),
            ({"port": 443, "certificateArn": CERTIFICATE}, "DuplicateListener"),
            ({"port": 8443}, "A certificate must be specified for HTTPS"),
            ({"port": 8443, "certificateArn": "mine"}, "is an invalid ARN"),
            ({"defaultActions": [{"type": "forward"}]}, "An action of type forward needs"),
            ({"defaultActions": [{"type": "sing"}]}, "expected type to be one of"),
        ],
    )
    def test_refusals(
        self, aws: Desk, listener: Resource, inputs: dict[str, Any], words: str
    ) -> None:
        given = {
            "loadBalancerArn": listener["loadBalancerArn"],
            "port": 9,
            "protocol": "HTTPS",
            "defaultActions": listener["defaultActions"],
        }
        with pytest.raises(Refused, match=words):
            aws.create(LISTENER, **{**given, **inputs})

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"priority": 50001}, r"range \(1-50000\), got 50001"),
            (
                {"conditions": [{"hostHeader": {"values": list("abcdef")}}]},
                "TooManyUniqueConditionValues",
            ),
            ({"conditions": [{"queryStrings": []}]}, "has no condition queryStrings"),
        ],
    )
    def test_rules_refused(
        self, aws: Desk, listener: Resource, inputs: dict[str, Any], words: str
    ) -> None:
        given = {
            "listenerArn": listener.id,
            "conditions": [{"hostHeader": {"values": ["a.example.com"]}}],
            "actions": listener["defaultActions"],
        }
        with pytest.raises(Refused, match=words):
            aws.create(RULE, **{**given, **inputs})

    def test_a_web_firewall(self, aws: Desk, balancer: Resource) -> None:
        token = "aws:wafv2/webAclAssociation:WebAclAssociation"
        acl = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/x/1"
        aws.create(token, resourceArn=balancer.id, webAclArn=acl).delete()
        with pytest.raises(Refused, match="is an invalid ARN"):
            aws.create(token, resourceArn=balancer.id, webAclArn="x")
