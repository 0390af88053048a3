"""EKS clusters: the control plane, its addresses and its security group.

Owns what EKS asks of a cluster (a version it has, subnets in two zones, a role that EKS may assume)
and the group it makes for nodes. What moto's cluster does not have (access mode, protection,
upgrade policy) is kept in the file store under the cluster's name.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.eks_versions import DEFAULT_VERSION, KUBERNETES_VERSIONS
from simulated_cloud.aws.iam_roles import trusted_services
from simulated_cloud.aws.kms import see_key
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

STORED = "aws:eks:cluster"
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_KEPT = ("accessConfig", "upgradePolicy", "deletionProtection", "zonalShiftConfig")


class Cluster(AwsType):
    """aws.eks.Cluster."""

    token = "aws:eks/cluster:Cluster"
    title = "EKS Cluster"
    missing = frozenset({"ResourceNotFoundException"})
    defaults: ClassVar = {
        "bootstrapSelfManagedAddons": True,
        "deletionProtection": False,
        "accessConfig": {
            "authenticationMode": "API_AND_CONFIG_MAP",
            "bootstrapClusterCreatorAdminPermissions": True,
        },
        "upgradePolicy": {"supportType": "EXTENDED"},
        "enabledClusterLogTypes": [],
    }
    replace_on = frozenset(
        {
            *("name", "roleArn", "encryptionConfig", "bootstrapSelfManagedAddons"),
            *("kubernetesNetworkConfig.serviceIpv4Cidr", "kubernetesNetworkConfig.ipFamily"),
            "accessConfig.bootstrapClusterCreatorAdminPermissions",
        }
    )
    filled_in = frozenset({"vpcConfig.clusterSecurityGroupId", "vpcConfig.vpcId"})
    name_property = "name"
    name_length = 100
    kept = frozenset({"bootstrapSelfManagedAddons", "defaultAddonsToRemoves", "forceUpdateVersion"})
    unsupported = frozenset(
        {"computeConfig", "controlPlaneScalingConfig", "outpostConfig", "remoteNetworkConfig"}
        | {"storageConfig"}
    )

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what EKS refuses without a look at the account."""
        name = inputs.get("name", "x")
        if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", name):
            yield InputProblem(
                "name",
                "must be between 1-100 characters in length. Must begin with an alphanumeric "
                "character, and must only contain alphanumeric characters, dashes and "
                f"underscores: {name}",
            )
        version = inputs.get("version")
        if version is not None and version not in KUBERNETES_VERSIONS:
            yield InputProblem(
                "version",
                f"InvalidParameterException: unsupported Kubernetes version {version} (EKS has "
                f"{', '.join(KUBERNETES_VERSIONS)})",
            )
        unknown = sorted(set(inputs.get("enabledClusterLogTypes") or []) - set(LOG_TYPES))
        if unknown:
            yield InputProblem(
                "enabledClusterLogTypes",
                f"expected enabled_cluster_log_types to be one of [{' '.join(LOG_TYPES)}], got "
                f"{unknown[0]}",
            )
        addresses = inputs.get("vpcConfig") or {}
        private, public = (
            addresses.get("endpointPrivateAccess", False),
            addresses.get("endpointPublicAccess", True),
        )
        if not private and not public:
            yield InputProblem(
                "vpcConfig",
                "InvalidParameterException: Private and public endpoint access cannot both be "
                "disabled.",
            )
        encryption = inputs.get("encryptionConfig") or {}
        if encryption and encryption.get("resources") != ["secrets"]:
            yield InputProblem(
                "encryptionConfig.resources", "expected resources to be one of [secrets]"
            )
        mode = (inputs.get("accessConfig") or {}).get("authenticationMode", "API")
        if mode not in ("API", "API_AND_CONFIG_MAP", "CONFIG_MAP"):
            yield InputProblem(
                "accessConfig.authenticationMode",
                "expected authentication_mode to be one of [API API_AND_CONFIG_MAP CONFIG_MAP], "
                f"got {mode}",
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the control plane and the group of its nodes."""
        eks, name = aws.client("eks"), inputs["name"]
        vpc = self._see(aws, inputs)
        key = (inputs.get("encryptionConfig") or {}).get("provider", {}).get("keyArn")
        see_key(aws, key)
        encryption = [{"resources": ["secrets"], "provider": {"keyArn": key}}] if key else []
        network = inputs.get("kubernetesNetworkConfig") or {}
        eks.create_cluster(
            name=name,
            roleArn=inputs["roleArn"],
            version=inputs.get("version") or DEFAULT_VERSION,
            resourcesVpcConfig=_addresses(inputs),
            logging=_logging(inputs),
            encryptionConfig=encryption,
            tags=inputs.get("tagsAll") or {},
            **({"kubernetesNetworkConfig": network} if network else {}),
        )
        model = moto_backend(aws, "eks").clusters[name]
        identity = secrets.token_hex(16).upper()
        # moto gives every cluster the same ones; a role trusts the tokens of one issuer.
        issuer = f"https://oidc.eks.{aws.region}.amazonaws.com/id/{identity}"
        model.identity = {"oidc": {"issuer": issuer}}
        model.endpoint = f"https://{identity}.gr7.{aws.region}.eks.amazonaws.com"
        group = self._security_group(aws, name, vpc)
        aws.store.put(
            STORED,
            _key(aws, name),
            {"securityGroup": group, "vpc": vpc, **{k: inputs.get(k) for k in _KEPT}},
        )
        return name

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the cluster."""
        cluster = aws.client("eks").describe_cluster(name=identity)["cluster"]
        stored = aws.store.get(STORED, _key(aws, identity)) or {}
        addresses = cluster["resourcesVpcConfig"]
        logs = cluster.get("logging", {}).get("clusterLogging") or []
        encryption = cluster.get("encryptionConfig") or []
        found = {
            "arn": cluster["arn"],
            "name": cluster["name"],
            "version": cluster["version"],
            "roleArn": cluster["roleArn"],
            "endpoint": cluster["endpoint"],
            "status": cluster["status"],
            "platformVersion": cluster.get("platformVersion", "eks.1"),
            "createdAt": cluster["createdAt"].isoformat(),
            "certificateAuthority": {"data": cluster["certificateAuthority"]["data"]},
            "identities": [{"oidcs": [{"issuer": cluster["identity"]["oidc"]["issuer"]}]}],
            "vpcConfig": {
                "clusterSecurityGroupId": stored.get("securityGroup"),
                "endpointPrivateAccess": bool(addresses.get("endpointPrivateAccess", False)),
                "endpointPublicAccess": bool(addresses.get("endpointPublicAccess", True)),
                "publicAccessCidrs": addresses.get("publicAccessCidrs") or [],
                "securityGroupIds": addresses.get("securityGroupIds") or [],
                "subnetIds": addresses["subnetIds"],
                "vpcId": stored.get("vpc"),
            },
            "enabledClusterLogTypes": [
                kind for entry in logs if entry.get("enabled") for kind in entry["types"]
            ],
            "tagsAll": cluster.get("tags") or {},
            **{key: stored[key] for key in _KEPT if stored.get(key) is not None},
        }
        if encryption:
            key = encryption[0]["provider"]["keyArn"]
            found["encryptionConfig"] = {"provider": {"keyArn": key}, "resources": ["secrets"]}
        return found

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Upgrade the cluster by one version; change addresses, logs and what is kept here."""
        self._see(aws, news)
        if "version" in changed and news.get("version"):
            self._upgrade(aws, identity, news["version"])
        if changed & {"vpcConfig", "enabledClusterLogTypes"}:
            aws.client("eks").update_cluster_config(
                name=identity, resourcesVpcConfig=_addresses(news), logging=_logging(news)
            )
        stored = aws.store.get(STORED, _key(aws, identity)) or {}
        aws.store.put(STORED, _key(aws, identity), {**stored, **{k: news.get(k) for k in _KEPT}})

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        retag_eks(aws, aws.arn("eks", f"cluster/{identity}"), gone, tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a cluster without nodes, and its group."""
        eks = aws.client("eks")
        stored = aws.store.get(STORED, _key(aws, identity)) or {}
        if stored.get("deletionProtection"):
            raise Refusal(
                "InvalidRequestException: Cannot delete cluster because deletion protection is "
                f"enabled on it ({identity})"
            )
        eks.delete_cluster(name=identity)
        if stored.get("securityGroup"):
            ec2 = aws.client("ec2")
            group = [{"Name": "group-id", "Values": [stored["securityGroup"]]}]
            if ec2.describe_security_groups(Filters=group)["SecurityGroups"]:
                ec2.delete_security_group(GroupId=stored["securityGroup"])
        aws.store.remove(STORED, _key(aws, identity))

    @staticmethod
    def _see(aws: AwsCloud, inputs: Properties) -> str:
        """Refuse what is not there; return the VPC of the subnets."""
        if "eks.amazonaws.com" not in trusted_services(aws, inputs["roleArn"]):
            raise Refusal(
                "InvalidParameterException: Role could not be assumed because the trusted entity "
                f"is not correct ({inputs['roleArn']} does not trust eks.amazonaws.com)"
            )
        addresses = inputs["vpcConfig"]
        ec2 = aws.client("ec2")
        subnets = ec2.describe_subnets(SubnetIds=addresses["subnetIds"])["Subnets"]
        if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:
            raise Refusal(
                "InvalidParameterException: Subnets specified must be in at least two different AZs"
            )
        if len({subnet["VpcId"] for subnet in subnets}) > 1:
            raise Refusal("InvalidParameterException: Subnets must be in the same VPC")
        if addresses.get("securityGroupIds"):
            ec2.describe_security_groups(GroupIds=addresses["securityGroupIds"])
        return subnets[0]["VpcId"]

    @staticmethod
    def _security_group(aws: AwsCloud, name: str, vpc: str) -> str:
        """Make the group that EKS makes: its members reach each other."""
        ec2 = aws.client("ec2")
        group = ec2.create_security_group(
            GroupName=f"eks-cluster-sg-{name}-{secrets.randbelow(10**9)}",
            Description="EKS created security group applied to ENI that is attached to EKS Control "
            "Plane master nodes, as well as any managed workloads.",
            VpcId=vpc,
        )["GroupId"]
        mutual = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[mutual])
        return group

    @staticmethod
    def _upgrade(aws: AwsCloud, name: str, wanted: str) -> None:
        now = aws.client("eks").describe_cluster(name=name)["cluster"]["version"]
        if wanted not in KUBERNETES_VERSIONS:
            return
        step = KUBERNETES_VERSIONS.index(wanted) - KUBERNETES_VERSIONS.index(now)
        if step not in (0, 1):
            raise Refusal(
                "InvalidParameterException: Unsupported Kubernetes minor version update from "
                f"{now} "
                f"to {wanted}"
            )
        moto_backend(aws, "eks").clusters[name].version = wanted


def retag_eks(aws: AwsCloud, arn: str, gone: list[str], tags: dict[str, str]) -> None:
    """Write the tags of anything of EKS's that moto has."""
    eks = aws.client("eks")
    if gone:
        eks.untag_resource(resourceArn=arn, tagKeys=gone)
    if tags:
        eks.tag_resource(resourceArn=arn, tags=tags)


def _addresses(inputs: Properties) -> dict[str, Any]:
    taken = (
        *("endpointPrivateAccess", "endpointPublicAccess", "publicAccessCidrs"),
        *("securityGroupIds", "subnetIds"),
    )
    given = inputs["vpcConfig"]
    addresses = {key: given[key] for key in taken if given.get(key) is not None}
    if addresses.get("endpointPublicAccess", True):
        addresses.setdefault("publicAccessCidrs", ["0.0.0.0/0"])
    return addresses


def _logging(inputs: Properties) -> dict[str, Any]:
    on = inputs.get("enabledClusterLogTypes") or []
    off = [kind for kind in LOG_TYPES if kind not in on]
    states = ((on, True), (off, False))
    return {"clusterLogging": [{"types": kinds, "enabled": e} for kinds, e in states if kinds]}


def _key(aws: AwsCloud, name: str) -> str:
    return f"{aws.region}/{name}"


TYPES = (Cluster,)
