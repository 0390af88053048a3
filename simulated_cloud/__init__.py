"""Clouds on this machine that Pulumi programs deploy to: providers in place of the real ones.

`running` starts one inside a program (a test, for one); `python -m simulated_cloud` starts one for
a shell. See docs/simulated-cloud.md for what is real about it and what is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulated_cloud.service import SimulatedCloud, running

__all__ = ["SimulatedCloud", "running"]


def __getattr__(name: str) -> Any:
    # The emulators take half a second to import; who asks for --help does not wait for them.
    if name in __all__:
        from simulated_cloud import service

        return getattr(service, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
