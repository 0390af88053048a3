"""Listeners and their rules (ELBv2), and the web firewall in front of a load balancer.

Owns actions and conditions in both spellings, that a port has one listener and a priority one rule,
and that HTTPS has a certificate. A client secret for sign-in stays secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from simulated_cloud.aws.aws_type import AwsType, tags_of
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.iam_names import check_arn
from simulated_cloud.aws.lb import LbType
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.aws.spelling import camel, pascal
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

ACTIONS = {
    "forward": ("targetGroupArn", "forward"),
    "redirect": ("redirect",),
    "fixed-response": ("fixedResponse",),
    "authenticate-oidc": ("authenticateOidc",),
    "authenticate-cognito": ("authenticateCognito",),
}
_SPELLED = {
    "authenticateOidc": "AuthenticateOidcConfig",
    "authenticateCognito": "AuthenticateCognitoConfig",
    "redirect": "RedirectConfig",
    "fixedResponse": "FixedResponseConfig",
}
_CONDITIONS = {
    "hostHeader": ("host-header", "HostHeaderConfig"),
    "pathPattern": ("path-pattern", "PathPatternConfig"),
    "httpRequestMethod": ("http-request-method", "HttpRequestMethodConfig"),
    "sourceIp": ("source-ip", "SourceIpConfig"),
}
_REDIRECT: Properties = {
    "host": "#{host}",
    "path": "/#{path}",
    "query": "#{query}",
    "port": "#{port}",
    "protocol": "#{protocol}",
}


class Listener(LbType):
    """aws.lb.Listener."""

    token = "aws:lb/listener:Listener"
    title = "ELBv2 Listener"
    missing = frozenset({"ListenerNotFound", "LoadBalancerNotFound"})
    replace_on = frozenset({"loadBalancerArn"})
    ordered = frozenset({"defaultActions"})
    kept = frozenset({"tcpIdleTimeoutSeconds"})
    unsupported = frozenset({"mutualAuthentication"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield ports, protocols and actions that are none."""
        port, protocol = inputs.get("port", 80), inputs.get("protocol", "HTTP")
        if not 1 <= port <= 65535:
            yield InputProblem("port", f"expected port to be in the range (1 - 65535), got {port}")
        if protocol not in ("HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP"):
            yield InputProblem(
                "protocol", f"expected protocol to be one of [HTTP HTTPS …], got {protocol}"
            )
        yield from check_arn(inputs, "certificateArn")
        for action in inputs.get("defaultActions") or []:
            yield from check_action(action, "defaultActions")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the listener on a port that is free."""
        lb, balancer = aws.client("elbv2"), inputs["loadBalancerArn"]
        self._see(aws, inputs)
        for other in lb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]:
            if other["Port"] == inputs.get("port"):
                raise Refusal(
                    "DuplicateListener: A listener already exists on this port for this load "
                    f"balancer ({inputs['port']})"
                )
        answer = lb.create_listener(
            LoadBalancerArn=balancer,
            DefaultActions=api_actions(inputs["defaultActions"]),
            **tags_of(inputs),
            **self._arguments(inputs),
        )
        return answer["Listeners"][0]["ListenerArn"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the listener."""
        found = aws.client("elbv2").describe_listeners(ListenerArns=[identity])["Listeners"]
        if not found:
            return None
        listener = found[0]
        certificates = listener.get("Certificates") or []
        return {
            "arn": identity,
            "loadBalancerArn": listener["LoadBalancerArn"],
            "port": listener.get("Port"),
            "protocol": listener.get("Protocol"),
            "sslPolicy": listener.get("SslPolicy") or None,
            "certificateArn": certificates[0]["CertificateArn"] if certificates else None,
            "defaultActions": actions_of(listener["DefaultActions"], known.get("defaultActions")),
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
        """Change the listener."""
        self._see(aws, news)
        aws.client("elbv2").modify_listener(
            ListenerArn=identity,
            DefaultActions=api_actions(news["defaultActions"]),
            **self._arguments(news),
        )

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the listener."""
        lb = aws.client("elbv2")
        if lb.describe_listeners(ListenerArns=[identity])["Listeners"]:
            lb.delete_listener(ListenerArn=identity)

    @staticmethod
    def _see(aws: AwsCloud, inputs: Properties) -> None:
        if inputs.get("certificateArn"):
            _see_certificate(aws, inputs["certificateArn"])
        elif inputs.get("protocol") in ("HTTPS", "TLS"):
            raise Refusal("ValidationError: A certificate must be specified for HTTPS listeners")

    @staticmethod
    def _arguments(inputs: Properties) -> dict[str, Any]:
        arguments = {
            "Port": inputs.get("port"),
            "Protocol": inputs.get("protocol") or "HTTP",
            "SslPolicy": inputs.get("sslPolicy"),
        }
        if inputs.get("certificateArn"):
            arguments["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
        return {key: value for key, value in arguments.items() if value is not None}


def _see_certificate(aws: AwsCloud, arn: str) -> None:
    """Take a certificate of the account and region for there: none is made by a stack.

    moto looks for it; what it finds is made now, under the name that the program gives.
    """
    if not arn.startswith(aws.arn("acm", "certificate/")):
        raise Refusal(f"CertificateNotFound: Certificate ARN '{arn}' not found")
    backend = moto_backend(aws, "acm")
    if arn not in backend._certificates:
        made = backend._certificates.pop(
            backend.request_certificate("simulated.example", "", [], [])
        )
        made.arn = arn
        backend._certificates[arn] = made


class ListenerRule(LbType):
    """aws.lb.ListenerRule."""

    token = "aws:lb/listenerRule:ListenerRule"
    title = "ELBv2 Listener Rule"
    missing = frozenset({"RuleNotFound", "ListenerNotFound"})
    replace_on = frozenset({"listenerArn"})
    ordered = frozenset({"actions"})
    unsupported = frozenset({"transforms"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield priorities, actions and conditions that are none."""
        priority = inputs.get("priority", 1)
        if not 1 <= priority <= 50000:
            yield InputProblem(
                "priority", f"expected priority to be in the range (1-50000), got {priority}"
            )
        for action in inputs.get("actions") or []:
            yield from check_action(action, "actions")
        values = 0
        for condition in inputs.get("conditions") or []:
            unknown = sorted(condition.keys() - _CONDITIONS.keys())
            if unknown:
                yield InputProblem(
                    "conditions", f"the simulated cloud has no condition {unknown[0]}"
                )
            values += sum(len((entry or {}).get("values") or []) for entry in condition.values())
        if values > 5:
            yield InputProblem(
                "conditions",
                "TooManyUniqueConditionValues: A rule has 5 condition values at most, got "
                f"{values}",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the rule at a priority that is free."""
        lb = aws.client("elbv2")
        rules = lb.describe_rules(ListenerArn=inputs["listenerArn"])["Rules"]
        taken = [int(rule["Priority"]) for rule in rules if rule["Priority"].isdigit()]
        priority = inputs.get("priority") or max(taken, default=0) + 1
        if priority in taken:
            raise Refusal(f"PriorityInUse: Priority '{priority}' is currently in use")
        answer = lb.create_rule(
            ListenerArn=inputs["listenerArn"],
            Priority=priority,
            Conditions=_api_conditions(inputs["conditions"]),
            Actions=api_actions(inputs["actions"]),
            **tags_of(inputs),
        )
        return answer["Rules"][0]["RuleArn"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the rule."""
        found = aws.client("elbv2").describe_rules(RuleArns=[identity])["Rules"]
        if not found:
            return None
        rule = found[0]
        listener = identity.replace(":listener-rule/", ":listener/").rpartition("/")[0]
        return {
            "arn": identity,
            "listenerArn": known.get("listenerArn") or listener,
            "priority": int(rule["Priority"]),
            "actions": actions_of(rule["Actions"], known.get("actions")),
            "conditions": _conditions_of(rule["Conditions"]),
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
        """Change the rule, and its place among the others."""
        lb = aws.client("elbv2")
        if changed & {"actions", "conditions"}:
            lb.modify_rule(
                RuleArn=identity,
                Conditions=_api_conditions(news["conditions"]),
                Actions=api_actions(news["actions"]),
            )
        if "priority" in changed and news.get("priority"):
            lb.set_rule_priorities(
                RulePriorities=[{"RuleArn": identity, "Priority": news["priority"]}]
            )

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the rule."""
        aws.client("elbv2").describe_rules(RuleArns=[identity])
        aws.client("elbv2").delete_rule(RuleArn=identity)


class WebAclAssociation(AwsType):
    """aws.wafv2.WebAclAssociation; the firewall is somebody else's, only its ARN is looked at."""

    token = "aws:wafv2/webAclAssociation:WebAclAssociation"
    title = "WAFv2 WebACL Association"
    replace_on = frozenset({"*"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield ARNs that are none."""
        yield from check_arn(inputs, "resourceArn")
        yield from check_arn(inputs, "webAclArn")

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Keep the association with a load balancer that is there."""
        aws.client("elbv2").describe_load_balancers(LoadBalancerArns=[inputs["resourceArn"]])
        identity = f"{inputs['webAclArn']},{inputs['resourceArn']}"
        aws.store.put(self.token, identity, inputs)
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the association as it is kept."""
        return aws.store.get(self.token, identity)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Forget it."""
        aws.store.remove(self.token, identity)


def check_action(action: Properties, path: str) -> Iterable[InputProblem]:
    """Yield what is wrong with an action."""
    kind = action.get("type", "")
    if kind not in ACTIONS:
        allowed = " ".join(ACTIONS)
        yield InputProblem(path, f"expected type to be one of [{allowed}], got {kind}")
    elif not any(action.get(name) for name in ACTIONS[kind]):
        yield InputProblem(
            path, f"ValidationError: An action of type {kind} needs {' or '.join(ACTIONS[kind])}"
        )


def api_actions(actions: list[Properties]) -> list[Any]:
    """Return actions as ELB takes them, numbered in their order."""
    spelled: list[Any] = []
    for position, action in enumerate(actions, start=1):
        given = dict(action)
        if "redirect" in given:
            given["redirect"] = {**_REDIRECT, **given["redirect"]}
        entry = pascal(given, _SPELLED)
        entry["Order"] = action.get("order") or position
        spelled.append(entry)
    return spelled


def actions_of(found: list[Any], known: list[Properties] | None) -> list[Properties]:
    """Return actions as the program has them.

    What ELB adds is left out, and the client's secret, which it never tells, is the known one.
    """
    actions: list[Properties] = []
    for index, entry in enumerate(sorted(found, key=lambda item: item.get("Order") or 0)):
        action = camel(entry, _SPELLED)
        given = known[index] if known and index < len(known) else {}
        if action.get("forward") and "forward" not in given:
            groups = action.pop("forward").get("targetGroups") or [{}]
            action.setdefault("targetGroupArn", groups[0].get("targetGroupArn"))
        if given.get("type") == action.get("type") and action.get("authenticateOidc"):
            secret = (given.get("authenticateOidc") or {}).get("clientSecret")
            action["authenticateOidc"] = {**action["authenticateOidc"], "clientSecret": secret}
        if action.get("authenticateOidc", {}).get("sessionTimeout"):
            timeout = int(action["authenticateOidc"]["sessionTimeout"])
            action["authenticateOidc"]["sessionTimeout"] = timeout
        if action.get("order"):
            action["order"] = int(action["order"])
        actions.append({key: value for key, value in action.items() if value not in (None, {})})
    return actions


def _api_conditions(conditions: list[Properties]) -> list[Any]:
    spelled: list[Any] = []
    for condition in conditions:
        for name, entry in condition.items():
            field, config = _CONDITIONS[name]
            spelled.append({"Field": field, config: {"Values": entry["values"]}})
    return spelled


def _conditions_of(found: list[Any]) -> list[Properties]:
    fields = {field: (name, config) for name, (field, config) in _CONDITIONS.items()}
    conditions: list[Properties] = []
    for entry in found:
        name, config = fields[entry["Field"]]
        values = (entry.get(config) or {}).get("Values") or entry.get("Values") or []
        conditions.append({name: {"values": values}})
    return conditions


TYPES = (Listener, ListenerRule, WebAclAssociation)
