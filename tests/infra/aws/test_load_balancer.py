"""The way in: encrypted, for the names the server answers to, as long as the server needs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.aws.load_balancer import LoadBalancer, LoadBalancerWiring
from infra.aws.load_balancer_firewall import PRIVATE_NETWORKS, allowed_networks
from infra.aws.load_balancer_rules import public_hosts
from infra.server_address import allowed_hosts
from infra.settings import PlatformSettings
from tests.infra.aws.declared import ACCOUNT, REGION, Deployment, Outcome, deploy
from tests.infra.aws.stacks import CERTIFICATE, INTERNAL, OIDC, PRODUCTION, PUBLIC, aws_stack

TARGETS = "arn:aws:lb:::balancer-targets"


def balancer(settings: PlatformSettings, **wiring: Any) -> Outcome:
    parts = {
        "vpc_id": "vpc-1",
        "subnet_ids": ["subnet-a", "subnet-b"],
        "node_security_group_id": "sg-nodes",
        "access_log_bucket": "logs",
        **wiring,
    }

    def program() -> dict[str, Any]:
        made = LoadBalancer("balancer", settings, LoadBalancerWiring(**parts))
        return {"dns_name": made.dns_name, "targets": made.target_group_arn}

    return deploy(program)


@pytest.fixture(scope="module")
def internal() -> Deployment:
    return balancer(aws_stack(INTERNAL)).deployment


class TestBalancer:
    """What everybody passes through."""

    def test_inputs(self, internal: Deployment) -> None:
        assert internal.one("lb/loadBalancer:LoadBalancer").inputs == {
            "name": "mlflow-test",
            "loadBalancerType": "application",
            "internal": True,
            "subnets": ["subnet-a", "subnet-b"],
            "securityGroups": ["balancer-firewall-group-id"],
            "accessLogs": {"bucket": "logs", "prefix": "load-balancer", "enabled": True},
            "dropInvalidHeaderFields": True,
            "desyncMitigationMode": "strictest",
            "preserveHostHeader": True,
            "enableDeletionProtection": False,
            "idleTimeout": 600,
        }

    def test_public_only_where_settings_say_so(self) -> None:
        inputs = balancer(aws_stack(PUBLIC)).deployment.one("lb/loadBalancer:LoadBalancer").inputs
        assert inputs["internal"] is False

    def test_production_is_protected(self) -> None:
        settings = aws_stack({**PRODUCTION, **INTERNAL})
        inputs = balancer(settings).deployment.one("lb/loadBalancer:LoadBalancer").inputs
        assert inputs["enableDeletionProtection"] is True

    def test_the_longest_request_and_awss_limit(self) -> None:
        for seconds, idle in (("30", 30), ("900", 900), ("4001", 3500)):
            settings = aws_stack(INTERNAL, serverRequestTimeoutSeconds=seconds)
            inputs = balancer(settings).deployment.one("lb/loadBalancer:LoadBalancer").inputs
            assert inputs["idleTimeout"] == idle
            assert idle < settings.server.keep_alive_seconds <= 3600

    def test_without_a_bucket_access_is_not_logged(self) -> None:
        deployment = balancer(aws_stack(INTERNAL), access_log_bucket=None).deployment
        assert "accessLogs" not in deployment.one("lb/loadBalancer:LoadBalancer").inputs

    def test_a_web_acl_where_one_is_named(self, internal: Deployment) -> None:
        assert internal.of("wafv2/webAclAssociation:WebAclAssociation") == []
        acl = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/mlflow/1"
        deployment = balancer(aws_stack(INTERNAL, wafWebAclArn=acl)).deployment
        association = deployment.one("wafv2/webAclAssociation:WebAclAssociation")
        assert association.inputs["webAclArn"] == acl


class TestTargets:
    """Pods join by address; they leave when they have answered what they hold."""

    def test_inputs(self, internal: Deployment) -> None:
        assert internal.one("lb/targetGroup:TargetGroup").inputs == {
            "name": "mlflow-test-5000",
            "vpcId": "vpc-1",
            "targetType": "ip",
            "port": 5000,
            "protocol": "HTTP",
            "healthCheck": {
                "path": "/api/2.0/mlflow/experiments/search?max_results=1",
                "port": "traffic-port",
                "protocol": "HTTP",
                "matcher": "200",
                "interval": 10,
                "timeout": 5,
                "healthyThreshold": 2,
                "unhealthyThreshold": 3,
            },
            "deregistrationDelay": 40,
            "loadBalancingAlgorithmType": "least_outstanding_requests",
        }

    def test_a_server_with_passwords_is_asked_what_needs_none(self) -> None:
        settings = aws_stack(PUBLIC)
        inputs = balancer(settings).deployment.one("lb/targetGroup:TargetGroup").inputs
        assert inputs["healthCheck"]["path"] == "/health"

    def test_health_moves_with_the_prefix(self) -> None:
        settings = aws_stack(
            INTERNAL,
            serverStaticPrefix="/mlflow",
            trackingUri="https://mlflow.example.com/mlflow",
        )
        inputs = balancer(settings).deployment.one("lb/targetGroup:TargetGroup").inputs
        assert inputs["healthCheck"]["path"] == (
            "/mlflow/api/2.0/mlflow/experiments/search?max_results=1"
        )

    def test_a_patient_probe_stays_within_awss_bounds(self) -> None:
        settings = aws_stack(INTERNAL, healthCheckTimeoutSeconds="10")
        check = balancer(settings).deployment.one("lb/targetGroup:TargetGroup").inputs
        assert check["healthCheck"]["timeout"] < check["healthCheck"]["interval"]


class TestListeners:
    """Everything is TLS; what is not for us is not passed on."""

    def test_http_is_sent_to_https(self, internal: Deployment) -> None:
        listener = internal.one("lb/listener:Listener", "-http")
        assert (listener.inputs["port"], listener.inputs["protocol"]) == (80, "HTTP")
        assert listener.inputs["defaultActions"] == [
            {
                "type": "redirect",
                "redirect": {"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"},
            }
        ]

    def test_https(self, internal: Deployment) -> None:
        inputs = internal.one("lb/listener:Listener", "-https").inputs
        assert inputs["certificateArn"] == CERTIFICATE
        assert inputs["sslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
        (default,) = inputs["defaultActions"]
        assert (default["type"], default["fixedResponse"]["statusCode"]) == (
            "fixed-response",
            "404",
        )

    def test_the_servers_name_goes_to_its_pods(self, internal: Deployment) -> None:
        rule = internal.one("lb/listenerRule:ListenerRule")
        assert rule.inputs["conditions"] == [{"hostHeader": {"values": ["mlflow.example.com"]}}]
        assert rule.inputs["actions"] == [
            {"type": "forward", "order": 1, "targetGroupArn": TARGETS}
        ]

    def test_more_names_than_a_rule_takes(self) -> None:
        names = [f"m{number}.example.com" for number in range(7)]
        settings = aws_stack(INTERNAL, allowedHosts=str(names).replace("'", '"'))
        rules = balancer(settings).deployment.of("lb/listenerRule:ListenerRule")
        assert {rule.inputs["priority"] for rule in rules} == {1, 2}
        hosts = [
            host for rule in rules for host in rule.inputs["conditions"][0]["hostHeader"]["values"]
        ]
        assert sorted(hosts) == sorted(["mlflow.example.com", *names])

    def test_any_name_where_the_server_takes_any(self) -> None:
        settings = aws_stack(INTERNAL, allowedHosts='["*"]')
        rule = balancer(settings).deployment.one("lb/listenerRule:ListenerRule")
        assert rule.inputs["conditions"] == [{"hostHeader": {"values": ["*"]}}]


class TestHosts:
    """The load balancer lets through what MLflow accepts."""

    def test_every_public_host_is_on_the_servers_list(self) -> None:
        settings = aws_stack(
            INTERNAL,
            allowedHosts='["mlflow.mlflow.svc.cluster.local", "mlflow.mlflow.svc", "ML.a.com:443"]',
        )
        assert public_hosts(settings) == ("mlflow.example.com", "ml.a.com")
        assert "mlflow.example.com" in allowed_hosts(settings)


class TestSignIn:
    """Nobody reaches a pod without having signed in."""

    def test_first_the_identity_provider_then_the_server(self) -> None:
        settings = aws_stack({**INTERNAL, **OIDC})
        rule = balancer(settings).deployment.one("lb/listenerRule:ListenerRule")
        sign_in, forward = rule.inputs["actions"]
        assert (sign_in["type"], sign_in["order"]) == ("authenticate-oidc", 1)
        assert (forward["type"], forward["order"]) == ("forward", 2)
        oidc = sign_in["authenticateOidc"]
        assert oidc["onUnauthenticatedRequest"] == "authenticate"
        assert oidc["issuer"] == "https://login.example.com"
        assert oidc["scope"] == "openid email"

    def test_the_secret_stays_one(self, internal: Deployment) -> None:
        settings = aws_stack({**INTERNAL, **OIDC})
        rule = balancer(settings).deployment.one("lb/listenerRule:ListenerRule")
        assert rule.secrets == {"actions"}
        assert internal.one("lb/listenerRule:ListenerRule").secrets == frozenset()

    def test_the_balancer_reaches_the_identity_provider(self, internal: Deployment) -> None:
        kind = "ec2/securityGroup:SecurityGroup"
        (pods,) = internal.one(kind).inputs["egress"]
        assert pods["securityGroups"] == ["sg-nodes"]
        deployment = balancer(aws_stack({**INTERNAL, **OIDC})).deployment
        same, provider = deployment.one(kind).inputs["egress"]
        assert same == pods
        assert (provider["fromPort"], provider["cidrBlocks"]) == (443, ["0.0.0.0/0"])


class TestFirewall:
    """Clients on two ports, pods on one."""

    def test_who_may_connect(self) -> None:
        assert allowed_networks(aws_stack(INTERNAL)) == PRIVATE_NETWORKS
        assert allowed_networks(aws_stack(PUBLIC)) == ("0.0.0.0/0",)
        named = aws_stack(PUBLIC, ingressAllowedCidrs='["203.0.113.0/24", "2001:db8::/32"]')
        assert allowed_networks(named) == ("203.0.113.0/24", "2001:db8::/32")

    def test_ports(self, internal: Deployment) -> None:
        rules = internal.one("ec2/securityGroup:SecurityGroup").inputs["ingress"]
        assert {rule["fromPort"]: rule["cidrBlocks"] for rule in rules} == {
            port: list(PRIVATE_NETWORKS) for port in (80, 443)
        }
        assert all(rule["fromPort"] == rule["toPort"] for rule in rules)

    def test_from_the_balancer_to_the_pods(self, internal: Deployment) -> None:
        rule = internal.one("vpc/securityGroupIngressRule:SecurityGroupIngressRule", "into-server")
        assert rule.inputs == {
            "securityGroupId": "sg-nodes",
            "description": "The load balancer",
            "referencedSecurityGroupId": "balancer-firewall-group-id",
            "ipProtocol": "tcp",
            "fromPort": 5000,
            "toPort": 5000,
        }

    def test_descriptions_are_of_the_characters_that_aws_takes(self) -> None:
        """Found on the simulated cloud, which refuses what EC2 refuses: no apostrophes."""
        deployment = balancer(aws_stack({**INTERNAL, **OIDC})).deployment
        rules = [
            rule
            for item in deployment.of("ec2/securityGroup:SecurityGroup")
            for rule in (*item.inputs["ingress"], *item.inputs["egress"])
        ]
        texts = [
            inputs["description"]
            for inputs in (*(item.inputs for item in deployment.resources), *rules)
            if "description" in inputs
        ]
        assert len(texts) > 5
        for text in texts:
            assert re.fullmatch(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}", text)

    def test_addresses_of_both_families(self) -> None:
        both = '["203.0.113.0/24", "2001:db8::/32"]'
        found = balancer(aws_stack(PUBLIC, ingressAllowedCidrs=both)).deployment
        for rule in found.one("ec2/securityGroup:SecurityGroup").inputs["ingress"]:
            assert rule["cidrBlocks"] == ["203.0.113.0/24"]
            assert rule["ipv6CidrBlocks"] == ["2001:db8::/32"]
