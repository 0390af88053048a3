"""The same rules as a Pulumi policy pack, for `pulumi preview --policy-pack policies`.

Owns the way from `pulumi_policy`'s resources to our graph. That package is imported when the pack
is made and not before: it asks for older libraries than this project's, so it lives in an
environment of its own (`requirements.txt` beside this file) and is absent everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from policies.engine_documents import environment_of, is_production, opened, without_marks
from policies.resource_graph import UNKNOWN, Resource, ResourceGraph
from policies.rule import Rule
from policies.rules import RULES

PACK = "mlflow-platform"

Inputs = dict[str, Mapping[str, object]]
"""By URN, what the program asks for.

Pulumi shows the whole stack by its outputs, and of a resource whose provider does not know its
address yet (a cluster that does not stand) there are none. The inputs it shows one by one.
"""


def make_pack(rules: Sequence[Rule] = RULES) -> Any:
    """Hand the rules to Pulumi, which asks for each with every resource of the stack."""
    pulumi_policy = import_module("pulumi_policy")
    inputs: Inputs = {}
    return pulumi_policy.PolicyPack(
        name=PACK,
        enforcement_level=pulumi_policy.EnforcementLevel.MANDATORY,
        policies=[
            pulumi_policy.ResourceValidationPolicy(
                name="inputs",
                description="Finds nothing: what is asked for, kept for the rules.",
                validate=remember(inputs),
            ),
            *(
                pulumi_policy.StackValidationPolicy(
                    name=rule.name,
                    description=f"{rule.says} ({rule.subject})",
                    validate=judge(rule, inputs),
                )
                for rule in rules
            ),
        ],
    )


def remember(inputs: Inputs) -> Callable[[Any, Callable[..., None]], None]:
    """What Pulumi calls for one resource, before it is made."""

    def validate(one: Any, report: Callable[..., None]) -> None:
        del report
        inputs[one.urn] = cast("Mapping[str, object]", plain(one.props))

    return validate


def judge(rule: Rule, inputs: Inputs) -> Callable[[Any, Callable[..., None]], None]:
    """What Pulumi calls for one rule."""

    def validate(stack: Any, report: Callable[..., None]) -> None:
        for finding in rule.findings(graph_of_stack(stack.resources, inputs)):
            report(finding.message, finding.urn)

    return validate


def graph_of_stack(resources: Iterable[Any], inputs: Inputs) -> ResourceGraph:
    """The resources of `pulumi_policy` as a graph; the settings are not among what it is told."""
    found = tuple(_resource(resource, inputs) for resource in resources)
    stack = found[0].urn.split("::")[0].rpartition(":")[2] if found else ""
    environment = environment_of(None, stack, found)
    return ResourceGraph(
        stack=stack,
        environment=environment,
        is_production=is_production(environment),
        resources=found,
    )


def _resource(one: Any, inputs: Inputs) -> Resource:
    shown = inputs.get(one.urn) or cast("Mapping[str, object]", plain(one.props))
    return Resource(
        type=one.resource_type,
        urn=one.urn,
        properties=opened(one.resource_type, shown),
        comes_from={
            name: tuple(str(other.urn) for other in others)
            for name, others in one.property_dependencies.items()
        },
        protect=bool(one.opts.protect),
    )


def plain(value: object) -> object:
    """A value as plain data, with UNKNOWN where `pulumi_policy` would stop the rule."""
    if isinstance(value, str | bytes):
        return without_marks(value)
    if isinstance(value, Mapping):
        one = cast("Mapping[str, object]", value)
        return {key: _plain_member(one, key) for key in one}
    if isinstance(value, Sequence):
        several = cast("Sequence[object]", value)
        return [_plain_member(several, position) for position in range(len(several))]
    return value


def _plain_member(holder: Any, key: object) -> object:
    try:
        return plain(holder[key])
    except Exception as error:
        if type(error).__name__ != "UnknownValueError":
            raise
        return UNKNOWN
