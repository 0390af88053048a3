"""What all AWS resource types share: region, tags, and AWS's own errors.

Owns how a resource finds its region (`region` of the resource, else the provider's), how the
provider's default tags join the resource's (`tags`, `tagsAll`), and what `not found` means when a
resource is read or deleted. Subclasses call the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.errors import Refusal
from simulated_cloud.property_values import Properties, Secret, contains_unknown
from simulated_cloud.resource_type import Call, ResourceType


class AwsType(ResourceType[AwsCloud]):
    """A type of `pulumi_aws`."""

    sdk = "pulumi_aws"
    title: ClassVar[str] = ""
    """What the real provider calls it in messages: `RDS DB Instance`."""
    missing: ClassVar[frozenset[str]] = frozenset()
    """Error codes by which the service says that the resource is not there."""

    # What a subclass writes ------------------------------------------------------------------

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the resource; return its id."""
        raise NotImplementedError

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the resource's properties as the service tells them."""
        raise NotImplementedError

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change the resource in place; tags are dealt with by `retag`."""

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the resource."""
        raise NotImplementedError

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Remove the tags `gone` and set `tags`; `state` is what is known of the resource."""

    # How that answers the engine ---------------------------------------------------------------

    def create(self, call: Call[AwsCloud], inputs: Properties) -> str:
        """Create the resource in its region."""
        with _context(f"creating {self._title(call.name, inputs)}"):
            return self.make(_scope(call, inputs), inputs)

    def read(self, call: Call[AwsCloud], identity: str, known: Properties) -> Properties | None:
        """Look at the resource; the default tags are told apart from its own."""
        aws = _scope(call, known)
        try:
            found = self.find(aws, identity, known)
        except ClientError as error:
            if code(error) in self.missing:
                return None
            raise
        if found is None:
            return None
        if "tagsAll" in found:
            own: Mapping[str, str] = known.get("tags") or {}
            shared = call.cloud.default_tags
            found["tags"] = {
                key: value
                for key, value in found["tagsAll"].items()
                if key in own or shared.get(key) != value
            }
        return {"region": aws.region, **found}

    def update(
        self,
        call: Call[AwsCloud],
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change the resource in its region, its tags included."""
        aws = _scope(call, {**olds, **news})
        with _context(f"updating {self._title(identity, news)}"):
            rest = changed - {"tags", "tagsAll"}
            if rest:
                self.change(aws, identity, olds, news, rest)
            if "tagsAll" in changed:
                tags: dict[str, str] = news.get("tagsAll") or {}
                # Those of the cloud, not of the state: they may have drifted.
                current = self.read(call, identity, {**olds, **news}) or {}
                gone = sorted(set(current.get("tagsAll") or olds.get("tagsAll") or {}) - set(tags))
                self.retag(aws, identity, {**olds, **news}, gone, tags)

    def delete(self, call: Call[AwsCloud], identity: str, state: Properties) -> None:
        """Delete the resource in its region."""
        with _context(f"deleting {self._title(identity, state)}"):
            try:
                self.remove(_scope(call, state), identity, state)
            except ClientError as error:
                if code(error) not in self.missing:
                    raise

    def planned_update(self, olds: Properties, inputs: Properties) -> Properties:
        """Tags are the program's alone: none are left where it names none."""
        named = {k: v for k, v in olds.items() if k not in ("tags", "tagsAll") or k in inputs}
        return super().planned_update(named, inputs)

    def added_inputs(self, call: Call[AwsCloud], inputs: Properties) -> Properties:
        """Add what the resource's tags are, the provider's default tags included."""
        if "tagsAll" not in self.schema.outputs or "tags" not in self.schema.inputs:
            return {}
        own = inputs.get("tags") or {}
        if isinstance(own, Secret):
            own = own.value
        if contains_unknown(own) and not isinstance(own, dict):
            return {"tagsAll": own}
        tags = {**call.cloud.default_tags, **own}
        return {"tagsAll": tags} if tags else {}

    def _title(self, name: str, inputs: Properties) -> str:
        return f"{self.title or self.token} ({inputs.get(self.name_property) or name})"


class _context:  # noqa: N801 (used as a function)
    """Says what was being done when the service refused."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refusal):
            raise type(error)(f"{self._doing}: {error}") from (
                None if type(error) is Refusal else error
            )
        if isinstance(error, (ClientError, BotoCoreError)):
            raise Refusal(f"{self._doing}: {explain(error)}") from None


def _scope(call: Call[AwsCloud], properties: Properties) -> AwsCloud:
    region = properties.get("region") or call.cloud.region
    return call.cloud if region == call.cloud.region else replace(call.cloud, region=region)


def code(error: ClientError) -> str:
    """Return AWS's code of an error."""
    response: Any = error.response
    return str(response.get("Error", {}).get("Code", ""))


def explain(error: Exception) -> str | None:
    """Return an AWS error as the real provider prints it."""
    if isinstance(error, ClientError):
        response: Any = error.response
        message = response.get("Error", {}).get("Message", "")
        return f"operation error {error.operation_name}: api error {code(error)}: {message}"
    if isinstance(error, BotoCoreError):
        return str(error)
    return None


def key_value(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Return tags as most services take them."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def tags_of(inputs: Properties) -> dict[str, Any]:
    """Return the argument for a resource's tags; services that take a list refuse an empty one."""
    return {"Tags": key_value(inputs["tagsAll"])} if inputs.get("tagsAll") else {}


def from_key_value(tags: Any) -> dict[str, str]:
    """Read tags as most services tell them, without AWS's own."""
    pairs = {item["Key"]: item["Value"] for item in tags or []}
    return {key: value for key, value in pairs.items() if not key.startswith("aws:")}
