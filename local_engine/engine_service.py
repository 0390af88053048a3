"""The service through which a program and its providers log: Pulumi's `Engine`.

Owns turning log lines into diagnostics. Severities and the root resource are Pulumi's. A program
that logs an error has not failed by that, as on Pulumi's engine; to fail is to raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from local_engine.events import Diagnostic, Severity

_pb: Any = engine_pb2
_Base: Any = engine_pb2_grpc.EngineServicer

_SEVERITIES: tuple[Severity, ...] = ("debug", "info", "warning", "error")


class EngineService(_Base):
    """Takes log lines of one deployment."""

    def __init__(self, emit: Callable[[Diagnostic], None]) -> None:
        """Pass every line to `emit`."""
        self._emit = emit
        self._root = ""

    def Log(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Take one message."""
        severity: Severity = _SEVERITIES[int(request.severity)]
        self._emit(Diagnostic(severity, request.urn, request.message, request.ephemeral))
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Say which resource is the stack."""
        return _pb.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Remember which resource is the stack."""
        self._root = request.urn
        return _pb.SetRootResourceResponse()

    def StartDebugging(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Ignore: there is no debugger to attach."""
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Accept: the program names the CLI version it wants, and this is not the CLI."""
        return _pb.RequirePulumiVersionResponse()
