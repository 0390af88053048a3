"""Questions a program asks Google Cloud while it is planned.

Owns the answers' shape, which is that of the real provider's data sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulated_cloud.errors import Refusal
from simulated_cloud.gcp.cloud import PROJECT_NUMBER, GcpCloud
from simulated_cloud.gcp.compute import NETWORK, SUBNETWORK
from simulated_cloud.property_values import Properties

Answer = Callable[[GcpCloud, Properties], Properties]


def project(cloud: GcpCloud, arguments: Properties) -> Properties:
    """Answer gcp.organizations.get_project."""
    project_id = arguments.get("projectId") or cloud.project
    return {
        **arguments,
        "id": f"projects/{project_id}",
        "projectId": project_id,
        "name": project_id,
        "number": PROJECT_NUMBER,
        "labels": {},
        "effectiveLabels": {},
        "pulumiLabels": {},
        "tags": {},
        "autoCreateNetwork": False,
        "billingAccount": "",
        "deletionPolicy": "",
        "folderId": "",
        "orgId": "",
    }


def network(cloud: GcpCloud, arguments: Properties) -> Properties:
    """Answer gcp.compute.get_network."""
    return _existing(cloud, NETWORK, arguments)


def subnetwork(cloud: GcpCloud, arguments: Properties) -> Properties:
    """Answer gcp.compute.get_subnetwork."""
    return _existing(cloud, SUBNETWORK, arguments)


def _existing(cloud: GcpCloud, token: str, arguments: Properties) -> Properties:
    name = str(arguments.get("name") or "")
    for identity, properties in cloud.store.list(token).items():
        if properties.get("name") == name:
            return {**properties, **arguments, "id": identity}
    what = token.rpartition(":")[2]
    raise Refusal(f"{what} not found: projects/{cloud.project}/…/{name}")


FUNCTIONS: Mapping[str, Answer] = {
    "gcp:organizations/getProject:getProject": project,
    "gcp:compute/getNetwork:getNetwork": network,
    "gcp:compute/getSubnetwork:getSubnetwork": subnetwork,
}
