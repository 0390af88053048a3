"""One provider, asked about resources through Pulumi's `ResourceProvider` contract.

Owns the calls, what goes over in which form (secrets, unknowns, references: only what the provider
said it takes), and what comes back: a property that went in secret is secret when it is echoed. It
neither starts providers (`providers_host.py`) nor configures them (`providers_configuration.py`)
nor decides when to call them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local_engine.diff import DiffResult
from local_engine.property_values import PropertyMap, from_struct, to_struct
from local_engine.providers_answers import (
    Applied,
    CheckFailure,
    check_failures,
    diff_result,
    keep_secret,
)
from local_engine.providers_configuration import ProviderConfiguration
from local_engine.providers_errors import (
    DiffUnavailable,
    ProviderError,
    failure,
    status_details,
)
from local_engine.resource_state import ResourceState, urn_name, urn_type

# The generated modules carry no usable types.
_pb: Any = provider_pb2
_grpc: Any = provider_pb2_grpc

_UNKNOWN_CONFIG = (
    "The provider for this resource has inputs that are not known during preview.\n"
    "This preview may not correctly represent the changes that will be applied during an update."
)


class ProviderClient:
    """A provider behind a gRPC channel."""

    def __init__(self, package: str, channel: grpc.Channel, close: Callable[[], None]) -> None:
        """Speak to the provider of `package`; `close` ends it."""
        self.package = package
        self.close = close
        self._stub: Any = _grpc.ResourceProviderStub(channel)
        self.configuration = ProviderConfiguration(package, self._stub)

    def check(
        self, urn: str, old: PropertyMap | None, new: PropertyMap, seed: bytes, *, preview: bool
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Validate inputs and fill in defaults."""
        if not self.configuration.known:
            return new, []
        request = _pb.CheckRequest(
            urn=urn,
            name=urn_name(urn),
            type=urn_type(urn),
            olds=self._out(old or {}, preview),
            news=self._out(new, preview),
            randomSeed=seed,
        )
        answer = self._call(self._stub.Check, request)
        return self._echo(from_struct(answer.inputs), new), check_failures(answer)

    def diff(
        self, old: ResourceState, new_inputs: PropertyMap, ignored: Sequence[str], *, preview: bool
    ) -> DiffResult:
        """Ask what would have to change; `old` gives id, inputs and outputs."""
        if not self.configuration.known:
            raise DiffUnavailable(_UNKNOWN_CONFIG)
        request = _pb.DiffRequest(
            id=old.id,
            urn=old.urn,
            name=old.name,
            type=urn_type(old.urn),
            old_inputs=self._out(old.inputs, preview),
            olds=self._out(old.outputs, preview),
            news=self._out(new_inputs, preview),
            ignoreChanges=ignored,
        )
        return diff_result(self._call(self._stub.Diff, request))

    def create(self, new: ResourceState, *, preview: bool) -> Applied:
        """Create the resource; in a preview, say what is known of its outputs."""
        if preview and not self.configuration.known:
            return Applied("", {})
        if preview and not self.configuration.previews:
            return Applied("", dict(new.inputs))
        request = _pb.CreateRequest(
            urn=new.urn,
            name=new.name,
            type=urn_type(new.urn),
            properties=self._out(new.inputs, preview),
            timeout=new.custom_timeouts.get("create", 0.0),
            preview=preview,
        )
        applied = self._apply(self._stub.Create, request, new.inputs)
        if not applied.id and not preview:
            raise ProviderError(f"plugin returned empty resource.ID from create '{new.urn}'")
        return applied

    def update(
        self, old: ResourceState, new: ResourceState, ignored: Sequence[str], *, preview: bool
    ) -> Applied:
        """Change the resource in place."""
        if preview and not self.configuration.known:
            return Applied(old.id, {})
        if preview and not self.configuration.previews:
            return Applied(old.id, dict(new.inputs))
        request = _pb.UpdateRequest(
            id=old.id,
            urn=new.urn,
            name=new.name,
            type=urn_type(new.urn),
            old_inputs=self._out(old.inputs, preview),
            olds=self._out(old.outputs, preview),
            news=self._out(new.inputs, preview),
            timeout=new.custom_timeouts.get("update", 0.0),
            ignoreChanges=ignored,
            preview=preview,
        )
        return self._apply(self._stub.Update, request, new.inputs)

    def read(self, state: ResourceState, inputs: PropertyMap, outputs: PropertyMap) -> Applied:
        """Look at the resource as it is."""
        if not self.configuration.known:
            return Applied("", {}, {})
        request = _pb.ReadRequest(
            id=state.id,
            urn=state.urn,
            name=state.name,
            type=urn_type(state.urn),
            inputs=self._out(inputs, preview=False),
            properties=self._out(outputs, preview=False),
            timeout=state.custom_timeouts.get("read", 0.0),
        )
        try:
            answer = self._stub.Read(request)
        except grpc.RpcError as error:
            applied = self._half_made(error, outputs)
            return Applied(
                applied.id,
                applied.outputs,
                self._echo(applied.inputs, inputs) if applied.inputs is not None else None,
                applied.init_errors,
            )
        return Applied(
            answer.id,
            self._echo(from_struct(answer.properties), outputs)
            if answer.HasField("properties")
            else None,
            self._echo(from_struct(answer.inputs), inputs) if answer.HasField("inputs") else None,
            refresh_before_update=answer.refresh_before_update,
        )

    def delete(self, old: ResourceState) -> None:
        """Delete the resource."""
        request = _pb.DeleteRequest(
            id=old.id,
            urn=old.urn,
            name=old.name,
            type=urn_type(old.urn),
            properties=self._out(old.outputs, preview=False),
            old_inputs=self._out(old.inputs, preview=False),
            timeout=old.custom_timeouts.get("delete", 0.0),
        )
        self._call(self._stub.Delete, request)

    def invoke(
        self, token: str, arguments: PropertyMap, *, preview: bool
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Call a function of the provider."""
        if not self.configuration.known:
            return {}, []
        request = _pb.InvokeRequest(
            tok=token, args=self._out(arguments, preview=True), preview=preview
        )
        answer = self._call(self._stub.Invoke, request)
        return from_struct(getattr(answer, "return")), check_failures(answer)

    def cancel(self) -> None:
        """Ask the provider to wind up what it is doing; one that cannot be reached is not asked."""
        try:
            self._stub.Cancel(empty_pb2.Empty(), timeout=5)
        except grpc.RpcError:
            return

    def _out(self, properties: PropertyMap, preview: bool) -> struct_pb2.Struct:
        return to_struct(
            properties,
            keep_secrets=self.configuration.takes_secrets,
            keep_unknowns=preview,
            keep_resources=self.configuration.takes_references,
        )

    def _echo(self, answered: PropertyMap, sent: PropertyMap) -> PropertyMap:
        return answered if self.configuration.takes_secrets else keep_secret(answered, sent)

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            raise failure(error) from None

    def _apply(self, method: Any, request: Any, sent: PropertyMap) -> Applied:
        try:
            answer = method(request)
        except grpc.RpcError as error:
            return self._half_made(error, sent)
        return Applied(
            getattr(answer, "id", ""),
            self._echo(from_struct(answer.properties), sent),
            refresh_before_update=answer.refresh_before_update,
        )

    def _half_made(self, error: grpc.RpcError, sent: PropertyMap) -> Applied:
        for detail in status_details(error):
            if detail.Is(_pb.ErrorResourceInitFailed.DESCRIPTOR):
                failed = _pb.ErrorResourceInitFailed()
                detail.Unpack(failed)
                return Applied(
                    failed.id,
                    self._echo(from_struct(failed.properties), sent),
                    from_struct(failed.inputs) if failed.HasField("inputs") else None,
                    init_errors=list(failed.reasons) or ["the provider gave no reason"],
                    refresh_before_update=failed.refresh_before_update,
                )
        raise failure(error) from None
