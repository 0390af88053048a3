"""What all types of Google Cloud share: ids, references, labels, and Google's errors.

Owns how a resource is named (`identity`, from its inputs and the provider's project and region),
that what it refers to is there, that nothing is deleted that others use, and the words of a
refusal. A type adds what Google computes (`computed`) and what Google would not take (`check`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from simulated_cloud.errors import Refusal
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call, ResourceType

COMPUTE_LINK = "https://www.googleapis.com/compute/v1/"


class GcpType(ResourceType[GcpCloud]):
    """A type of `pulumi_gcp`."""

    sdk = "pulumi_gcp"
    title: ClassVar[str] = ""
    """What the real provider calls it in messages: `Network`."""
    identity: ClassVar[str] = ""
    """The id's form: `projects/{project}/global/networks/{name}`."""
    refers_to: ClassVar[Mapping[str, str]] = {}
    """Inputs that name another resource, by the path of the input; the other's type token."""
    protected_by: ClassVar[tuple[str, ...]] = ()
    """Inputs (paths) that refuse a deletion while they are true."""

    # What a subclass writes ------------------------------------------------------------------

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Return what Google adds to the inputs."""
        return {}

    def refuse(self, cloud: GcpCloud, values: Properties) -> Iterator[str]:
        """Yield what Google would refuse looking at the project, beside missing references."""
        yield from ()

    # How that answers the engine ---------------------------------------------------------------

    def create(self, call: Call[GcpCloud], inputs: Properties) -> str:
        """Make the resource, unless Google would not."""
        cloud = call.cloud
        values = self._scoped(cloud, inputs)
        identity = self.identity.format_map(_Parts(values))
        if cloud.store.get(self.token, identity) is not None:
            raise Refusal(
                f"Error creating {self.title}: googleapi: Error 409: The resource '{identity}' "
                "already exists, alreadyExists"
            )
        self._look(cloud, values, "creating")
        cloud.store.put(self.token, identity, values)
        return identity

    def read(self, call: Call[GcpCloud], identity: str, known: Properties) -> Properties | None:
        """Return what the file says, and what Google adds to it."""
        values = call.cloud.store.get(self.token, identity)
        if values is None:
            return None
        labels = values.get("labels") or values.get("userLabels") or {}
        shown = {"effectiveLabels": labels, "pulumiLabels": labels} if labels else {}
        return {**shown, **values, **self.computed(call.cloud, identity, values)}

    def update(
        self,
        call: Call[GcpCloud],
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change the resource in place."""
        cloud = call.cloud
        current = cloud.store.get(self.token, identity) or {}
        values = self._scoped(cloud, news)
        kept = {key: value for key, value in current.items() if key not in self.schema.inputs}
        self._look(cloud, values, "updating")
        self.changing(cloud, current, values)
        cloud.store.put(self.token, identity, {**kept, **values})

    def changing(self, cloud: GcpCloud, current: Properties, values: Properties) -> None:
        """Refuse a change that Google would refuse."""

    def delete(self, call: Call[GcpCloud], identity: str, state: Properties) -> None:
        """Remove the resource, unless it is protected or in use."""
        cloud = call.cloud
        values = cloud.store.get(self.token, identity)
        if values is None or state.get("deletionPolicy") == "ABANDON":
            cloud.store.remove(self.token, identity)
            return
        for path in self.protected_by:
            if at(values, path):
                raise Refusal(
                    f"Error deleting {self.title}: {identity} is protected from deletion: set "
                    f"{path.rpartition('.')[2]} to false and update it first"
                )
        users = sorted(self._users(cloud, identity, values))
        if users:
            raise Refusal(
                f"Error deleting {self.title}: googleapi: Error 400: The resource '{identity}' is "
                f"already being used by '{users[0]}', resourceInUseByAnotherResource"
            )
        cloud.store.remove(self.token, identity)

    def _scoped(self, cloud: GcpCloud, inputs: Properties) -> Properties:
        """The inputs with the provider's project and region where they are left out."""
        known = self.schema.inputs
        scope = {"project": cloud.project, "region": cloud.region, "location": cloud.region}
        missing = {k: v for k, v in scope.items() if k in known and not inputs.get(k)}
        return {**inputs, **missing}

    def _look(self, cloud: GcpCloud, values: Properties, doing: str) -> None:
        for path, token in self.refers_to.items():
            for reference in every(values, path):
                if reference and cloud.find(token, str(reference)) is None:
                    raise Refusal(
                        f"Error {doing} {self.title}: googleapi: Error 404: The resource "
                        f"'{reference}' was not found, notFound"
                    )
        for words in self.refuse(cloud, values):
            raise Refusal(f"Error {doing} {self.title}: googleapi: Error 400: {words}, badRequest")

    def _users(self, cloud: GcpCloud, identity: str, values: Properties) -> Iterator[str]:
        """Ids of resources that refer to this one and do not go with it."""
        names = {identity, values.get("name"), values.get("selfLink")} - {None}
        for other in USERS.get(self.token, ()):
            for other_id, properties in cloud.store.list(other.token).items():
                for path, token in other.refers_to.items():
                    if token == self.token and names & set(every(properties, path)):
                        yield other_id


class _Parts(dict[str, Any]):
    """Inputs for an id; a missing one is a mistake of the type, said as such."""

    def __missing__(self, key: str) -> str:
        raise KeyError(f"an id needs {key!r}")


USERS: dict[str, list[type[GcpType]]] = {}
"""Types whose references keep a resource from being deleted, by the token referred to."""


def keeps(other: type[GcpType]) -> type[GcpType]:
    """Declare that a type's resources keep what they refer to from being deleted."""
    for token in other.refers_to.values():
        USERS.setdefault(token, []).append(other)
    return other


def at(values: Properties, path: str) -> Any:
    """The value at a dotted path, or None."""
    return next(iter(every(values, path)), None)


def every(values: Any, path: str) -> list[Any]:
    """All values at a dotted path; lists on the way are walked through."""
    head, _, rest = path.partition(".")
    if isinstance(values, list):
        return [found for item in values for found in every(item, path)]
    if not isinstance(values, dict) or head not in values:
        return []
    value: Any = values[head]
    if rest:
        return every(value, rest)
    return list(value) if isinstance(value, list) else [value]
