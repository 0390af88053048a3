"""What the conformance programs declare: a thing of the fake cloud, by two ways.

`Thing` belongs to the package `fake`, whose provider the test attaches with Pulumi's own variable
PULUMI_DEBUG_PROVIDERS. `DynamicThing` is the same thing from a dynamic provider, which runs in the
process that the engine starts for such providers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pulumi
from fake_cloud import EXCLUSIVE, REPLACING, CloudRefusedError, FakeCloud, changed_inputs
from pulumi import dynamic

COMPUTED: dict[str, Any] = {"endpoint": None, "token": None, "revision": None}


class Thing(pulumi.CustomResource):
    """A thing made by the attached provider."""

    endpoint: pulumi.Output[str]
    token: pulumi.Output[str]
    revision: pulumi.Output[int]
    value: pulumi.Output[Any]

    def __init__(
        self,
        name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        type_: str = "fake:index:Thing",
        **inputs: Any,
    ) -> None:
        """Declare a thing; every input is an output too."""
        super().__init__(type_, name, {**COMPUTED, "value": None, **inputs}, opts)


class Group(pulumi.ComponentResource):
    """A component; its children are given by the program."""

    def __init__(
        self,
        name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        type_: str = "fake:index:Group",
    ) -> None:
        """Declare an empty component."""
        super().__init__(type_, name, {}, opts)


class ThingProvider(dynamic.ResourceProvider):
    """The dynamic provider; where its cloud is comes from the environment."""

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.CheckResult:
        """Accept everything except what a test forbids."""
        try:
            _cloud().call("check", news["label"])
        except CloudRefusedError as refusal:
            return dynamic.CheckResult(news, [dynamic.CheckFailure("value", str(refusal))])
        return dynamic.CheckResult(news, [])

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Compare inputs, as the attached provider does."""
        _cloud().call("diff", news["label"], id=id_)
        old_inputs = {key: value for key, value in olds.items() if key not in COMPUTED}
        changed = changed_inputs(old_inputs, news)
        return dynamic.DiffResult(
            changes=bool(changed),
            replaces=[key for key in changed if key in REPLACING],
            delete_before_replace=bool(EXCLUSIVE.intersection(changed)),
        )

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Make the thing."""
        return dynamic.CreateResult(*_cloud().create(props["label"], _plain(props)))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Change the thing."""
        return dynamic.UpdateResult(_cloud().update(news["label"], id_, _plain(news)))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Look at the thing."""
        label = props.get("label", id_.rpartition("-")[0])
        outputs = _cloud().read(label, id_)
        if outputs is None:
            return dynamic.ReadResult("", {})
        inputs = {key: value for key, value in outputs.items() if key not in COMPUTED}
        return dynamic.ReadResult(id_, outputs, inputs)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Remove the thing."""
        _cloud().delete(props["label"], id_)


class DynamicThing(dynamic.Resource, name="Thing"):
    """A thing made by a dynamic provider."""

    endpoint: pulumi.Output[str]
    token: pulumi.Output[str]
    revision: pulumi.Output[int]
    value: pulumi.Output[Any]

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any
    ) -> None:
        """Declare a thing; a dynamic provider is told no name, so the label is one."""
        super().__init__(
            ThingProvider(), name, {**COMPUTED, "value": None, "label": name, **inputs}, opts
        )


def _cloud() -> FakeCloud:
    return FakeCloud(Path(os.environ["FAKE_CLOUD_JOURNAL"]))


def _plain(props: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if not key.startswith("__")}
