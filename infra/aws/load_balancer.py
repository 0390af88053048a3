"""The application load balancer in front of the server: who gets in, how, and to which pods.

Owns its listeners and target group; who may connect stands in `load_balancer_firewall`. The pods
come into the target group by a TargetGroupBinding (`infra.kubernetes`), so the way in outlives
every rollout. It exists where `ingress` is not `none`, and then TLS is not optional.

Its health check asks what Kubernetes asks before it calls a pod ready, a real query; each pod has
its own address among its allowed hosts, which is the Host header of that question. Only where
MLflow wants a password is it `/health`: a load balancer has none. There readiness decides through
Kubernetes alone, which takes a pod that is not ready out of the targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.aws.load_balancer_firewall import HTTP, HTTPS, LoadBalancerFirewall
from infra.aws.load_balancer_rules import forwarding, in_rules, public_hosts
from infra.server_probes import Probe, probes
from infra.settings_model import PlatformSettings
from infra.settings_server_size import balancer_idle_seconds

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.3, and 1.2 with forward secrecy for clients that are older."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerWiring:
    """Where the load balancer stands."""

    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]  # public ones where `ingress` is public
    node_security_group_id: pulumi.Input[str]  # of the pods it sends requests to
    access_log_bucket: pulumi.Input[str] | None  # None: access is not logged


class LoadBalancer(pulumi.ComponentResource):
    """A load balancer with TLS, and the target group that the server's pods join."""

    target_group_arn: pulumi.Output[str]
    target_group_arn_suffix: pulumi.Output[str]  # as CloudWatch's dimensions name it
    arn_suffix: pulumi.Output[str]
    dns_name: pulumi.Output[str]  # what the host's DNS record points at
    zone_id: pulumi.Output[str]
    security_group_id: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]  # a target group takes pods once a listener uses it

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: LoadBalancerWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the load balancer."""
        super().__init__("mlflow-platform:aws:LoadBalancer", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        self.security_group_id = LoadBalancerFirewall(
            f"{name}-firewall",
            settings,
            vpc_id=wiring.vpc_id,
            node_security_group_id=wiring.node_security_group_id,
            opts=self._child,
        ).security_group_id
        balancer = self._balancer(settings, wiring)
        targets = self._targets(settings, wiring)
        self.ready = self._listeners(settings, balancer, targets)
        self._web_application_firewall(settings, balancer)

        self.target_group_arn = targets.arn
        self.target_group_arn_suffix = targets.arn_suffix
        self.arn_suffix = balancer.arn_suffix
        self.dns_name = balancer.dns_name
        self.zone_id = balancer.zone_id
        self.register_outputs({"dns_name": self.dns_name})

    def _balancer(
        self, settings: PlatformSettings, wiring: LoadBalancerWiring
    ) -> aws.lb.LoadBalancer:
        logs = None
        if wiring.access_log_bucket is not None:
            logs = aws.lb.LoadBalancerAccessLogsArgs(
                bucket=wiring.access_log_bucket, prefix="load-balancer", enabled=True
            )
        return aws.lb.LoadBalancer(
            f"{self._name}-balancer",
            name=short_name(settings.environment),
            load_balancer_type="application",
            internal=settings.cloud.ingress != "public",
            subnets=wiring.subnet_ids,
            security_groups=[self.security_group_id],
            access_logs=logs,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            preserve_host_header=True,  # MLflow compares it with its allow-list
            enable_deletion_protection=settings.cloud.is_production,
            idle_timeout=balancer_idle_seconds(settings.timeouts.server_request_seconds),
            opts=self._child,
        )

    def _targets(
        self, settings: PlatformSettings, wiring: LoadBalancerWiring
    ) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            f"{self._name}-targets",
            # Another port is another group: with a name of its own it stands before this one goes.
            name=f"{short_name(settings.environment)}-{settings.server.port}",
            vpc_id=wiring.vpc_id,
            target_type="ip",  # pods, without a hop over a node's port
            port=settings.server.port,
            protocol="HTTP",
            health_check=health_check(probe(settings)),
            # As long as the server answers what it holds: shorter cuts requests off, longer keeps a
            # rollout waiting for nothing.
            deregistration_delay=settings.server.drain_seconds + settings.server.grace_seconds,
            # A search over all runs and a log-metric differ a thousandfold: count what is open.
            load_balancing_algorithm_type="least_outstanding_requests",
            opts=self._child,
        )

    def _listeners(
        self,
        settings: PlatformSettings,
        balancer: aws.lb.LoadBalancer,
        targets: aws.lb.TargetGroup,
    ) -> tuple[pulumi.Resource, ...]:
        aws.lb.Listener(
            f"{self._name}-http",
            load_balancer_arn=balancer.arn,
            port=HTTP,
            protocol="HTTP",
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(
                    type="redirect",
                    redirect=aws.lb.ListenerDefaultActionRedirectArgs(
                        protocol="HTTPS", port=str(HTTPS), status_code="HTTP_301"
                    ),
                )
            ],
            opts=self._child,
        )
        listener = aws.lb.Listener(
            f"{self._name}-https",
            load_balancer_arn=balancer.arn,
            port=HTTPS,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=settings.aws.load_balancer.certificate_arn,
            default_actions=[_no_such_host()],
            opts=self._child,
        )
        portions = list(in_rules(public_hosts(settings))) or [["*"]]
        return tuple(
            aws.lb.ListenerRule(
                f"{self._name}-hosts-{position}",
                listener_arn=listener.arn,
                priority=position,
                conditions=[
                    aws.lb.ListenerRuleConditionArgs(
                        host_header=aws.lb.ListenerRuleConditionHostHeaderArgs(values=list(hosts))
                    )
                ],
                actions=forwarding(settings, targets.arn),
                opts=self._child,
            )
            for position, hosts in enumerate(portions, start=1)
        )

    def _web_application_firewall(
        self, settings: PlatformSettings, balancer: aws.lb.LoadBalancer
    ) -> None:
        if arn := settings.aws.load_balancer.waf_web_acl_arn:
            aws.wafv2.WebAclAssociation(
                f"{self._name}-web-acl",
                resource_arn=balancer.arn,
                web_acl_arn=arn,
                opts=self._child,
            )


def short_name(environment: str) -> str:
    """`mlflow-prod`: load balancers and target groups take 32 characters."""
    return f"{naming.SERVICE}-{environment}"


def probe(settings: PlatformSettings) -> Probe:
    """What the load balancer asks a pod."""
    has_password = settings.authentication.kind == "basic"
    return probes(settings)["liveness" if has_password else "readiness"]


def health_check(question: Probe) -> aws.lb.TargetGroupHealthCheckArgs:
    """A probe in the load balancer's terms, within what AWS takes."""
    interval = min(max(question.period_seconds, 5), 300)
    return aws.lb.TargetGroupHealthCheckArgs(
        path=question.path,
        port="traffic-port",
        protocol="HTTP",
        matcher="200",
        interval=interval,
        timeout=min(max(question.timeout_seconds, 2), interval - 1),
        healthy_threshold=2,
        unhealthy_threshold=min(max(question.failure_threshold, 2), 10),
    )


def _no_such_host() -> aws.lb.ListenerDefaultActionArgs:
    """A scanner that tries addresses never reaches the server."""
    return aws.lb.ListenerDefaultActionArgs(
        type="fixed-response",
        fixed_response=aws.lb.ListenerDefaultActionFixedResponseArgs(
            content_type="text/plain", message_body="No such host here.\n", status_code="404"
        ),
    )
