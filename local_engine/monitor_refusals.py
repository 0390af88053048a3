"""What a Pulumi program may ask of the monitor and this engine does not do.

Owns refusing it by name, in one sentence of the engine's own, and ending the program. Calls that
are served are in `monitor.py`; options of a resource that are refused are in `goal.py`.
"""

from __future__ import annotations

from typing import Any

import grpc
from pulumi.runtime.proto import resource_pb2_grpc

from local_engine.deployment_registrar import Registrar
from local_engine.providers_host import INSTALL_HINT

# The generated modules carry no usable types.
_grpc: Any = resource_pb2_grpc
_Base: Any = _grpc.ResourceMonitorServicer

# Announced so that the request arrives and is refused in words of ours: the SDK would otherwise
# say that the Pulumi CLI is too old.
REFUSED_FEATURES = {
    "transforms": "TRANSFORMS",
    "invokeTransforms": "INVOKE_TRANSFORMS",
    "parameterization": "PARAMETERIZATION",
    "resourceHooks": "RESOURCE_HOOKS",
    "errorHooks": "ERROR_HOOKS",
}


class RefusedCalls(_Base):
    """The part of the monitor that answers calls which are not served."""

    def __init__(self, registrar: Registrar) -> None:
        """Tell `registrar` of what is refused."""
        self._registrar = registrar

    def Call(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse methods on resources."""
        return self._refuse(context, f"calls methods of resources (`{request.tok}`)")

    def RegisterStackTransform(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Refuse transforms."""
        return self._refuse(context, "registers a resource transform for the stack")

    def RegisterStackInvokeTransform(  # noqa: N802
        self,
        request: Any,  # noqa: ARG002
        context: Any,
    ) -> Any:
        """Refuse transforms."""
        return self._refuse(context, "registers an invoke transform for the stack")

    def RegisterResourceHook(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse hooks."""
        return self._refuse(context, f"registers the resource hook `{request.name}`")

    def RegisterErrorHook(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse hooks."""
        return self._refuse(context, f"registers the error hook `{request.name}`")

    def RegisterPackage(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse parameterized packages."""
        return self._refuse(context, f"uses the parameterized package `{request.name}`")

    def _refuse(self, context: Any, what: str) -> None:
        # Told as the engine's own error: the program would wrap it into a trace of the SDK's.
        self._registrar.refuse(
            "", f"the program {what}, which this engine does not do: {INSTALL_HINT}"
        )
        shut_down(context)


def shut_down(context: Any) -> None:
    """End a call because the deployment ends."""
    # The program is ended as well; this is what its calls under way are told.
    context.abort(grpc.StatusCode.UNAVAILABLE, "resource monitor shut down")
