"""How a security group's rule is spelled: by the program, by EC2, and what is no rule at all.

Owns the translation of a rule between the SDK's two spellings (inside a group, as a resource of its
own) and EC2's, and its check. It calls nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

from simulated_cloud.errors import InputProblem
from simulated_cloud.property_values import Properties

_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_PROTOCOLS = frozenset({"tcp", "udp", "icmp", "icmpv6", "-1", "all"})


def check_rule(rule: Properties, path: str, protocol: str) -> Iterator[InputProblem]:
    """Yield what EC2 would not take for a rule."""
    prefix = f"{path}." if path else ""
    if protocol and protocol not in _PROTOCOLS and not protocol.isdigit():
        yield InputProblem(
            f"{prefix}protocol",
            f'InvalidParameterValue: Invalid value "{protocol}" for IP protocol. Unknown protocol.',
        )
    start, end = rule.get("fromPort"), rule.get("toPort")
    if start is not None and end is not None and protocol in ("tcp", "udp"):
        if not (0 <= start <= 65535 and 0 <= end <= 65535):
            yield InputProblem(
                f"{prefix}fromPort", f"InvalidParameterValue: Invalid port range [{start}-{end}]"
            )
        elif start > end:
            yield InputProblem(
                f"{prefix}fromPort",
                f"InvalidParameterValue: Invalid TCP/UDP port range ({start}:{end})",
            )
    if protocol in ("tcp", "udp") and (start is None or end is None):
        yield InputProblem(
            f"{prefix}fromPort",
            f"MissingParameter: {protocol} needs both from_port and to_port",
        )
    for cidr in rule.get("cidrBlocks") or []:
        try:
            ipaddress.IPv4Network(cidr)
        except ValueError:
            yield InputProblem(
                f"{prefix}cidr",
                f"InvalidParameterValue: CIDR block {cidr} is malformed",
            )
    if not _DESCRIPTION.fullmatch(rule.get("description") or ""):
        yield InputProblem(
            f"{prefix}description",
            "InvalidParameterValue: Invalid rule description. Valid descriptions are strings less "
            "than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        )


def api_rule(inputs: Properties) -> dict[str, Any]:
    """Return a rule that is a resource of its own as EC2 takes it."""
    described = {"Description": inputs["description"]} if inputs.get("description") else {}
    rule: dict[str, Any] = {"IpProtocol": inputs["ipProtocol"]}
    if inputs.get("fromPort") is not None:
        rule |= {"FromPort": inputs["fromPort"], "ToPort": inputs["toPort"]}
    if inputs.get("cidrIpv4"):
        rule["IpRanges"] = [{"CidrIp": inputs["cidrIpv4"], **described}]
    if inputs.get("cidrIpv6"):
        rule["Ipv6Ranges"] = [{"CidrIpv6": inputs["cidrIpv6"], **described}]
    if inputs.get("referencedSecurityGroupId"):
        group = inputs["referencedSecurityGroupId"].rpartition("/")[2]
        rule["UserIdGroupPairs"] = [{"GroupId": group, **described}]
    if inputs.get("prefixListId"):
        rule["PrefixListIds"] = [{"PrefixListId": inputs["prefixListId"], **described}]
        rule.setdefault("IpRanges", [])
    return rule


def rule_inputs(rule: Any) -> Properties:
    """Return a rule as EC2 tells it in the words of a resource of its own."""
    every = rule["IpProtocol"] == "-1"
    return {
        "securityGroupId": rule["GroupId"],
        "ipProtocol": rule["IpProtocol"],
        "fromPort": None if every else rule.get("FromPort"),
        "toPort": None if every else rule.get("ToPort"),
        "cidrIpv4": rule.get("CidrIpv4") or None,
        "cidrIpv6": rule.get("CidrIpv6") or None,
        "prefixListId": rule.get("PrefixListId") or None,
        "referencedSecurityGroupId": (rule.get("ReferencedGroupInfo") or {}).get("GroupId"),
    }


def api_rules(rules: Iterable[Properties], group: str) -> list[dict[str, Any]]:
    """Return rules that stand inside a group as EC2 takes them."""
    spelled: list[dict[str, Any]] = []
    for rule in rules:
        described = {"Description": rule["description"]} if rule.get("description") else {}
        pairs = [*(rule.get("securityGroups") or []), *([group] if rule.get("self") else [])]
        protocol = str(rule["protocol"]).replace("all", "-1")
        ports = {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}
        spelled.append(
            {
                "IpProtocol": protocol,
                **({} if protocol == "-1" else ports),
                "IpRanges": [{"CidrIp": c, **described} for c in rule.get("cidrBlocks") or []],
                "Ipv6Ranges": [
                    {"CidrIpv6": c, **described} for c in rule.get("ipv6CidrBlocks") or []
                ],
                "UserIdGroupPairs": [{"GroupId": pair, **described} for pair in pairs],
            }
        )
    return spelled


def rules_of(rules: Any, group: str) -> list[Properties]:
    """Return EC2's rules as rules in a group are written, one for each ports and description."""
    found: dict[tuple[str, int, int, str], Properties] = {}
    for told in rules:
        protocol, described = told["IpProtocol"], told.get("Description") or ""
        start, end = max(told.get("FromPort") or 0, 0), max(told.get("ToPort") or 0, 0)
        rule = found.setdefault(
            (protocol, start, end, described),
            {"protocol": protocol, "fromPort": start, "toPort": end}
            | ({"description": described} if described else {}),
        )
        other = (told.get("ReferencedGroupInfo") or {}).get("GroupId")
        sources = {
            "cidrBlocks": told.get("CidrIpv4"),
            "ipv6CidrBlocks": told.get("CidrIpv6"),
            "prefixListIds": told.get("PrefixListId"),
            "securityGroups": other if other != group else None,
        }
        if other == group:
            rule["self"] = True
        for kind, source in sources.items():
            if source:
                rule.setdefault(kind, []).append(source)
    return [found[key] for key in sorted(found)]
