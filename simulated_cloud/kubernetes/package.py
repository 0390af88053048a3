"""The `kubernetes` package: any kind that has a schema, in the cluster of the provider.

Owns the way from a provider's configuration to a cluster. Where SIMULATED_KUBECONFIG names the
kubeconfig of a control plane (`make kubernetes`), everything goes there, whatever cluster the
program believes to deploy to: the simulated cloud's clusters have no API server of their own.
Otherwise objects are validated and kept in a file, apart for each cluster.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from simulated_cloud.errors import InputProblem
from simulated_cloud.file_store import FileStore
from simulated_cloud.kubernetes import helm_release, kubeconfig
from simulated_cloud.kubernetes.api_client import ApiClient, ApiError
from simulated_cloud.kubernetes.clusters import Cluster, RealCluster, StoredCluster
from simulated_cloud.kubernetes.object_kinds import kind_of
from simulated_cloud.kubernetes.object_type import ObjectType
from simulated_cloud.package import Package
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import ResourceType

VARIABLE = "SIMULATED_KUBECONFIG"
AMBIENT = "ambient"
"""A provider without a kubeconfig: the real one would take the user's own."""


class KubernetesPackage(Package):
    """Objects of every kind that has a schema."""

    name = "kubernetes"

    def __init__(self, store: FileStore) -> None:
        """Keep what no API server keeps in `store`."""
        super().__init__()
        self.version = version("pulumi-kubernetes")
        self._store = store
        self._lock = threading.Lock()
        self._clusters: dict[Path, RealCluster] = {}

    def check_configuration(self, config: Properties) -> Iterable[InputProblem]:
        """Refuse a kubeconfig that names no cluster."""
        text = config.get("kubeconfig")
        if text is not None and not _address(text):
            yield InputProblem("kubeconfig", "kubeconfig is no kubeconfig with a cluster's server")

    def configure(self, config: Properties) -> Cluster:
        """The control plane that runs here, or the file."""
        path = os.environ.get(VARIABLE)
        if not path:
            return StoredCluster(self._store, _address(config.get("kubeconfig")) or AMBIENT)
        with self._lock:
            where = Path(path)
            if where not in self._clusters:
                self._clusters[where] = RealCluster(ApiClient(kubeconfig.read(where)))
            return self._clusters[where]

    def explain(self, error: Exception) -> str | None:
        """What an API server said, or that none answered."""
        if isinstance(error, (ApiError, kubeconfig.KubeconfigError)):
            return str(error)
        if isinstance(error, OSError):
            return f"the API server of {VARIABLE} does not answer ({error}): see `make kubernetes`"
        return None

    def resource_type(self, token: str) -> ResourceType[Any]:
        """The type of `kubernetes:apps/v1:Deployment`, of a custom resource or a Helm release."""
        _, module, name = token.split(":", 2)
        if (module, name) == (helm_release.MODULE, helm_release.NAME):
            return helm_release.HelmRelease()
        return ObjectType(kind_of(module.removeprefix("core/"), name))


def _address(text: Any) -> str:
    """The server of a kubeconfig's first cluster; empty where there is none."""
    if isinstance(text, str):
        try:
            text = yaml.safe_load(text)
        except yaml.YAMLError:
            return ""
    try:
        return str(text["clusters"][0]["cluster"]["server"])
    except (KeyError, IndexError, TypeError):
        return ""
