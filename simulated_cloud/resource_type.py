"""What a simulated cloud says about one type of resource.

Owns the declarations a type makes (its token, what forces a replacement, defaults, which lists
have an order, what is secret) and what follows from them alone: the check of its inputs, the
comparison of old and new ones, the outputs of a preview, and how an API's answer becomes inputs and
outputs that differ from the program's only where the cloud does. Subclasses add four calls
(`create`, `read`, `update`, `delete`) and refuse what their cloud would.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from simulated_cloud import comparison, input_check
from simulated_cloud.comparison import Change
from simulated_cloud.errors import InputProblem, NotSupported
from simulated_cloud.property_values import (
    UNKNOWN,
    Properties,
    Secret,
    clear,
    contains_unknown,
    hide,
)
from simulated_cloud.sdk_schema import ANY, ResourceSchema, Shape, resource_schema

CloudT = TypeVar("CloudT")


@dataclass(frozen=True, slots=True)
class Call(Generic[CloudT]):
    """What a call about one resource comes with."""

    cloud: CloudT
    """What the package's `configure` returned for the provider this resource uses."""
    urn: str
    name: str
    timeout_seconds: float = 0.0
    """The program's customTimeouts; 0 where it sets none."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One property that has to change."""

    path: str
    change: Change
    replaces: bool


class ResourceType(Generic[CloudT]):
    """One type of resource; instances hold no state, so one serves all resources."""

    token: ClassVar[str] = ""
    """Pulumi's type token."""
    sdk: ClassVar[str] = ""
    """The Python package whose annotations are the schema."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    """What the real provider or the cloud takes for an input that is not given."""
    replace_on: ClassVar[frozenset[str]] = frozenset()
    """Inputs (`name`, `vpcConfig.subnetIds`) that cannot change in place; `*` for all of them."""
    ordered: ClassVar[frozenset[str]] = frozenset()
    """Lists whose order means something."""
    filled_in: ClassVar[frozenset[str]] = frozenset()
    """Parts of an input (`vpcConfig.vpcId`) that the cloud fills in where the program does not."""
    follows: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Outputs that a change of these inputs changes: unknown in the preview of that change."""
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    kept: ClassVar[frozenset[str]] = frozenset()
    """Inputs that no API gives back: a refresh keeps what the state says."""
    name_property: ClassVar[str] = ""
    """The input that is made from the resource's name where the program does not give it."""
    name_length: ClassVar[int] = 255
    unsupported: ClassVar[frozenset[str]] = frozenset()
    """Inputs the real provider takes and the simulated one cannot keep: refused by name."""

    # What a subclass writes ------------------------------------------------------------------

    def check(self, call: Call[CloudT], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what the cloud would refuse in the known inputs, without looking at the cloud."""
        return ()

    def rehearse(self, call: Call[CloudT], inputs: Properties) -> None:
        """Ask a cloud that can rehearse whether it would take the inputs; part of a preview."""

    def create(self, call: Call[CloudT], inputs: Properties) -> str:
        """Make the resource; return its id. `inputs` have their defaults filled in."""
        raise NotImplementedError

    def read(self, call: Call[CloudT], identity: str, known: Properties) -> Properties | None:
        """Return the resource's properties as they are, or None if it is gone.

        `known` is what the state says (nothing for a resource that is adopted).
        """
        raise NotImplementedError

    def update(
        self,
        call: Call[CloudT],
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change the resource in place; `changed` names the top-level inputs that differ."""
        raise NotSupported(f"{self.token} cannot be changed in place")

    def delete(self, call: Call[CloudT], identity: str, state: Properties) -> None:
        """Remove the resource; one that is gone already is no error."""
        raise NotImplementedError

    # What follows from the declarations ------------------------------------------------------

    @property
    def schema(self) -> ResourceSchema:
        """Return the type's schema."""
        schema = resource_schema(self.sdk, self.token)
        if schema is None:
            raise NotSupported(f"{self.token} is not a type of {self.sdk}")
        return schema

    def check_inputs(
        self, call: Call[CloudT], olds: Properties, news: Properties, seed: bytes
    ) -> tuple[Properties, list[InputProblem]]:
        """Judge inputs and fill in the ones the provider adds."""
        found = list(input_check.problems(news, self.schema))
        found += [
            InputProblem(name, f"`{name}` is not part of the simulated cloud: leave it out there")
            for name in sorted(self.unsupported & news.keys())
        ]
        checked = {key: value for key, value in news.items() if value is not None}
        name = self.name_property
        if name and name not in checked and f"{name}Prefix" not in checked:
            checked[name] = olds.get(name) or self._made_name(call.name, seed)
        checked |= self.added_inputs(call, checked)
        if not found:
            known = {k: clear(v) for k, v in checked.items() if not contains_unknown(v)}
            found += self.check(call, known)
        return checked, found

    def added_inputs(self, call: Call[CloudT], inputs: Properties) -> Properties:
        """Return inputs that the provider adds to the program's (`tagsAll`, for one)."""
        return {}

    def differences(self, olds: Properties, news: Properties) -> list[Difference]:
        """Return what has to change for `news` to hold where `olds` did."""
        found: list[Difference] = []
        for key in sorted({*olds, *news}):
            shape = self.shape(key)
            old, new = olds.get(key), news.get(key)
            for path, change in comparison.differences(old, new, key, shape, ordered=self.ordered):
                found.append(Difference(path, change, self.replaces(path)))
        return found

    def replaces(self, path: str) -> bool:
        """Whether a change at this path needs a new resource."""
        plain = re.sub(r"\[[^]]*]", "", path)
        if "*" in self.replace_on:
            return True
        return any(plain == key or plain.startswith(f"{key}.") for key in self.replace_on)

    def delete_before_replace(self, olds: Properties, news: Properties) -> bool:
        """Whether old and new resource cannot stand side by side: they have the same name."""
        name = self.name_property
        return bool(name) and comparison.same(olds.get(name), news.get(name))

    def shape(self, key: str) -> Shape:
        """Return the shape of an input."""
        return self.schema.inputs.get(key, ANY)

    def effective(self, inputs: Properties) -> Properties:
        """Return inputs as `create` and `update` take them."""
        return {**self.defaults, **clear(inputs)}

    def planned(self, inputs: Properties) -> Properties:
        """Return what a preview can say of the outputs of a resource to be created."""
        unknown = dict.fromkeys(self.schema.outputs, UNKNOWN)
        given = {**self.defaults, **inputs}
        return self._hidden({**unknown, **self._with_filled_in(given, {}), "id": UNKNOWN})

    def planned_update(self, olds: Properties, inputs: Properties) -> Properties:
        """Return what a preview can say of the outputs of a resource to be changed."""
        dropped = {key for key in self.schema.inputs if key not in inputs}
        stays = {k: v for k, v in olds.items() if k not in dropped or k not in self.defaults}
        returned = {k: v for k, v in self.defaults.items() if k in dropped}
        unknown = {
            output: UNKNOWN
            for output, names in self.follows.items()
            if any(olds.get(name) != inputs.get(name) for name in names)
        }
        given = self._with_filled_in(inputs, olds)
        return self._hidden({**stays, **returned, **unknown, **given})

    def outputs(self, inputs: Properties, read: Properties, identity: str) -> Properties:
        """Return the outputs: what was read, in the program's words where they mean the same."""
        merged: Properties = {"id": identity, **self.defaults}
        merged |= {key: value for key, value in inputs.items() if key not in read}
        for key, value in read.items():
            wanted = inputs.get(key)
            same = self._as_wanted(key, wanted, value)
            merged[key] = comparison.in_words(wanted, value) if same else value
        shown = {k: v for k, v in merged.items() if v is not None and k in self._output_names()}
        shown = {key: hide(value, inputs.get(key)) for key, value in shown.items()}
        return self._hidden(shown)

    def found_inputs(self, inputs: Properties, read: Properties) -> Properties:
        """Return the inputs that would have made what was read; as they are where they would."""
        if not inputs:
            known = self.schema.inputs
            return {
                key: value
                for key, value in read.items()
                if key in known and value not in (None, [], {}, self.defaults.get(key))
            }
        found: Properties = {}
        for key, wanted in inputs.items():
            if key not in read or key in self.kept or self._as_wanted(key, wanted, read[key]):
                found[key] = wanted
            elif read[key] is not None:
                found[key] = hide(read[key], wanted)
        return found

    def _with_filled_in(self, inputs: Properties, olds: Properties) -> Properties:
        """Return inputs with what the cloud has filled in, or will."""
        filled = dict(inputs)
        for path in self.filled_in:
            name, _, part = path.partition(".")
            given = filled.get(name)
            if isinstance(given, dict) and part not in given:
                kept = olds.get(name)
                old = kept.get(part, UNKNOWN) if isinstance(kept, dict) else UNKNOWN
                filled[name] = {**given, part: old}
        return filled

    def _hidden(self, outputs: Properties) -> Properties:
        return {k: _secret(v) if k in self.secret_outputs else v for k, v in outputs.items()}

    def _as_wanted(self, key: str, wanted: Any, value: Any) -> bool:
        if wanted is None:
            return False
        shape, ordered = self.shape(key), key in self.ordered
        return comparison.same(wanted, value, shape, ordered=ordered, whole=False)

    def _output_names(self) -> frozenset[str]:
        return self.schema.outputs | {"id"}

    def _made_name(self, name: str, seed: bytes) -> str:
        """Return the resource's name with seven hex digits, as Pulumi's providers do."""
        suffix = (seed.hex() if seed else secrets.token_hex(4))[:7]
        return f"{name[: self.name_length - 8]}-{suffix}"


def _secret(value: Any) -> Any:
    return value if isinstance(value, Secret) else Secret(value)
