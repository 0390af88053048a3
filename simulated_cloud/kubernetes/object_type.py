"""One kind of Kubernetes object as a type of resource.

Owns what the real provider does with every object whatever its kind: the name and namespace it
fills in, validation before anything is sent, server-side apply, the wait until the object is ready,
which changes need a new object, and which of what is found is the program's.
"""

from __future__ import annotations

import secrets
from typing import Any

from simulated_cloud.errors import InputProblem, NotReady
from simulated_cloud.kubernetes import object_rules, object_schema, readiness
from simulated_cloud.kubernetes.api_client import ApiError
from simulated_cloud.kubernetes.clusters import Cluster
from simulated_cloud.kubernetes.object_comparison import (
    differences,
    project,
    sent,
    with_text_secrets,
)
from simulated_cloud.kubernetes.object_kinds import Kind
from simulated_cloud.property_values import (
    UNKNOWN,
    Properties,
    Secret,
    clear,
    contains_unknown,
    hide,
)
from simulated_cloud.resource_type import Call, Difference, ResourceType
from simulated_cloud.sdk_schema import ANY, ResourceSchema

DEFAULT_NAMESPACE = "default"

_NEW_OBJECT = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
_IMMUTABLE = {
    "Deployment": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    "DaemonSet": ("spec.selector",),
    "Job": ("spec.template", "spec.selector", "spec.completions", "spec.completionMode"),
    "Secret": ("type",),
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
}
"""What the API server refuses to change, by kind."""


class ObjectType(ResourceType[Cluster]):
    """Objects of one kind."""

    def __init__(self, kind: Kind) -> None:
        """Serve `kind`."""
        self._kind = kind

    @property
    def schema(self) -> ResourceSchema:
        """The object's own fields, which `object_schema` judges."""
        names = self._kind.schema["properties"]
        return ResourceSchema(dict.fromkeys(names, ANY), frozenset(), frozenset({*names, "status"}))

    def check_inputs(
        self, call: Call[Cluster], olds: Properties, news: Properties, seed: bytes
    ) -> tuple[Properties, list[InputProblem]]:
        """Fill in name and namespace, and judge the whole."""
        inputs = {key: value for key, value in news.items() if value is not None}
        inputs |= {"apiVersion": self._kind.api_version, "kind": self._kind.name}
        metadata: Any = inputs.get("metadata") or {}
        if isinstance(metadata, dict):
            inputs["metadata"] = self._metadata(call.name, olds, metadata, seed)
        found = list(object_schema.problems(inputs, self._kind))
        if not found and not contains_unknown(inputs):
            found = list(object_rules.problems(clear(inputs), self._kind))
        return inputs, found

    def _metadata(
        self, name: str, olds: Properties, metadata: Properties, seed: bytes
    ) -> Properties:
        filled = dict(metadata)
        if filled.get("name") is None:
            old = (olds.get("metadata") or {}).get("name")
            suffix = (seed.hex() if seed else secrets.token_hex(4))[:8]
            filled["name"] = old or f"{name}-{suffix}"
        if self._kind.namespaced and filled.get("namespace") is None:
            filled["namespace"] = DEFAULT_NAMESPACE
        return filled

    def differences(self, olds: Properties, news: Properties) -> list[Difference]:
        """Every field that differs; some of them need a new object."""
        return [
            Difference(path, change, self.replaces(path))
            for path, change in differences(olds, news)
        ]

    def replaces(self, path: str) -> bool:
        """Whether the API server would refuse the change."""
        fixed = (*_NEW_OBJECT, *_IMMUTABLE.get(self._kind.name, ()))
        return any(path == item or path.startswith((f"{item}.", f"{item}[")) for item in fixed)

    def delete_before_replace(self, olds: Properties, news: Properties) -> bool:
        """Two objects of one kind cannot have the same name."""
        one, other = olds.get("metadata") or {}, news.get("metadata") or {}
        return (one.get("name"), one.get("namespace")) == (
            other.get("name"),
            other.get("namespace"),
        )

    def planned(self, inputs: Properties) -> Properties:
        """What the program says, and nothing of what only a cluster can tell."""
        metadata = {**inputs.get("metadata", {}), **dict.fromkeys(_GIVEN, UNKNOWN)}
        return {**inputs, "metadata": metadata, "status": UNKNOWN, "id": UNKNOWN}

    def planned_update(self, olds: Properties, inputs: Properties) -> Properties:
        """The program's words, with what never changes of the object."""
        kept = {k: v for k, v in (olds.get("metadata") or {}).items() if k in _GIVEN}
        return {**inputs, "metadata": {**kept, **inputs.get("metadata", {})}}

    def rehearse(self, call: Call[Cluster], inputs: Properties) -> None:
        """Ask the API server what it would say, where one runs and everything is known."""
        if not call.cloud.is_real or contains_unknown(inputs):
            return
        try:
            call.cloud.apply(self._kind, sent(clear(inputs)), dry_run=True)
        except ApiError as error:
            # The namespace is made in the same deployment.
            if error.reason == "NotFound" and error.details.get("kind") == "namespaces":
                return
            raise

    def create(self, call: Call[Cluster], inputs: Properties) -> str:
        """Apply it and wait until it is ready."""
        return self._apply(call, inputs)

    def update(
        self,
        call: Call[Cluster],
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Apply it and wait until it is ready again."""
        self._apply(call, news)

    def _apply(self, call: Call[Cluster], inputs: Properties) -> str:
        metadata = inputs["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        identity = f"{namespace}/{name}" if namespace else name
        live = call.cloud.apply(self._kind, sent(inputs))
        if call.cloud.is_real:
            problem = readiness.wait(
                self._kind.name,
                lambda: call.cloud.get(self._kind, namespace, name),
                call.timeout_seconds,
            )
            if problem:
                read = self._read_back(live, inputs)
                raise NotReady(identity, self.outputs(inputs, read, identity), [problem])
        return identity

    def read(self, call: Call[Cluster], identity: str, known: Properties) -> Properties | None:
        """The live object."""
        namespace, _, name = identity.rpartition("/")
        live = call.cloud.get(self._kind, namespace, name)
        return None if live is None else self._read_back(live, known)

    def _read_back(self, live: Properties, known: Properties) -> Properties:
        shown = with_text_secrets(known, live)
        metadata = {k: v for k, v in shown["metadata"].items() if k not in _SERVERS}
        return {
            **{key: value for key, value in shown.items() if key != "status"},
            "apiVersion": self._kind.api_version,
            "kind": self._kind.name,
            "metadata": metadata,
        }

    def outputs(self, inputs: Properties, read: Properties, identity: str) -> Properties:
        """The program's fields as they are, and what Kubernetes gave the object for life."""
        found = self.found_inputs(inputs, read)
        given = {k: v for k, v in read["metadata"].items() if k in _GIVEN}
        metadata = {**found.get("metadata", {}), **given}
        return {**hide(found, inputs), "metadata": metadata, "id": identity}

    def found_inputs(self, inputs: Properties, read: Properties) -> Properties:
        """The inputs that would have made the object as it is."""
        if not inputs:
            found = {key: value for key, value in read.items() if key != "status"}
            return {k: Secret(v) if k in _HIDDEN else v for k, v in found.items()}
        ours = {
            key: value for key, value in inputs.items() if key in self._kind.schema["properties"]
        }
        return project(ours, read)

    def delete(self, call: Call[Cluster], identity: str, state: Properties) -> None:
        """Delete it with what it owns, and wait until it is gone."""
        namespace, _, name = identity.rpartition("/")
        call.cloud.delete(self._kind, namespace, name, call.timeout_seconds)


_HIDDEN = frozenset({"data", "stringData"})
_GIVEN = frozenset({"uid", "creationTimestamp"})
_SERVERS = frozenset({"managedFields", "resourceVersion", "generation", "selfLink"})
