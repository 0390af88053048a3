"""What a provider's failed call means, out of the gRPC status that carries it.

Owns the exceptions that the rest of the engine knows and the one place where those of gRPC are
turned into them. A provider's words are kept as they are. What a failed call left behind (a
resource that exists but did not get ready) is read in `providers_client.py`.
"""

from __future__ import annotations

from typing import Any, cast

import grpc
from pulumi.runtime.proto import provider_pb2

# The generated modules carry no usable types.
_pb: Any = provider_pb2


class ProviderError(Exception):
    """A provider refused or failed."""

    def __init__(self, message: str) -> None:
        """Keep the provider's own words."""
        super().__init__(message)
        self.message = message


class DiffUnavailable(ProviderError):  # noqa: N818  (a finding, named as Pulumi names it)
    """The provider's configuration is not known yet, so it cannot be asked."""


def status_code(error: grpc.RpcError) -> grpc.StatusCode:
    """Return the status of a failed call."""
    return cast("Any", error).code()


def failure(error: grpc.RpcError) -> ProviderError:
    """Return the exception for a failed call, to be raised in its place."""
    return ProviderError(cast("Any", error).details() or str(status_code(error)))


def status_details(error: grpc.RpcError) -> list[Any]:
    """Return the messages that a provider packed into the status of a failed call."""
    # What `grpc_status.rpc_status` does, without another package: the status in full travels as
    # trailing metadata.
    metadata = cast("Any", error).trailing_metadata() or ()
    for key, value in metadata:
        if key == "grpc-status-details-bin":
            status_pb2: Any = __import__("pulumi.runtime.proto.status_pb2", fromlist=["Status"])
            return list(status_pb2.Status.FromString(value).details)
    return []


def configure_message(error: grpc.RpcError) -> str:
    """Say why a configuration was refused: which keys are missing, or the provider's words."""
    lines: list[str] = []
    for detail in status_details(error):
        if detail.Is(_pb.ConfigureErrorMissingKeys.DESCRIPTOR):
            missing = _pb.ConfigureErrorMissingKeys()
            detail.Unpack(missing)
            lines += [
                f'missing required configuration key "{key.name}": {key.description}\n'
                f"Set a value using the command `pulumi config set {key.name} <value>`."
                for key in missing.missingKeys
            ]
    return "\n".join(lines) or failure(error).message
