"""Nodes that no machine stands behind: kwok keeps them ready, the scheduler fills them.

Owns how many there are and what they look like to a scheduler: three, each in a zone of its own, as
large as a small cloud machine, so that spreading over zones and nodes has something to decide.
"""

from __future__ import annotations

from typing import Any

from simulated_cloud.kubernetes.api_client import ApiClient

ZONES = ("zone-a", "zone-b", "zone-c")
CAPACITY = {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "200Gi", "pods": "110"}


def make_nodes(client: ApiClient, kubelet_port: int) -> list[str]:
    """Make the nodes; return their names."""
    made = [_node(f"node-{zone[-1]}", zone, kubelet_port) for zone in ZONES]
    for node in made:
        client.create("/api/v1/nodes", node)
    return [node["metadata"]["name"] for node in made]


def _node(name: str, zone: str, kubelet_port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/region": "simulated",
                "topology.kubernetes.io/zone": zone,
            },
        },
        "status": {
            "allocatable": CAPACITY,
            "capacity": CAPACITY,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
        },
    }
