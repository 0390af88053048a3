"""Helm releases: noted in the cluster as Helm notes them, without a chart being fetched.

Owns what a release promises whatever its chart: its name is one of its namespace, its record is a
Secret there (so that a release somebody uninstalls is missed), and the values in it are the
program's. What the chart would bring is not there: no pod runs here anyway, and the definitions of
custom resources that the platform uses are the cluster's from its start.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.errors import InputProblem, NotSupported, Refusal
from simulated_cloud.kubernetes.api_client import ApiError
from simulated_cloud.kubernetes.clusters import ALWAYS_THERE, Cluster
from simulated_cloud.kubernetes.object_kinds import kind_of
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call, ResourceType
from simulated_cloud.sdk_schema import ResourceSchema, resource_schema

MODULE, NAME = "helm.sh/v3", "Release"
LONGEST_NAME = 53
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_VERSION = re.compile(r"v?\d+(\.\d+){0,2}([-+].*)?|[~^<>=].*")
_NOTED = ("chart", "name", "namespace", "repositoryOpts", "values", "version")


class HelmRelease(ResourceType[Cluster]):
    """kubernetes.helm.v3.Release."""

    token = f"kubernetes:{MODULE}:{NAME}"
    sdk = "pulumi_kubernetes"
    defaults: ClassVar = {"namespace": "default"}
    replace_on = frozenset({"name", "namespace"})
    name_property = "name"
    name_length = LONGEST_NAME

    @property
    def schema(self) -> ResourceSchema:
        """The SDK has releases beside, not under, their API group's name."""
        schema = resource_schema("pulumi_kubernetes.helm", f"helm:v3/release:{NAME}")
        if schema is None:
            raise NotSupported(f"{self.token} is not a type of {self.sdk}")
        return schema

    def check(self, call: Call[Cluster], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what Helm refuses before it looks for a chart."""
        name = inputs.get("name", "x")
        if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            yield InputProblem(
                "name",
                f"invalid release name, must match regex {_NAME.pattern} and the length must not "
                f"be longer than {LONGEST_NAME}",
            )
        version = inputs.get("version")
        if version is not None and not _VERSION.fullmatch(version):
            yield InputProblem("version", f"improper constraint: {version}")
        repository = (inputs.get("repositoryOpts") or {}).get("repo")
        if repository is not None and not re.match(r"(https?|oci)://", repository):
            yield InputProblem(
                "repositoryOpts.repo", f"could not find protocol handler for: {repository}"
            )

    def create(self, call: Call[Cluster], inputs: Properties) -> str:
        """Note the release, in a namespace that is made where the program asks for it."""
        namespace, name = inputs["namespace"], inputs["name"]
        spaces = kind_of("v1", "Namespace")
        if inputs.get("createNamespace") and call.cloud.get(spaces, "", namespace) is None:
            manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            if namespace not in ALWAYS_THERE:
                call.cloud.apply(spaces, manifest)
        if self._record(call, namespace, name) is not None:
            raise Refusal("cannot re-use a name that is still in use")
        self._note(call, inputs, 1)
        return f"{namespace}/{name}"

    def read(self, call: Call[Cluster], identity: str, known: Properties) -> Properties | None:
        """The release as it is noted."""
        namespace, _, name = identity.partition("/")
        record = self._record(call, namespace, name)
        if record is None:
            return None
        revision = record.pop("revision")
        status = {
            "name": name,
            "namespace": namespace,
            "chart": record["chart"],
            "version": record.get("version"),
            "revision": revision,
            "status": "deployed",
        }
        return {**record, "status": status, "resourceNames": {}}

    def update(
        self,
        call: Call[Cluster],
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Note the next revision."""
        record = self._record(call, *identity.split("/", 1)) or {"revision": 0}
        self._note(call, news, record["revision"] + 1)

    def delete(self, call: Call[Cluster], identity: str, state: Properties) -> None:
        """Take the note away; a namespace stays, as it does with Helm."""
        namespace, _, name = identity.partition("/")
        if self._record(call, namespace, name) is not None:
            call.cloud.delete(kind_of("v1", "Secret"), namespace, _secret(name), 0)

    def planned_update(self, olds: Properties, inputs: Properties) -> Properties:
        """The revision is another one afterwards."""
        from simulated_cloud.property_values import UNKNOWN

        return {**super().planned_update(olds, inputs), "status": UNKNOWN}

    @staticmethod
    def _record(call: Call[Cluster], namespace: str, name: str) -> Properties | None:
        found = call.cloud.get(kind_of("v1", "Secret"), namespace, _secret(name))
        if found is None:
            return None
        # Twice, as Helm's is: once for itself, once as every Secret's data.
        return json.loads(base64.b64decode(base64.b64decode(found["data"]["release"])))

    @staticmethod
    def _note(call: Call[Cluster], inputs: Properties, revision: int) -> None:
        noted: dict[str, Any] = {k: inputs[k] for k in _NOTED if inputs.get(k) is not None}
        text = json.dumps({**noted, "revision": revision}, sort_keys=True)
        twice = base64.b64encode(base64.b64encode(text.encode())).decode()
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": _secret(inputs["name"]),
                "namespace": inputs["namespace"],
                "labels": {"owner": "helm", "name": inputs["name"], "status": "deployed"},
            },
            "type": "helm.sh/release.v1",
            "data": {"release": twice},
        }
        try:
            call.cloud.apply(kind_of("v1", "Secret"), manifest)
        except ApiError as error:
            raise Refusal(f"create: failed to create: {error}") from None


def _secret(name: str) -> str:
    return f"sh.helm.release.v1.{name}.v1"
