"""What a person reads when the platform on this machine cannot do something.

Owns the one exception of `infra.local` and the way it crosses Pulumi's dynamic provider. Pulumi
sends a provider's exception to the user as a formatted traceback; for a mistake that a setting
mends, the frames say nothing, so they are left out. An unexpected exception keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class LocalPlatformError(Exception):
    """The platform on this machine cannot do what was asked; the message says what to do next."""

    # A formatted traceback ends in `module.Name: message`; where the class lives is no reader's
    # concern.
    __module__ = "builtins"


def without_frames(call: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let `LocalPlatformError` leave `call` with its sentence and no stack frames.

    `sys.tracebacklimit` is process-wide, and `pulumi.dynamic` formats the exception after this
    function has returned; every wrapped call therefore starts by lifting the limit again.
    """

    @wraps(call)
    def wrapped(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if hasattr(sys, "tracebacklimit"):
            del sys.tracebacklimit
        try:
            return call(*args, **kwargs)
        except LocalPlatformError as error:
            sys.tracebacklimit = 0
            raise LocalPlatformError(str(error)) from None

    return wrapped
