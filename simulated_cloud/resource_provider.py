"""Pulumi's `ResourceProvider` protocol over a package of simulated types.

Owns the wire: reading requests, writing answers, and turning refusals into what an engine prints.
An engine opens a connection for every provider resource and says only once, on that connection, how
it is configured; so what a provider is configured to is kept by connection. Both engines speak to
it: Pulumi's CLI and `local_engine`, attached through PULUMI_DEBUG_PROVIDERS.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from simulated_cloud.errors import InputProblem, NotReady, Refusal
from simulated_cloud.package import Package
from simulated_cloud.property_values import (
    Properties,
    clear,
    contains_unknown,
    from_struct,
    to_struct,
)
from simulated_cloud.resource_type import Call, Difference, ResourceType

# The generated modules carry no usable types.
_pb: Any = provider_pb2
_plugin: Any = plugin_pb2
_status: Any = status_pb2
_Base: Any = provider_pb2_grpc.ResourceProviderServicer
_THREADS = 48
_LARGEST_MESSAGE_BYTES = 400 * 1024 * 1024


class SimulatedProvider(_Base):
    """The provider of one package, for as many provider resources as engines configure."""

    def __init__(self, package: Package) -> None:
        """Serve `package`."""
        self._package = package
        self._lock = threading.Lock()
        self._clouds: dict[str, Any] = {}

    # The provider itself ---------------------------------------------------------------------

    def Handshake(self, request: Any, context: Any) -> Any:
        """Say which forms of values are taken."""
        return _pb.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=True, accept_outputs=False
        )

    def Attach(self, request: Any, context: Any) -> Any:
        """Be attached to an engine; nothing here calls back."""
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        """End what is under way: calls here are short."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """Say the version of the SDK this provider answers for."""
        return _plugin.PluginInfo(version=self._package.version)

    def GetSchema(self, request: Any, context: Any) -> Any:
        """Say name and version; the schema itself is the SDK's."""
        schema = {"name": self._package.name, "version": self._package.version}
        return _pb.GetSchemaResponse(schema=json.dumps(schema))

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Judge a provider's configuration."""
        news = from_struct(request.news)
        known = _configuration(news)
        failures = self._package.check_configuration(known)
        return _pb.CheckResponse(inputs=request.news, failures=_failures(failures))

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """Say which changes of a configuration replace what was made under the old one."""
        olds, news = (
            _configuration(from_struct(request.old_inputs)),
            _configuration(from_struct(request.news)),
        )
        changed = sorted(key for key in {*olds, *news} if olds.get(key) != news.get(key))
        return _pb.DiffResponse(
            changes=_pb.DiffResponse.DIFF_SOME if changed else _pb.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=[k for k in changed if k in self._package.replacing_configuration()],
        )

    def Configure(self, request: Any, context: Any) -> Any:
        """Remember how the provider on this connection is configured."""
        with self._refusals(context):
            config = from_struct(request.args)
            cloud = self._package.configure(_configuration(config))
        with self._lock:
            self._clouds[context.peer()] = cloud
        return _pb.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True, acceptOutputs=False
        )

    # Resources -------------------------------------------------------------------------------

    def Check(self, request: Any, context: Any) -> Any:
        """Judge inputs and add what the provider adds."""
        with self._refusals(context):
            type_, call = self._about(request, context)
            inputs, found = type_.check_inputs(
                call, from_struct(request.olds), from_struct(request.news), request.randomSeed
            )
        return _pb.CheckResponse(inputs=to_struct(inputs), failures=_failures(found))

    def Diff(self, request: Any, context: Any) -> Any:
        """Say what would have to change."""
        with self._refusals(context):
            type_, _ = self._about(request, context)
            olds, news = from_struct(request.old_inputs), from_struct(request.news)
            ignored = tuple(request.ignoreChanges)
            found = [d for d in type_.differences(olds, news) if not _ignored(d.path, ignored)]
            replaced = any(difference.replaces for difference in found)
            first = replaced and type_.delete_before_replace(olds, news)
        return _pb.DiffResponse(
            changes=_pb.DiffResponse.DIFF_SOME if found else _pb.DiffResponse.DIFF_NONE,
            diffs=sorted({_top(d.path) for d in found}),
            replaces=sorted({_top(d.path) for d in found if d.replaces}),
            deleteBeforeReplace=first,
            detailedDiff={d.path: _detail(d) for d in found},
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:
        """Make a resource, or say what a preview can know of it."""
        with self._refusals(context):
            type_, call = self._about(request, context)
            inputs = from_struct(request.properties)
            if request.preview:
                type_.rehearse(call, inputs)
                return _pb.CreateResponse(properties=to_struct(type_.planned(inputs)))
            identity = type_.create(call, type_.effective(inputs))
            outputs = self._read(type_, call, identity, inputs, inputs)
        return _pb.CreateResponse(id=identity, properties=to_struct(outputs))

    def Update(self, request: Any, context: Any) -> Any:
        """Change a resource in place, or say what a preview can know of it."""
        with self._refusals(context):
            type_, call = self._about(request, context)
            old_inputs, olds = from_struct(request.old_inputs), from_struct(request.olds)
            inputs = from_struct(request.news)
            if request.preview:
                type_.rehearse(call, inputs)
                planned = type_.planned_update(olds, inputs)
                return _pb.UpdateResponse(properties=to_struct(planned))
            changed = frozenset(_top(d.path) for d in type_.differences(old_inputs, inputs))
            news = type_.effective(inputs)
            type_.update(call, request.id, clear(olds), news, changed)
            outputs = self._read(type_, call, request.id, inputs, {**olds, **inputs})
        return _pb.UpdateResponse(properties=to_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:
        """Look at a resource as it is."""
        with self._refusals(context):
            type_, call = self._about(request, context)
            inputs, olds = from_struct(request.inputs), from_struct(request.properties)
            read = type_.read(call, request.id, clear({**inputs, **olds}))
            if read is None:
                return _pb.ReadResponse()
            inputs = type_.found_inputs(inputs, read)
            outputs = type_.outputs({**_computed(type_, olds, read), **inputs}, read, request.id)
        return _pb.ReadResponse(
            id=request.id, properties=to_struct(outputs), inputs=to_struct(inputs)
        )

    def Delete(self, request: Any, context: Any) -> Any:
        """Remove a resource."""
        with self._refusals(context):
            type_, call = self._about(request, context)
            state = {**from_struct(request.old_inputs), **from_struct(request.properties)}
            type_.delete(call, request.id, type_.effective(state))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        """Answer a question."""
        with self._refusals(context):
            function = self._package.function(request.tok)
            answer = function(self._cloud(context), clear(from_struct(request.args)))
        return _pb.InvokeResponse(**{"return": to_struct(answer)})

    # Parts -----------------------------------------------------------------------------------

    @contextmanager
    def _refusals(self, context: Any) -> Generator[None]:
        try:
            yield
        except NotReady as problem:
            detail = _pb.ErrorResourceInitFailed(
                id=problem.identity, properties=to_struct(problem.outputs), reasons=problem.reasons
            )
            code = grpc.StatusCode.UNKNOWN.value[0]
            status = _status.Status(code=code, message=str(problem))
            status.details.add().Pack(detail)
            trailer = (("grpc-status-details-bin", status.SerializeToString()),)
            context.set_trailing_metadata(trailer)
            context.abort(grpc.StatusCode.UNKNOWN, str(problem))
        except Refusal as refusal:
            context.abort(grpc.StatusCode.UNKNOWN, str(refusal))
        except Exception as error:
            told = self._package.explain(error)
            if told is None:
                raise
            context.abort(grpc.StatusCode.UNKNOWN, told)

    def _about(self, request: Any, context: Any) -> tuple[ResourceType[Any], Call[Any]]:
        names = request.urn.split("::", 3)
        token = request.type or names[2].rpartition("$")[2]
        timeout = float(getattr(request, "timeout", 0.0))
        call = Call(self._cloud(context), request.urn, names[3], timeout)
        return self._package.resource_type(token), call

    def _cloud(self, context: Any) -> Any:
        with self._lock:
            if context.peer() not in self._clouds:
                raise Refusal(f"the provider {self._package.name} was not configured")
            return self._clouds[context.peer()]

    def _read(
        self,
        type_: ResourceType[Any],
        call: Call[Any],
        identity: str,
        inputs: Properties,
        known: Properties,
    ) -> Properties:
        read = type_.read(call, identity, clear(known))
        if read is None:
            raise Refusal(f"{type_.token} {identity} was not there after it had been made")
        return type_.outputs({**_computed(type_, known, read), **inputs}, read, identity)


@contextmanager
def serve(package: Package) -> Generator[int]:
    """Serve a package on a free port of the loopback for as long as the block lasts."""
    options = (
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE_BYTES),
        ("grpc.max_send_message_length", _LARGEST_MESSAGE_BYTES),
        ("grpc.so_reuseport", 0),
    )
    pool = futures.ThreadPoolExecutor(_THREADS, thread_name_prefix=f"provider-{package.name}")
    server = grpc.server(pool, options=options)
    register: Callable[..., None] = provider_pb2_grpc.add_ResourceProviderServicer_to_server
    register(SimulatedProvider(package), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def _configuration(config: Properties) -> Properties:
    """Return known settings; the SDK sends what is no string as JSON."""
    known: Properties = {}
    for key, value in config.items():
        bare = clear(value)
        if contains_unknown(bare):
            continue
        try:
            known[key] = json.loads(bare) if isinstance(bare, str) and bare[:1] in "[{" else bare
        except ValueError:
            known[key] = bare
    return known


def _computed(type_: ResourceType[Any], known: Properties, read: Properties) -> Properties:
    """Return outputs of the state that no API answers and no input says."""
    inputs = type_.schema.inputs
    return {k: v for k, v in known.items() if k not in read and k not in inputs}


def _failures(problems: Any) -> list[Any]:
    found: list[InputProblem] = list(problems)
    return [_pb.CheckFailure(property=item.property, reason=item.reason) for item in found]


def _ignored(path: str, ignored: tuple[str, ...]) -> bool:
    return any(path == name or path.startswith((f"{name}.", f"{name}[")) for name in ignored)


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _detail(difference: Difference) -> Any:
    kind = difference.change.upper() + ("_REPLACE" if difference.replaces else "")
    return _pb.PropertyDiff(kind=_pb.PropertyDiff.Kind.Value(kind), inputDiff=True)
