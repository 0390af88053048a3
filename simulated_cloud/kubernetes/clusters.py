"""Where a cluster's objects are: on a real API server, or in this package's file.

Owns what the provider asks of a cluster, in both forms. The file stands in where no control plane
runs: it takes what the schemas and rules allow, refuses what has no namespace, and forgets what was
in a namespace that is deleted. Nothing in it becomes ready, since nothing in it runs.
"""

from __future__ import annotations

import copy
import datetime
import time
import uuid
from collections.abc import Mapping
from typing import Any, Protocol

from simulated_cloud.errors import Refusal
from simulated_cloud.file_store import FileStore
from simulated_cloud.kubernetes.api_client import ApiClient
from simulated_cloud.kubernetes.object_kinds import Kind, custom_resource_definitions

Manifest = dict[str, Any]
MANAGER = "pulumi-kubernetes"
ALWAYS_THERE = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
POLL_SECONDS = 0.1
DELETE_SECONDS = 300.0


class Cluster(Protocol):
    """What the provider needs of a cluster."""

    is_real: bool

    def apply(self, kind: Kind, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Manifest:
        """Make the object what the manifest says, and return it as it is then."""
        ...

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the object as it is, or None."""
        ...

    def delete(self, kind: Kind, namespace: str, name: str, seconds: float) -> None:
        """Delete the object and what it owns, and wait until it is gone."""
        ...


class RealCluster:
    """A cluster behind an API server."""

    is_real = True

    def __init__(self, client: ApiClient) -> None:
        """Ask this API server; it is given the definitions of custom resources."""
        self._client = client
        for definition in custom_resource_definitions():
            name = definition["metadata"]["name"]
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            client.apply(path, definition, manager="simulated-cloud")
            _until(lambda path=path: _established(client.get(path)), 30.0)

    def apply(self, kind: Kind, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Manifest:
        """Apply on the server's side."""
        metadata = manifest["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"])
        return self._client.apply(path, manifest, manager=MANAGER, dry_run=dry_run).body

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return the object; one that is being deleted counts as gone."""
        found = self._client.find(kind.path(namespace, name))
        if found is None or found["metadata"].get("deletionTimestamp"):
            return None
        return found

    def delete(self, kind: Kind, namespace: str, name: str, seconds: float) -> None:
        """Delete it with what it owns."""
        path = kind.path(namespace, name)
        self._client.delete(path)
        if not _until(lambda: self._client.find(path) is None, seconds or DELETE_SECONDS):
            raise Refusal(f"{kind.title} {name} was not gone in time: see its finalizers")


class StoredCluster:
    """A cluster in a file, by the address of the API server that it would have."""

    is_real = False

    def __init__(self, store: FileStore, address: str) -> None:
        """Keep the objects of the cluster at `address` apart from those of others."""
        self._store, self._address = store, address

    def apply(self, kind: Kind, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Manifest:
        """Keep the object as it is."""
        metadata = manifest["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if kind.namespaced and namespace not in ALWAYS_THERE:
            space = self._store.get(self._section("v1", "Namespace"), namespace)
            if space is None:
                raise Refusal(f'namespaces "{namespace}" not found')
        old = self.get(kind, namespace, name)
        kept: Manifest = copy.deepcopy(dict(manifest))
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        kept["metadata"] |= {
            "uid": old["metadata"]["uid"] if old else str(uuid.uuid4()),
            "creationTimestamp": old["metadata"]["creationTimestamp"] if old else now,
        }
        if not dry_run:
            section = self._section(kind.api_version, kind.name)
            self._store.put(section, f"{namespace}/{name}" if namespace else name, kept)
        return kept

    def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Return what was kept."""
        section = self._section(kind.api_version, kind.name)
        return self._store.get(section, f"{namespace}/{name}" if namespace else name)

    def delete(self, kind: Kind, namespace: str, name: str, seconds: float) -> None:
        """Forget it, and with a namespace everything in it."""
        section = self._section(kind.api_version, kind.name)
        self._store.remove(section, f"{namespace}/{name}" if namespace else name)
        if kind.name == "Namespace":
            for other in self._store.kinds():
                if other.startswith(f"{self._address} "):
                    for key in self._store.list(other):
                        if key.startswith(f"{name}/"):
                            self._store.remove(other, key)

    def _section(self, api_version: str, kind: str) -> str:
        return f"{self._address} {api_version}/{kind}"


def _established(definition: Manifest) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _until(done: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
