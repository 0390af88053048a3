"""A desk at which a test asks a provider what an engine asks it, without an engine.

Owns the order of an engine's calls (check, create in preview, create, diff, read …) through the
engine's own client, and what must hold of every resource whatever its type: after a creation or an
update the same inputs differ in nothing and a refresh finds nothing. What a test does not say of a
resource is thereby asserted all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from local_engine.diff import DiffResult
from local_engine.property_values import UNKNOWN, contains_unknown, strip_secrets
from local_engine.providers_client import ProviderClient
from local_engine.providers_errors import ProviderError
from local_engine.providers_host import _CHANNEL_OPTIONS
from local_engine.resource_state import ResourceState

SEED = bytes(range(32))


class Refused(Exception):  # noqa: N818 (an answer)
    """The provider said no; the message is what it said."""


@dataclass
class Resource:
    """A resource as the state has it."""

    desk: Desk
    state: ResourceState

    @property
    def id(self) -> str:
        return self.state.id

    @property
    def outputs(self) -> dict[str, Any]:
        return strip_secrets(self.state.outputs)

    def __getitem__(self, name: str) -> Any:
        """One output."""
        return self.outputs[name]

    def plan(self, **inputs: Any) -> DiffResult:
        """What a preview says of these inputs."""
        checked = self.desk.check(self.state.urn, self.state.inputs, inputs)
        return self.desk.client.diff(self.state, checked, [], preview=True)

    def replaced_by(self, **inputs: Any) -> set[str]:
        """The inputs among these for whose sake the resource would be replaced."""
        return set(self.plan(**inputs).replace_keys)

    def update(self, **inputs: Any) -> Resource:
        """Change the resource to these inputs, in place."""
        checked = self.desk.check(self.state.urn, self.state.inputs, inputs)
        diff = self.desk.client.diff(self.state, checked, [], preview=False)
        assert diff.changes == "some", "there is nothing to update"
        assert not diff.replace_keys, f"{diff.replace_keys} need a replacement"
        new = self._like(checked, {})
        planned = self.desk.call(self.desk.client.update, self.state, new, [], preview=True)
        applied = self.desk.call(self.desk.client.update, self.state, new, [], preview=False)
        self.desk.assert_foreseen(planned.outputs, applied.outputs)
        self.state = self._like(checked, applied.outputs)
        self.assert_settled()
        return self

    def drift(self) -> dict[str, Any]:
        """What a refresh finds changed: each input or output by name, as it really is."""
        read = self.desk.call(
            self.desk.client.read, self.state, self.state.inputs, self.state.outputs
        )
        if read.outputs is None:
            return {"": "gone"}
        found: dict[str, Any] = {}
        for old, new in (
            (self.state.outputs, read.outputs),
            (self.state.inputs, read.inputs or {}),
        ):
            found |= {
                key: strip_secrets(new.get(key))
                for key in sorted({*old, *new})
                if old.get(key) != new.get(key)
            }
        return found

    def refresh(self) -> Resource:
        """Take what is found for the state."""
        read = self.desk.call(
            self.desk.client.read, self.state, self.state.inputs, self.state.outputs
        )
        self.state = self._like(read.inputs or {}, read.outputs or {})
        return self

    def repair(self, **inputs: Any) -> Resource:
        """Refresh, and bring the resource back to the program's inputs."""
        return self.refresh().update(**inputs)

    def delete(self) -> None:
        """Delete it; afterwards it is gone, and deleting it again is no error."""
        self.desk.call(self.desk.client.delete, self.state)
        assert self.drift() == {"": "gone"}
        self.desk.call(self.desk.client.delete, self.state)

    def assert_settled(self) -> None:
        """The state is what the program and the cloud say: no difference, no drift."""
        assert self.drift() == {}
        again = self.desk.check(self.state.urn, self.state.inputs, self.state.inputs_given)
        diff = self.desk.client.diff(self.state, again, [], preview=True)
        assert diff.changes == "none", diff

    def _like(self, inputs: dict[str, Any], outputs: dict[str, Any] | None) -> Any:
        return GivenState(
            urn=self.state.urn,
            type=self.state.type,
            custom=True,
            id=self.state.id,
            inputs=inputs,
            outputs=outputs or {},
        )


class GivenState(ResourceState):
    """A state that also knows what the program gave, before the provider's check."""

    __slots__ = ()

    @property
    def inputs_given(self) -> dict[str, Any]:
        """The inputs without what a check adds."""
        return {key: value for key, value in self.inputs.items() if key != "tagsAll"}


class Desk:
    """A provider, configured once."""

    def __init__(self, package: str, port: int, **config: Any) -> None:
        """Attach to the provider as the embedded engine does."""
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_CHANNEL_OPTIONS)
        self.client = ProviderClient(package, channel, channel.close)
        urn = f"urn:pulumi:dev::test::pulumi:providers:{package}::p"
        checked, failures = self.client.configuration.check(urn, {}, config)
        if failures:
            raise Refused("; ".join(failure.reason for failure in failures))
        self.client.configuration.configure(urn, "p", checked)

    def check(self, urn: str, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        """Ask whether inputs are right."""
        checked, failures = self.call(self.client.check, urn, olds, news, SEED, preview=False)
        if failures:
            raise Refused("; ".join(failure.reason for failure in failures))
        return checked

    def create(self, token: str, name: str = "it", /, **inputs: Any) -> Resource:
        """Preview and create a resource; it is then settled."""
        return self.make(token, name, inputs)

    def make(self, token: str, name: str, inputs: dict[str, Any]) -> Resource:
        """Create a resource that may have an input called `name`."""
        urn = f"urn:pulumi:dev::test::{token}::{name}"
        # In a preview what comes from other resources is unknown.
        unknown = dict.fromkeys(inputs, UNKNOWN)
        self.call(self.client.check, urn, {}, unknown, SEED, preview=True)
        checked = self.check(urn, {}, inputs)
        state = GivenState(urn=urn, type=token, custom=True, inputs=checked)
        planned = self.call(self.client.create, state, preview=True)
        applied = self.call(self.client.create, state, preview=False)
        self.assert_foreseen(planned.outputs, applied.outputs)
        state.id, state.outputs = applied.id, applied.outputs
        state.init_errors = applied.init_errors
        resource = Resource(self, state)
        resource.assert_settled()
        return resource

    @staticmethod
    def state(urn: str, token: str, inputs: dict[str, Any]) -> GivenState:
        """The state of a resource that is to be created."""
        return GivenState(urn=urn, type=token, custom=True, inputs=inputs)

    def adopt(self, token: str, identity: str) -> Resource:
        """Read a resource that the stack did not make."""
        urn = f"urn:pulumi:dev::test::{token}::adopted"
        state = GivenState(urn=urn, type=token, custom=True, id=identity)
        read = self.call(self.client.read, state, {}, {})
        if read.outputs is None:
            raise Refused(f"{token} {identity} is not there")
        state.inputs, state.outputs = read.inputs or {}, read.outputs
        return Resource(self, state)

    def invoke(self, token: str, **arguments: Any) -> dict[str, Any]:
        """Ask a function."""
        answer, failures = self.call(self.client.invoke, token, arguments, preview=False)
        assert not failures
        return answer

    @staticmethod
    def call(method: Any, *arguments: Any, **options: Any) -> Any:
        """Call the provider; a refusal is one exception whatever the call."""
        try:
            return method(*arguments, **options)
        except ProviderError as error:
            raise Refused(error.message) from None

    @staticmethod
    def assert_foreseen(planned: dict[str, Any], applied: dict[str, Any]) -> None:
        """What a preview claims to know must come true; the cloud may add to it."""
        for key, value in planned.items():
            if key in applied and key != "id":
                assert _within(value, applied[key]), f"{key}: {value}, then {applied[key]}"


def _within(planned: Any, applied: Any) -> bool:
    """Whether all that is planned, as far as it is known, is so."""
    if isinstance(planned, dict) and isinstance(applied, dict):
        return all(_within(value, applied.get(key)) for key, value in planned.items())
    if isinstance(planned, list) and isinstance(applied, list):
        pairs = zip(planned, applied, strict=False)
        return len(planned) == len(applied) and all(_within(*pair) for pair in pairs)
    return contains_unknown(planned) or planned == applied
