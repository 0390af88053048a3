"""What every dynamic provider of the platform on this machine has in common.

Owns the translation between Pulumi's provider calls and five plain questions (`problems`, `make`,
`observe`, `change`, `remove`), the explicit diff and the refresh of inputs. A provider's class is
pickled by reference and holds no state: the serialized provider in a checkpoint never changes, so
it is never the reason for an update, and a no-op preview imports nothing but this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from infra.local.errors import without_frames

Properties = dict[str, Any]

PROVIDER_KEY = "__provider"


class LocalProvider(ResourceProvider):
    """Base of the providers here; a subclass answers the five questions."""

    # The class is a name, not data: encrypting it would only hide it from a reader of the state.
    serialize_as_secret_always = False

    replace_on: ClassVar[frozenset[str]] = frozenset()
    """Properties that make another resource of it; all others are updated in place."""

    computed: ClassVar[frozenset[str]] = frozenset()
    """Outputs that are not inputs."""

    def problems(self, olds: Properties, news: Properties) -> Iterable[tuple[str, str]]:
        """What forbids these inputs on this machine: property and sentence. Touches nothing."""
        del olds, news
        return ()

    def make(self, props: Properties) -> tuple[str, Properties]:
        """Create, or adopt what an interrupted creation left; returns id and computed outputs."""
        raise NotImplementedError

    def observe(self, props: Properties) -> Properties | None:
        """What is really there, as far as it differs from `props`; None when nothing is there."""
        del props
        return {}

    def change(self, olds: Properties, news: Properties) -> Properties:
        """Bring what is there from `olds` to `news`; returns computed outputs."""
        raise NotImplementedError

    def remove(self, props: Properties) -> None:
        """Stop or delete it; absent already is fine."""

    @without_frames
    def check(self, _olds: Properties, news: Properties) -> CheckResult:
        """Refuse inputs that cannot work here before anything is changed."""
        problems = self.problems(plain(_olds), plain(news))
        return CheckResult(news, [CheckFailure(name, reason) for name, reason in problems])

    @without_frames
    def diff(self, _id: str, _olds: Properties, _news: Properties) -> DiffResult:
        """Compare property by property; the serialized provider is not one of them."""
        wanted = {key: value for key, value in plain(_news).items() if key not in self.computed}
        changed = changed_properties(plain(_olds), wanted)
        return DiffResult(
            changes=bool(changed),
            replaces=[name for name in changed if name in self.replace_on],
            # Two of these cannot stand side by side: they share a port, a folder or a name.
            delete_before_replace=True,
        )

    @without_frames
    def create(self, props: Properties) -> CreateResult:
        """Create or adopt."""
        inputs = plain(props)
        identifier, outputs = self.make(inputs)
        return CreateResult(identifier, {**inputs, **outputs})

    @without_frames
    def read(self, id_: str, props: Properties) -> ReadResult:
        """Report what is really there, as outputs and as the inputs that would describe it.

        Returning inputs is what makes drift visible property by property: an engine shows a
        refresh, and plans the repair, from the difference between inputs.
        """
        known = plain(props)
        differences = self.observe(known)
        if differences is None:
            return ReadResult("", {})
        outputs = {**known, **differences}
        inputs = {name: value for name, value in outputs.items() if name not in self.computed}
        return ReadResult(id_, outputs, inputs)

    @without_frames
    def update(self, _id: str, _olds: Properties, _news: Properties) -> UpdateResult:
        """Bring what is there to the new inputs."""
        olds, news = plain(_olds), plain(_news)
        kept = {name: olds[name] for name in self.computed if name in olds}
        return UpdateResult({**news, **kept, **self.change(olds, news)})

    @without_frames
    def delete(self, _id: str, _props: Properties) -> None:
        """Stop or delete."""
        self.remove(plain(_props))


def changed_properties(olds: Mapping[str, Any], news: Mapping[str, Any]) -> list[str]:
    """Names of the inputs in `news` that differ from what is known of the resource, in order."""
    return [name for name in news if name not in olds or olds[name] != news[name]]


def plain(properties: Mapping[str, Any]) -> Properties:
    """Properties without Pulumi's own key; whole numbers as integers (protobuf knows floats)."""
    return {name: _plain_value(value) for name, value in properties.items() if name != PROVIDER_KEY}


def _plain_value(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        return {key: _plain_value(item) for key, item in items.items()}
    if isinstance(value, list):
        return [_plain_value(item) for item in cast("list[Any]", value)]
    return value
