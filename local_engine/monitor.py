"""The service that a Pulumi program talks to: Pulumi's `ResourceMonitor`, over gRPC on loopback.

Owns the translation between the SDK's requests and the deployment: a registration is answered
when its steps have run, so whatever depends on it waits in the program itself. It keeps no state of
its own beyond parents' options. What is done about a request is in `deployment_registrar.py`, what
this engine does not serve in `monitor_refusals.py`.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from local_engine.deployment_context import StepFailed
from local_engine.deployment_registrar import Registrar
from local_engine.errors import EngineError
from local_engine.goal import Goal, goal_from, source_position
from local_engine.monitor_refusals import REFUSED_FEATURES, RefusedCalls, shut_down
from local_engine.property_values import contains_unknown, from_struct, to_struct
from local_engine.providers_errors import ProviderError
from local_engine.providers_registry import ProviderRequest
from local_engine.resource_state import PROVIDER_TYPE_PREFIX, ResourceState, urn_type

# The generated modules carry no usable types.
_pb: Any = resource_pb2
_grpc: Any = resource_pb2_grpc
_engine_grpc: Any = engine_pb2_grpc

_SERVED_FEATURES = {
    "secrets": "SECRETS",
    "resourceReferences": "RESOURCE_REFERENCES",
    "outputValues": "OUTPUT_VALUES",
    "aliasSpecs": "ALIAS_SPECS",
    "replacementTrigger": "REPLACEMENT_TRIGGER",
    "deletedWith": "DELETED_WITH",
    "replaceWith": "REPLACE_WITH",
}
_FEATURES = {**_SERVED_FEATURES, **REFUSED_FEATURES}


class ResourceMonitor(RefusedCalls):
    """Serves one deployment."""

    def __init__(self, registrar: Registrar, info: Any, project_root: Path) -> None:
        """`info` answers `GetDeploymentInfo`, features apart."""
        super().__init__(registrar)
        self._registrar = registrar
        self._info = info
        info.supportedFeatures.extend(
            _pb.ResourceMonitorFeature.Value(f"RESOURCE_MONITOR_FEATURE_{name}")
            for name in _FEATURES.values()
        )
        self._root = project_root
        self._lock = threading.Lock()
        self._goals: dict[str, Goal] = {}
        self._component_providers: dict[str, dict[str, str]] = {}

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Say what is deployed and what this engine can do."""
        return self._info

    def SupportsFeature(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Say whether one feature is there; older SDKs ask one by one."""
        return _pb.SupportsFeatureResponse(hasSupport=request.id in _FEATURES)

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Bring one resource about."""
        try:
            with self._lock:
                parent = self._goals.get(request.parent)
            goal = goal_from(request, parent, self._root)
            providers = self._providers_of(request)
            if goal.custom:
                goal.provider = self._provider_for(goal, request, parent, providers)
            else:
                goal.provider = ""
            state = self._registrar.register(goal)
        except (EngineError, ProviderError) as error:
            self._registrar.refuse(getattr(error, "urn", ""), error.message)
            return shut_down(context)
        except StepFailed:
            return shut_down(context)
        with self._lock:
            self._goals[state.urn] = goal
            if not goal.custom:
                self._component_providers[state.urn] = providers
        outputs = state.outputs if goal.custom else {}
        if not request.supportsPartialValues:
            outputs = {k: v for k, v in outputs.items() if not contains_unknown(v)}
        return _pb.RegisterResourceResponse(
            urn=state.urn,
            id=state.id,
            object=to_struct(
                outputs,
                keep_secrets=request.acceptSecrets,
                keep_resources=request.acceptResources,
            ),
        )

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take the outputs of a component or of the stack."""
        try:
            self._registrar.register_outputs(request.urn, from_struct(request.outputs))
        except (EngineError, ProviderError) as error:
            self._registrar.refuse(request.urn, error.message)
            return shut_down(context)
        except StepFailed:
            return shut_down(context)
        return empty_pb2.Empty()

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Look at a resource that is not ours."""
        try:
            provider = request.provider
            if not provider:
                provider = self._registrar.default_provider(
                    ProviderRequest(
                        request.type.partition(":")[0], request.version, request.pluginDownloadURL
                    )
                )
            state = self._registrar.read(
                ResourceState(
                    urn="",
                    type=request.type,
                    custom=True,
                    external=True,
                    id=request.id,
                    inputs=from_struct(request.properties),
                    parent=request.parent,
                    dependencies=list(dict.fromkeys(request.dependencies)),
                    provider=provider,
                    additional_secret_outputs=list(request.additionalSecretOutputs),
                    source_position=source_position(request, self._root),
                ),
                request.name,
            )
        except (EngineError, ProviderError) as error:
            self._registrar.refuse(getattr(error, "urn", ""), error.message)
            return shut_down(context)
        except StepFailed:
            return shut_down(context)
        return _pb.ReadResourceResponse(
            urn=state.urn,
            properties=to_struct(
                state.outputs,
                keep_secrets=request.acceptSecrets,
                keep_resources=request.acceptResources,
            ),
        )

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Call a function; an error goes back to the program, which may catch it."""
        try:
            provider = request.provider
            package = request.tok.partition(":")[0]
            if not provider and package != "pulumi":
                provider = self._registrar.default_provider(
                    ProviderRequest(package, request.version, request.pluginDownloadURL)
                )
            result, failures = self._registrar.invoke(
                request.tok, from_struct(request.args), provider
            )
        except (EngineError, ProviderError) as error:
            context.set_code(grpc.StatusCode.UNKNOWN)
            context.set_details(f"invocation of {request.tok} returned an error: {error.message}")
            return _pb.ResourceInvokeResponse()
        except StepFailed:
            return shut_down(context)
        keep_resources = request.acceptResources or request.tok == "pulumi:pulumi:getResource"
        answer = _pb.ResourceInvokeResponse(
            **{"return": to_struct(result, keep_resources=keep_resources)}
        )
        for failure in failures:
            answer.failures.add(property=failure.property, reason=failure.reason)
        return answer

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Let the program end: nothing here calls back into it."""
        return empty_pb2.Empty()

    def _provider_for(
        self, goal: Goal, request: Any, parent: Goal | None, providers: dict[str, str]
    ) -> str:
        if goal.type.startswith(PROVIDER_TYPE_PREFIX):
            if request.version:
                goal.properties = {"__internal": {}, **goal.properties, "version": request.version}
            return ""
        if goal.provider:
            return goal.provider
        if goal.package in providers:
            return providers[goal.package]
        if parent is not None and parent.provider:
            urn = parent.provider.rpartition("::")[0]
            if urn_type(urn) == PROVIDER_TYPE_PREFIX + goal.package:
                return parent.provider
        return self._registrar.default_provider(
            ProviderRequest(goal.package, request.version, request.pluginDownloadURL)
        )

    def _providers_of(self, request: Any) -> dict[str, str]:
        with self._lock:
            return {**self._component_providers.get(request.parent, {}), **request.providers}


def serve(monitor: ResourceMonitor | None, engine: Any, parallel: int) -> tuple[grpc.Server, str]:
    """Start the services on a loopback port; returns the server and its address."""
    # Every registration under way holds a thread; the SDK keeps four times `parallel` of them.
    pool = ThreadPoolExecutor(max_workers=parallel * 4 + 16, thread_name_prefix="engine-service")
    options = (
        ("grpc.max_receive_message_length", 400 * 1024 * 1024),
        ("grpc.max_send_message_length", 400 * 1024 * 1024),
        ("grpc.so_reuseport", 0),
    )
    server = grpc.server(pool, options=options)
    if monitor is not None:
        _grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    _engine_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"
