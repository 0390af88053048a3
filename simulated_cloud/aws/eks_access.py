"""What is installed in a cluster and who may use it: add-ons, access entries, pod identities.

Owns these four types, which moto does not have: they are kept in the file store, and every call
looks that their cluster (and role) is there. Deleting a cluster takes them along, as EKS does.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.eks_versions import addon_version, addon_versions
from simulated_cloud.aws.iam_names import check_arn
from simulated_cloud.aws.iam_roles import see_role
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

ACCESS_POLICY = "arn:aws:eks::aws:cluster-access-policy/"
ACCESS_POLICIES = frozenset(
    {
        *("AmazonEKSAdminPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSAdminViewPolicy"),
        *("AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSAutoNodePolicy"),
    }
)


class _InCluster(AwsType):
    """A thing of a cluster, kept in the file store."""

    missing = frozenset({"ResourceNotFoundException"})
    title = "EKS"

    def key(self, aws: AwsCloud, identity: str) -> str:
        """Return the key in the store."""
        return f"{aws.region}/{identity}"

    def computed(self, aws: AwsCloud, inputs: Properties) -> Properties:
        """Return what EKS adds."""
        return {}

    def identify(self, inputs: Properties) -> str:
        """Return the id."""
        raise NotImplementedError

    def see(self, aws: AwsCloud, inputs: Properties) -> None:
        """Refuse what EKS would with a look at the account."""

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Keep it, in a cluster that is there."""
        aws.client("eks").describe_cluster(name=inputs["clusterName"])
        self.see(aws, inputs)
        identity = self.identify(inputs)
        if aws.store.get(self.token, self.key(aws, identity)) is not None:
            raise Refusal(f"ResourceInUseException: {identity} already exists")
        kept = {**inputs, **self.computed(aws, inputs)}
        aws.store.put(self.token, self.key(aws, identity), kept)
        return identity

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return it as it is kept, unless its cluster is gone."""
        stored = aws.store.get(self.token, self.key(aws, identity))
        if stored is None:
            return None
        aws.client("eks").describe_cluster(name=stored["clusterName"])
        return {"tagsAll": {}, **stored}

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Keep it anew."""
        self.see(aws, news)
        stored = aws.store.get(self.token, self.key(aws, identity)) or {}
        given = {key: value for key, value in news.items() if key in self.schema.inputs}
        gone = {key: None for key in changed if key not in news}
        kept = {k: v for k, v in {**stored, **gone, **given}.items() if v is not None}
        aws.store.put(self.token, self.key(aws, identity), kept)

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        stored = aws.store.get(self.token, self.key(aws, identity)) or {}
        aws.store.put(self.token, self.key(aws, identity), {**stored, "tagsAll": tags})

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Forget it."""
        aws.store.remove(self.token, self.key(aws, identity))


class Addon(_InCluster):
    """aws.eks.Addon."""

    token = "aws:eks/addon:Addon"
    title = "EKS Add-On"
    replace_on = frozenset({"addonName", "clusterName"})
    kept = frozenset({"preserve", "resolveConflictsOnCreate", "resolveConflictsOnUpdate"})
    unsupported = frozenset({"podIdentityAssociations"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield add-ons and versions that EKS does not have, and settings that are no JSON."""
        name, version = inputs.get("addonName"), inputs.get("addonVersion")
        if name is not None and not addon_versions(name):
            yield InputProblem(
                "addonName", f"InvalidParameterException: Addon {name} is not supported"
            )
        elif name is not None and version is not None and version not in addon_versions(name):
            yield InputProblem(
                "addonVersion",
                "InvalidParameterException: Addon version specified is not supported "
                f"({name} {version})",
            )
        settings = inputs.get("configurationValues")
        if settings is not None:
            try:
                json.loads(settings)
            except ValueError:
                yield InputProblem(
                    "configurationValues",
                    "InvalidParameterException: ConfigurationValue provided in request is not "
                    "supported: it is no JSON",
                )
        for when in ("Create", "Update"):
            wanted = inputs.get(f"resolveConflictsOn{when}", "NONE")
            if wanted not in ("NONE", "OVERWRITE", "PRESERVE") or (
                when == "Create" and wanted == "PRESERVE"
            ):
                yield InputProblem(
                    f"resolveConflictsOn{when}",
                    f"expected resolve_conflicts_on_{when.lower()} to be one of [NONE OVERWRITE"
                    f"{' PRESERVE' if when == 'Update' else ''}], got {wanted}",
                )

    def identify(self, inputs: Properties) -> str:
        """Return cluster and name."""
        return f"{inputs['clusterName']}:{inputs['addonName']}"

    def see(self, aws: AwsCloud, inputs: Properties) -> None:
        """Refuse a role that is not there."""
        if inputs.get("serviceAccountRoleArn"):
            see_role(aws, inputs["serviceAccountRoleArn"])

    def computed(self, aws: AwsCloud, inputs: Properties) -> Properties:
        """Return the default version where none is asked for."""
        cluster = aws.client("eks").describe_cluster(name=inputs["clusterName"])["cluster"]
        name = inputs["addonName"]
        version = inputs.get("addonVersion") or addon_version(name, cluster["version"])
        arn = aws.arn("eks", f"addon/{inputs['clusterName']}/{name}/{secrets.token_hex(8)}")
        return {"arn": arn, "addonVersion": version, "createdAt": "", "modifiedAt": ""}


class AccessEntry(_InCluster):
    """aws.eks.AccessEntry."""

    token = "aws:eks/accessEntry:AccessEntry"
    title = "EKS Access Entry"
    defaults: ClassVar = {"type": "STANDARD"}
    replace_on = frozenset({"clusterName", "principalArn", "type"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what is no principal."""
        yield from check_arn(inputs, "principalArn")

    def identify(self, inputs: Properties) -> str:
        """Return cluster and principal."""
        return f"{inputs['clusterName']}:{inputs['principalArn']}"

    def computed(self, aws: AwsCloud, inputs: Properties) -> Properties:
        """Return the entry's own name."""
        who = inputs["principalArn"].rpartition("/")[2]
        arn = aws.arn("eks", f"access-entry/{inputs['clusterName']}/role/{who}")
        return {"accessEntryArn": arn, "userName": inputs.get("userName") or inputs["principalArn"]}


class AccessPolicyAssociation(_InCluster):
    """aws.eks.AccessPolicyAssociation: what an access entry may do."""

    token = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
    title = "EKS Access Policy Association"
    replace_on = frozenset({"accessScope", "clusterName", "policyArn", "principalArn"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield policies that EKS does not have and scopes without a namespace."""
        policy = inputs.get("policyArn")
        if policy is not None and policy.removeprefix(ACCESS_POLICY) not in ACCESS_POLICIES:
            yield InputProblem(
                "policyArn", f"InvalidParameterException: Policy arn {policy} is not valid"
            )
        scope = inputs.get("accessScope") or {}
        if scope.get("type", "cluster") not in ("cluster", "namespace"):
            yield InputProblem("accessScope.type", "expected type to be one of [cluster namespace]")
        if scope.get("type") == "namespace" and not scope.get("namespaces"):
            yield InputProblem(
                "accessScope.namespaces",
                "InvalidParameterException: The accessScope of type namespace needs namespaces",
            )

    def identify(self, inputs: Properties) -> str:
        """Return cluster, principal and policy."""
        return "#".join((inputs["clusterName"], inputs["principalArn"], inputs["policyArn"]))

    def see(self, aws: AwsCloud, inputs: Properties) -> None:
        """Refuse a principal that has no entry."""
        entry = f"{aws.region}/{inputs['clusterName']}:{inputs['principalArn']}"
        if aws.store.get(AccessEntry.token, entry) is None:
            raise Refusal(
                "ResourceNotFoundException: The specified principalArn could not be found: "
                f"{inputs['principalArn']} has no access entry"
            )


class PodIdentityAssociation(_InCluster):
    """aws.eks.PodIdentityAssociation."""

    token = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
    title = "EKS Pod Identity Association"
    replace_on = frozenset({"clusterName", "namespace", "serviceAccount"})

    def identify(self, inputs: Properties) -> str:
        """Return cluster, namespace and service account."""
        return "/".join((inputs["clusterName"], inputs["namespace"], inputs["serviceAccount"]))

    def see(self, aws: AwsCloud, inputs: Properties) -> None:
        """Refuse a role that is not there."""
        see_role(aws, inputs["roleArn"])

    def computed(self, aws: AwsCloud, inputs: Properties) -> Properties:
        """Return the association's own name."""
        identity: Any = f"a-{secrets.token_hex(8)}"
        arn = aws.arn("eks", f"podidentityassociation/{inputs['clusterName']}/{identity}")
        return {"associationId": identity, "associationArn": arn}


TYPES = (Addon, AccessEntry, AccessPolicyAssociation, PodIdentityAssociation)
