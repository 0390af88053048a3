"""One provider package of the simulated cloud: its name, its types, its functions.

Owns the lookup of types and functions by token and the loud refusal of one that is not there. A
package that finds its types elsewhere (Kubernetes has a schema for each) overrides `resource_type`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulated_cloud.errors import InputProblem, NotSupported
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import ResourceType

Function = Callable[[Any, Properties], Properties]
"""A function of the package (`aws:index/getCallerIdentity:getCallerIdentity`): cloud, arguments."""


class Package:
    """The types and functions of one provider."""

    name = ""
    version = ""

    def __init__(
        self,
        types: Iterable[ResourceType[Any]] = (),
        functions: Mapping[str, Function] | None = None,
    ) -> None:
        """Serve these types and functions."""
        self.types: dict[str, ResourceType[Any]] = {type_.token: type_ for type_ in types}
        self.functions: dict[str, Function] = dict(functions or {})

    def check_configuration(self, config: Properties) -> Iterable[InputProblem]:
        """Yield what is wrong with a provider's configuration (known values only)."""
        return ()

    def replacing_configuration(self) -> frozenset[str]:
        """Return settings of a provider whose change replaces all its resources."""
        return frozenset()

    def configure(self, config: Properties) -> Any:
        """Return the cloud that resources of a provider with this configuration live in."""
        raise NotImplementedError

    def explain(self, error: Exception) -> str | None:
        """Return what an API's error means in one sentence, or None if it is none of an API's."""
        return None

    def resource_type(self, token: str) -> ResourceType[Any]:
        """Return the type, or refuse it by name."""
        if token not in self.types:
            raise NotSupported(self._unknown("type", token, self.types))
        return self.types[token]

    def function(self, token: str) -> Function:
        """Return the function, or refuse it by name."""
        if token not in self.functions:
            raise NotSupported(self._unknown("function", token, self.functions))
        return self.functions[token]

    def _unknown(self, what: str, token: str, known: Iterable[str]) -> str:
        near = difflib.get_close_matches(token, list(known), n=1)
        hint = f" (it knows {near[0]})" if near else ""
        return (
            f"the simulated cloud has no {what} {token}{hint}: deploy it to the real cloud, or add "
            f"it in simulated_cloud/{self.name}/"
        )
