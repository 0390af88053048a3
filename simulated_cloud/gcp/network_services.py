"""Service networking and the project's APIs.

Owns the peering that gives managed services a private address, and which APIs are on.
"""

from __future__ import annotations

from collections.abc import Iterable

from simulated_cloud.errors import InputProblem
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.gcp.compute import NETWORK, GlobalAddress
from simulated_cloud.gcp.gcp_type import GcpType, keeps
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

CONNECTION = "gcp:servicenetworking/connection:Connection"


@keeps
class Connection(GcpType):
    """servicenetworking.Connection."""

    token = CONNECTION
    title = "Connection"
    identity = "{network}:{service}"
    refers_to = {"network": NETWORK, "reservedPeeringRanges": GlobalAddress.token}  # noqa: RUF012
    replace_on = frozenset({"network", "service"})

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the peering's name."""
        return {"peering": "servicenetworking-googleapis-com"}


class Service(GcpType):
    """projects.Service: an API of the project."""

    token = "gcp:projects/service:Service"
    title = "Project Service"
    identity = "{project}/{service}"
    replace_on = frozenset({"project", "service"})

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an API that is none."""
        service = str(inputs.get("service") or "")
        if service and not service.endswith(".googleapis.com"):
            yield InputProblem(
                "service", f'expected an API such as "run.googleapis.com", got {service}'
            )


TYPES = (Connection, Service)
