"""The provider of package `fake`, attached to an engine from the test's own process.

Owns Pulumi's `ResourceProvider` protocol over a `FakeCloud`: one gRPC server per stack, found by
the engine through PULUMI_DEBUG_PROVIDERS, so that no process is started and every call is seen. It
accepts secrets and previews, and answers differences in detail; the dynamic provider of
`program_library/things.py` does neither, which is why the suite has both.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from tests.local_engine.conformance.fake_cloud import (
    EXCLUSIVE,
    REPLACING,
    CloudRefusedError,
    FakeCloud,
    Properties,
    changed_inputs,
)

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

COMPUTED = ("endpoint", "token", "revision")
OPAQUE_TYPE = "fake:index:Opaque"
"""A type whose provider cannot tell what changed."""


class FakeProvider(provider_pb2_grpc.ResourceProviderServicer):
    """The protocol's half; the cloud's half is `FakeCloud`."""

    def __init__(self, cloud: FakeCloud) -> None:
        """Serve this cloud."""
        self._cloud = cloud

    def Handshake(self, request, context):
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def Attach(self, request, context):
        return empty_pb2.Empty()

    def Cancel(self, request, context):
        return empty_pb2.Empty()

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")

    def GetSchema(self, request, context):
        return provider_pb2.GetSchemaResponse(schema='{"name": "fake", "version": "1.0.0"}')

    def CheckConfig(self, request, context):
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context):
        changed = changed_inputs(_plain(request.old_inputs), _plain(request.news))
        return provider_pb2.DiffResponse(
            changes=_some(bool(changed)), replaces=[key for key in changed if key == "account"]
        )

    def Configure(self, request, context):
        self._cloud.call("configure", "", config=_plain(request.args))
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )

    def Check(self, request, context):
        news = _plain(request.news)
        try:
            self._cloud.call("check", _name(request.urn), inputs=news, olds=_plain(request.olds))
        except CloudRefusedError as refusal:
            failure = provider_pb2.CheckFailure(property="value", reason=str(refusal))
            return provider_pb2.CheckResponse(inputs=request.news, failures=[failure])
        return provider_pb2.CheckResponse(inputs=_wire({"region": "here", **news}))

    def Diff(self, request, context):
        name, olds, news = _name(request.urn), _plain(request.old_inputs), _plain(request.news)
        with _refusals(context):
            self._cloud.call("diff", name, id=request.id, olds=olds, news=news)
        if request.urn.rpartition("::")[0].endswith(OPAQUE_TYPE):
            return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_UNKNOWN)
        changed = changed_inputs(olds, news)
        replaces = [key for key in changed if key in REPLACING]
        return provider_pb2.DiffResponse(
            changes=_some(bool(changed)),
            diffs=changed,
            replaces=replaces,
            deleteBeforeReplace=bool(EXCLUSIVE.intersection(changed)),
            detailedDiff={
                key: provider_pb2.PropertyDiff(kind=_kind(key, olds, news), inputDiff=True)
                for key in changed
            },
            hasDetailedDiff=True,
        )

    def Create(self, request, context):
        name, inputs = _name(request.urn), _plain(request.properties)
        if request.preview:
            self._cloud.call("create in preview", name, inputs=inputs)
            return provider_pb2.CreateResponse(properties=request.properties)
        with _refusals(context):
            id_, outputs = self._cloud.create(name, inputs, **_timeout(request))
        self._refuse_if_unready(context, name, id_, inputs, outputs)
        return provider_pb2.CreateResponse(id=id_, properties=_wire(outputs))

    def Update(self, request, context):
        name, inputs = _name(request.urn), _plain(request.news)
        if request.preview:
            self._cloud.call("update in preview", name, inputs=inputs)
            stable = {k: v for k, v in _plain(request.olds).items() if k in COMPUTED}
            planned = {**stable, "revision": "<unknown>", **inputs}
            return provider_pb2.UpdateResponse(properties=_wire(planned))
        with _refusals(context):
            outputs = self._cloud.update(name, request.id, inputs, **_timeout(request))
        self._refuse_if_unready(context, name, request.id, inputs, outputs)
        return provider_pb2.UpdateResponse(properties=_wire(outputs))

    def Delete(self, request, context):
        with _refusals(context):
            self._cloud.delete(_name(request.urn), request.id, **_timeout(request))
        return empty_pb2.Empty()

    def Read(self, request, context):
        with _refusals(context):
            outputs = self._cloud.read(_name(request.urn), request.id)
        if outputs is None:
            return provider_pb2.ReadResponse()
        inputs = {key: value for key, value in outputs.items() if key not in COMPUTED}
        return provider_pb2.ReadResponse(
            id=request.id, properties=_wire(outputs), inputs=_wire(inputs)
        )

    def _refuse_if_unready(
        self,
        context: grpc.ServicerContext,
        name: str,
        id_: str,
        inputs: Properties,
        outputs: Properties,
    ) -> None:
        """Say, as Kubernetes does, that the thing was made and is not ready."""
        reason = self._cloud.fault("become ready", name)
        if reason:
            detail = provider_pb2.ErrorResourceInitFailed(
                id=id_, properties=_wire(outputs), reasons=[reason], inputs=_wire(inputs)
            )
            status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message="not ready")
            status.details.add().Pack(detail)
            context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),)
            )
            context.abort(grpc.StatusCode.UNKNOWN, "not ready")

    def Invoke(self, request, context):
        arguments = _plain(request.args)
        with _refusals(context):
            self._cloud.call("invoke", request.tok, arguments=arguments)
        return provider_pb2.InvokeResponse(**{"return": _wire({"answer": arguments})})


@contextmanager
def serve(cloud: FakeCloud) -> Iterator[int]:
    """Serve the provider on a free port of the loopback for as long as the block lasts."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(FakeProvider(cloud), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextmanager
def _refusals(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except CloudRefusedError as refusal:
        context.abort(grpc.StatusCode.UNKNOWN, str(refusal))


def _timeout(request: Any) -> dict[str, float]:
    return {"timeout": request.timeout} if request.timeout else {}


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _some(changed: bool) -> provider_pb2.DiffResponse.DiffChanges.ValueType:
    return provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE


def _kind(key: str, olds: Properties, news: Properties) -> Any:
    kind = "ADD" if key not in olds else "DELETE" if key not in news else "UPDATE"
    return provider_pb2.PropertyDiff.Kind.Value(kind + ("_REPLACE" if key in REPLACING else ""))


def _plain(struct: struct_pb2.Struct) -> Properties:
    """Return properties as the journal shows them: secrets and unknowns marked, integers whole."""
    return {key: _plain_value(value) for key, value in json_format.MessageToDict(struct).items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, dict):
        match value.get(SIGNATURE):
            case "1b47061264138c4ac30d75fd1eb44270":
                return {"secret": _plain_value(value["value"])}
            case "5cf8f73096256a8f31e491e813e4eb8e":
                return {"resource": value["urn"], "id": value.get("id")}
            case _:
                return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain_value(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "<unknown>" if value == UNKNOWN else value


def _wire(properties: Properties) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    json_format.ParseDict({key: _wire_value(item) for key, item in properties.items()}, struct)
    return struct


def _wire_value(value: Any) -> Any:
    if isinstance(value, dict):
        if "secret" in value:
            return {SIGNATURE: SECRET, "value": _wire_value(value["secret"])}
        if "resource" in value:
            return {SIGNATURE: RESOURCE, "urn": value["resource"], "id": value["id"]}
        return {key: _wire_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_wire_value(item) for item in value]
    return UNKNOWN if value == "<unknown>" else value
