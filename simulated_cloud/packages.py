"""Which packages the simulated cloud has, and what each is built from.

Owns the list. A new package adds a line here and a room of its own beside `aws/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulated_cloud.aws.cloud import MotoAccount
from simulated_cloud.file_store import FileStore
from simulated_cloud.package import Package


@dataclass(frozen=True, slots=True)
class Parts:
    """What a package may keep its resources in."""

    store: FileStore
    """This package's own file."""
    aws: MotoAccount
    """The emulated AWS."""


def _aws(parts: Parts) -> Package:
    from simulated_cloud.aws.package import AwsPackage

    return AwsPackage(parts.aws, parts.store)


def _gcp(parts: Parts) -> Package:
    from simulated_cloud.gcp.package import GcpPackage

    return GcpPackage(parts.store)


def _random(parts: Parts) -> Package:  # noqa: ARG001
    from simulated_cloud.random_values import RandomPackage

    return RandomPackage()


def _kubernetes(parts: Parts) -> Package:
    from simulated_cloud.kubernetes.package import KubernetesPackage

    return KubernetesPackage(parts.store)


PACKAGES: Mapping[str, Callable[[Parts], Package]] = {
    "aws": _aws,
    "gcp": _gcp,
    "kubernetes": _kubernetes,
    "random": _random,
}
