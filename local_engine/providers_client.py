"""One provider, spoken to through Pulumi's `ResourceProvider` contract.

Owns the calls, what goes over in which form (secrets, unknowns, references: only what the provider
said it takes), and what comes back: a property that went in secret is secret when it is echoed. It
neither starts providers (`providers_host.py`) nor decides when to call them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from local_engine.diff import DiffResult
from local_engine.events import PropertyDiff
from local_engine.property_values import (
    PropertyMap,
    Secret,
    contains_secret,
    contains_unknown,
    from_struct,
    strip_secrets,
    to_struct,
)
from local_engine.resource_state import ResourceState, urn_name, urn_type

# The generated modules carry no usable types.
_pb: Any = provider_pb2
_grpc: Any = provider_pb2_grpc

_KINDS = ("add", "add-replace", "delete", "delete-replace", "update", "update-replace")
_CHANGES = ("unknown", "none", "some")
_UNKNOWN_CONFIG = (
    "The provider for this resource has inputs that are not known during preview.\n"
    "This preview may not correctly represent the changes that will be applied during an update."
)


class ProviderError(Exception):
    """A provider refused or failed; `reasons` are set where the resource exists all the same."""

    def __init__(self, message: str) -> None:
        """Keep the provider's own words."""
        super().__init__(message)
        self.message = message


class DiffUnavailable(ProviderError):  # noqa: N818  (a finding, named as Pulumi names it)
    """The provider's configuration is not known yet, so it cannot be asked."""


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """One input that the provider does not take."""

    property: str
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What a create, update or read left behind.

    With `init_errors` the resource exists but did not get ready; it is kept and tried again.
    `outputs` of `None` after a read mean that the resource is gone.
    """

    id: str
    outputs: PropertyMap | None
    inputs: PropertyMap | None = None
    init_errors: list[str] = field(default_factory=list[str])
    refresh_before_update: bool = False


class ProviderClient:
    """A configured provider behind a gRPC channel."""

    def __init__(self, package: str, channel: grpc.Channel, close: Callable[[], None]) -> None:
        """Speak to the provider of `package`; `close` ends it."""
        self.package = package
        self.close = close
        self._stub: Any = _grpc.ResourceProviderStub(channel)
        self._takes_secrets = False
        self._takes_references = False
        self._previews = False
        self._handshaken = False
        self._known_config = True

    def handshake(self, request: Any) -> None:
        """Introduce the engine; a provider that knows no handshake answers when configured."""
        try:
            answer = self._stub.Handshake(request)
        except grpc.RpcError as error:
            if _code(error) != grpc.StatusCode.UNIMPLEMENTED:
                raise _failure(error) from None
            return
        self._handshaken = True
        self._takes_secrets = answer.accept_secrets
        self._takes_references = answer.accept_resources
        self._previews = True

    def attach(self, engine_address: str) -> None:
        """Tell a provider that was started by others where the engine listens."""
        plugin_pb2: Any = __import__("pulumi.runtime.proto.plugin_pb2", fromlist=["PluginAttach"])
        try:
            self._stub.Attach(plugin_pb2.PluginAttach(address=engine_address))
        except grpc.RpcError as error:
            if _code(error) != grpc.StatusCode.UNIMPLEMENTED:
                raise _failure(error) from None

    def check_config(
        self, urn: str, old: PropertyMap, new: PropertyMap
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Validate a provider's configuration."""
        request = _pb.CheckRequest(
            urn=urn,
            name=urn_name(urn),
            type=urn_type(urn),
            olds=to_struct(old, keep_secrets=False, keep_resources=False),
            news=to_struct(new, keep_secrets=False, keep_resources=False),
        )
        try:
            answer = self._stub.CheckConfig(request)
        except grpc.RpcError as error:
            if _code(error) == grpc.StatusCode.UNIMPLEMENTED:
                return dict(new), []
            raise _failure(error) from None
        return keep_secret(from_struct(answer.inputs), new), _failures(answer)

    def diff_config(
        self, urn: str, old: ResourceState, old_inputs: PropertyMap, new_inputs: PropertyMap
    ) -> DiffResult:
        """Ask what a change of the configuration means; `unknown` where the provider won't say."""
        request = _pb.DiffRequest(
            urn=urn,
            name=urn_name(urn),
            type=urn_type(urn),
            old_inputs=to_struct(old_inputs, keep_secrets=False, keep_resources=False),
            olds=to_struct(old.outputs, keep_secrets=False, keep_resources=False),
            news=to_struct(new_inputs, keep_secrets=False, keep_resources=False),
        )
        try:
            return _diff_result(self._stub.DiffConfig(request))
        except grpc.RpcError as error:
            if _code(error) == grpc.StatusCode.UNIMPLEMENTED:
                return DiffResult()
            raise _failure(error) from None

    def configure(self, urn: str, identity: str, inputs: PropertyMap) -> None:
        """Configure the provider; with unknown settings (in a preview) it is left alone."""
        if any(contains_unknown(value) for key, value in inputs.items() if key != "version"):
            self._known_config = False
            return
        variables: dict[str, str] = {}
        for key, value in inputs.items():
            if key != "version":
                clear = strip_secrets(value)
                text = clear if isinstance(clear, str) else json.dumps(clear)
                variables[f"{self.package}:config:{key}"] = text
        request = _pb.ConfigureRequest(
            urn=urn,
            name=urn_name(urn),
            type=urn_type(urn),
            id=identity,
            acceptSecrets=True,
            acceptResources=True,
            sends_old_inputs=True,
            sends_old_inputs_to_delete=True,
            variables=variables,
            args=to_struct(inputs),
        )
        try:
            answer = self._stub.Configure(request)
        except grpc.RpcError as error:
            raise ProviderError(_configure_message(error)) from None
        if not self._handshaken:
            self._takes_secrets = answer.acceptSecrets
            self._takes_references = answer.acceptResources
            self._previews = answer.supportsPreview
        self._known_config = True

    def check(
        self, urn: str, old: PropertyMap | None, new: PropertyMap, seed: bytes, *, preview: bool
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Validate inputs and fill in defaults."""
        if not self._known_config:
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
        return self._echo(from_struct(answer.inputs), new), _failures(answer)

    def diff(
        self, old: ResourceState, new_inputs: PropertyMap, ignored: Sequence[str], *, preview: bool
    ) -> DiffResult:
        """Ask what would have to change; `old` gives id, inputs and outputs."""
        if not self._known_config:
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
        return _diff_result(self._call(self._stub.Diff, request))

    def create(self, new: ResourceState, *, preview: bool) -> Applied:
        """Create the resource; in a preview, say what is known of its outputs."""
        if preview and not self._known_config:
            return Applied("", {})
        if preview and not self._previews:
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
        if preview and not self._known_config:
            return Applied(old.id, {})
        if preview and not self._previews:
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
        if not self._known_config:
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
        if not self._known_config:
            return {}, []
        request = _pb.InvokeRequest(
            tok=token, args=self._out(arguments, preview=True), preview=preview
        )
        answer = self._call(self._stub.Invoke, request)
        return from_struct(getattr(answer, "return")), _failures(answer)

    def cancel(self) -> None:
        """Ask the provider to wind up what it is doing; one that cannot be reached is not asked."""
        try:
            self._stub.Cancel(empty_pb2.Empty(), timeout=5)
        except grpc.RpcError:
            return

    def _out(self, properties: PropertyMap, preview: bool) -> struct_pb2.Struct:
        return to_struct(
            properties,
            keep_secrets=self._takes_secrets,
            keep_unknowns=preview,
            keep_resources=self._takes_references,
        )

    def _echo(self, answered: PropertyMap, sent: PropertyMap) -> PropertyMap:
        return answered if self._takes_secrets else keep_secret(answered, sent)

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request)
        except grpc.RpcError as error:
            raise _failure(error) from None

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
        for detail in _details(error):
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
        raise _failure(error) from None


def keep_secret(answered: PropertyMap, sent: PropertyMap) -> PropertyMap:
    """Mark what was sent secret as secret in the answer of a provider that knows no secrets."""
    result = dict(answered)
    for key, value in sent.items():
        if key not in result:
            continue
        answer = result[key]
        if isinstance(answer, dict) and isinstance(value, dict):
            result[key] = keep_secret(cast("PropertyMap", answer), cast("PropertyMap", value))
        elif not isinstance(answer, Secret) and contains_secret(value):
            result[key] = Secret(strip_secrets(answer))
    return result


def _failures(answer: Any) -> list[CheckFailure]:
    return [CheckFailure(failure.property, failure.reason) for failure in answer.failures]


def _diff_result(answer: Any) -> DiffResult:
    detailed = None
    if answer.hasDetailedDiff:
        detailed = {
            path: PropertyDiff(_KINDS[int(part.kind)], part.inputDiff)
            for path, part in sorted(answer.detailedDiff.items())
        }
    changes: Any = _CHANGES[int(answer.changes)]
    return DiffResult(
        changes=changes,
        replace_keys=tuple(answer.replaces),
        changed_keys=tuple(answer.diffs),
        stable_keys=tuple(answer.stables),
        detailed=detailed,
        delete_before_replace=answer.deleteBeforeReplace,
    )


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    return cast("Any", error).code()


def _failure(error: grpc.RpcError) -> ProviderError:
    return ProviderError(cast("Any", error).details() or str(_code(error)))


def _details(error: grpc.RpcError) -> list[Any]:
    # What `grpc_status.rpc_status` does, without another package: the status in full travels as
    # trailing metadata.
    metadata = cast("Any", error).trailing_metadata() or ()
    for key, value in metadata:
        if key == "grpc-status-details-bin":
            status_pb2: Any = __import__("pulumi.runtime.proto.status_pb2", fromlist=["Status"])
            return list(status_pb2.Status.FromString(value).details)
    return []


def _configure_message(error: grpc.RpcError) -> str:
    lines: list[str] = []
    for detail in _details(error):
        if detail.Is(_pb.ConfigureErrorMissingKeys.DESCRIPTOR):
            missing = _pb.ConfigureErrorMissingKeys()
            detail.Unpack(missing)
            lines += [
                f'missing required configuration key "{key.name}": {key.description}\n'
                f"Set a value using the command `pulumi config set {key.name} <value>`."
                for key in missing.missingKeys
            ]
    return "\n".join(lines) or _failure(error).message


def refuse_check(failures: Sequence[CheckFailure], state: ResourceState) -> list[str]:
    """Return one sentence for each refused input, in Pulumi's words and without its value."""
    return [
        f"{state.type} resource '{state.name}': property {failure.property} value "
        f"has a problem: {failure.reason}"
        if failure.property
        else f"{state.type} resource '{state.name}' has a problem: {failure.reason}"
        for failure in failures
    ]
