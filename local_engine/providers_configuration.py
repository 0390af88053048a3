"""How a provider is introduced and configured, before it is asked about resources.

Owns the handshake, the check and the comparison of a provider's configuration, configuring it, and
what the provider said of itself meanwhile: which forms of values it takes, whether it previews.
Calls about resources are in `providers_client.py`; which provider gets which configuration is
`providers_registry.py`'s.
"""

from __future__ import annotations

import json
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2

from local_engine.diff import DiffResult
from local_engine.property_values import (
    PropertyMap,
    contains_unknown,
    from_struct,
    strip_secrets,
    to_struct,
)
from local_engine.providers_answers import CheckFailure, check_failures, diff_result, keep_secret
from local_engine.providers_errors import ProviderError, configure_message, failure, status_code
from local_engine.resource_state import ResourceState, urn_name, urn_type

# The generated modules carry no usable types.
_pb: Any = provider_pb2


class ProviderConfiguration:
    """The configuration of one provider, and what it takes once it is configured."""

    def __init__(self, package: str, stub: Any) -> None:
        """Configure the provider of `package` behind `stub`."""
        self._package = package
        self._stub = stub
        self.takes_secrets = False
        self.takes_references = False
        self.previews = False
        # Whether it could be configured: in a preview, its settings may not be known yet.
        self.known = True
        self._handshaken = False

    def handshake(self, request: Any) -> None:
        """Introduce the engine; a provider that knows no handshake answers when configured."""
        try:
            answer = self._stub.Handshake(request)
        except grpc.RpcError as error:
            if status_code(error) != grpc.StatusCode.UNIMPLEMENTED:
                raise failure(error) from None
            return
        self._handshaken = True
        self.takes_secrets = answer.accept_secrets
        self.takes_references = answer.accept_resources
        self.previews = True

    def attach(self, engine_address: str) -> None:
        """Tell a provider that was started by others where the engine listens."""
        plugin_pb2: Any = __import__("pulumi.runtime.proto.plugin_pb2", fromlist=["PluginAttach"])
        try:
            self._stub.Attach(plugin_pb2.PluginAttach(address=engine_address))
        except grpc.RpcError as error:
            if status_code(error) != grpc.StatusCode.UNIMPLEMENTED:
                raise failure(error) from None

    def check(
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
            if status_code(error) == grpc.StatusCode.UNIMPLEMENTED:
                return dict(new), []
            raise failure(error) from None
        return keep_secret(from_struct(answer.inputs), new), check_failures(answer)

    def diff(
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
            return diff_result(self._stub.DiffConfig(request))
        except grpc.RpcError as error:
            if status_code(error) == grpc.StatusCode.UNIMPLEMENTED:
                return DiffResult()
            raise failure(error) from None

    def configure(self, urn: str, identity: str, inputs: PropertyMap) -> None:
        """Configure the provider; with unknown settings (in a preview) it is left alone."""
        if any(contains_unknown(value) for key, value in inputs.items() if key != "version"):
            self.known = False
            return
        variables: dict[str, str] = {}
        for key, value in inputs.items():
            if key != "version":
                clear = strip_secrets(value)
                text = clear if isinstance(clear, str) else json.dumps(clear)
                variables[f"{self._package}:config:{key}"] = text
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
            raise ProviderError(configure_message(error)) from None
        if not self._handshaken:
            self.takes_secrets = answer.acceptSecrets
            self.takes_references = answer.acceptResources
            self.previews = answer.supportsPreview
        self.known = True
