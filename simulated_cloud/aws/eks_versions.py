"""Which Kubernetes versions EKS has, and which version of each add-on goes with them.

Owns the list as of November 2026; a version AWS adds is a line here. The add-ons' builds are made
up from the Kubernetes version: what counts is that an unknown name or version is refused and that
an upgrade of the cluster shows as one of its add-ons.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KUBERNETES_VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36")
"""In standard or extended support."""

DEFAULT_VERSION = "1.35"

_ADDONS: Mapping[str, str] = MappingProxyType(
    {
        "amazon-cloudwatch-observability": "v4.{minor}.0-eksbuild.1",
        "aws-ebs-csi-driver": "v1.{minor}.0-eksbuild.1",
        "aws-efs-csi-driver": "v2.1.{minor}-eksbuild.1",
        "cert-manager": "v1.19.{minor}-eksbuild.1",
        "coredns": "v1.12.{minor}-eksbuild.1",
        "eks-pod-identity-agent": "v1.3.{minor}-eksbuild.1",
        "external-dns": "v0.19.{minor}-eksbuild.1",
        "kube-proxy": "v1.{minor}.0-eksbuild.2",
        "metrics-server": "v0.8.{minor}-eksbuild.1",
        "prometheus-node-exporter": "v1.9.{minor}-eksbuild.1",
        "snapshot-controller": "v8.3.{minor}-eksbuild.1",
        "vpc-cni": "v1.20.{minor}-eksbuild.1",
    }
)


def addon_version(name: str, kubernetes_version: str) -> str | None:
    """Return the version of an add-on that is EKS's default; None for one it does not know."""
    if name not in _ADDONS or kubernetes_version not in KUBERNETES_VERSIONS:
        return None
    return _ADDONS[name].format(minor=kubernetes_version.partition(".")[2])


def addon_versions(name: str) -> tuple[str, ...]:
    """Return every version of an add-on, oldest first."""
    found = (addon_version(name, version) for version in KUBERNETES_VERSIONS)
    return tuple(version for version in found if version)
