"""EC2 launch templates: how the nodes of a cluster start.

Owns the templates' versions (each change is a new one, the default where `updateDefaultVersion`
says so) and what EC2 refuses of metadata options and volumes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from simulated_cloud.aws.aws_type import from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.ec2_type import Ec2Type
from simulated_cloud.aws.kms import see_key
from simulated_cloud.aws.spelling import camel, pascal
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

_DATA = (
    *("blockDeviceMappings", "ebsOptimized", "imageId", "instanceType", "keyName"),
    *("metadataOptions", "monitoring", "tagSpecifications", "userData", "vpcSecurityGroupIds"),
)
_SPELLED = {
    "vpcSecurityGroupIds": "SecurityGroupIds",
    "httpProtocolIpv6": "HttpProtocolIpv6",
    "snapshotId": "SnapshotId",
}


class LaunchTemplate(Ec2Type):
    """aws.ec2.LaunchTemplate."""

    token = "aws:ec2/launchTemplate:LaunchTemplate"
    title = "EC2 Launch Template"
    kind = "launch-template"
    missing = frozenset(
        {"InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFoundException"}
        | {"InvalidLaunchTemplateId.NotFoundException"}
    )
    replace_on = frozenset({"name", "namePrefix"})
    name_property = "name"
    name_length = 128
    kept = frozenset({"updateDefaultVersion", "defaultVersion"})
    unsupported = frozenset(
        {"namePrefix", "networkInterfaces", "placement", "instanceRequirements"}
    )

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield options that EC2 does not take."""
        options = inputs.get("metadataOptions") or {}
        for name, allowed in (
            ("httpEndpoint", ("enabled", "disabled")),
            ("httpTokens", ("optional", "required")),
        ):
            value = options.get(name)
            if value is not None and value not in allowed:
                yield InputProblem(
                    f"metadataOptions.{name}",
                    f"expected {name} to be one of [{' '.join(allowed)}], got {value}",
                )
        hops = options.get("httpPutResponseHopLimit", 1)
        if not 1 <= hops <= 64:
            yield InputProblem(
                "metadataOptions.httpPutResponseHopLimit",
                f"expected http_put_response_hop_limit to be in the range (1 - 64), got {hops}",
            )
        for mapping in inputs.get("blockDeviceMappings") or []:
            if not re.fullmatch(r"/dev/[a-z0-9]+", mapping.get("deviceName", "/dev/xvda")):
                yield InputProblem(
                    "blockDeviceMappings",
                    f"InvalidBlockDeviceMapping: invalid device name {mapping['deviceName']}",
                )
            size = (mapping.get("ebs") or {}).get("volumeSize", 8)
            if not 1 <= size <= 65536:
                yield InputProblem(
                    "blockDeviceMappings",
                    f"InvalidParameterValue: Volume of {size}GiB is out of range (1 - 65536)",
                )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the template with its first version."""
        self._see(aws, inputs)
        ec2 = aws.client("ec2")
        names = [
            t["LaunchTemplateName"] for t in ec2.describe_launch_templates()["LaunchTemplates"]
        ]
        if inputs["name"] in names:
            raise Refusal(
                "InvalidLaunchTemplateName.AlreadyExistsException: Launch template name "
                f"'{inputs['name']}' already in use."
            )
        answer = ec2.create_launch_template(
            LaunchTemplateName=inputs["name"],
            LaunchTemplateData=self._data(inputs),
            VersionDescription=inputs.get("description") or "",
            **self.tags(inputs),
        )
        return answer["LaunchTemplate"]["LaunchTemplateId"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the template in its newest version."""
        ec2 = aws.client("ec2")
        found = ec2.describe_launch_templates(LaunchTemplateIds=[identity])["LaunchTemplates"]
        if not found:
            return None
        template = found[0]
        newest = ec2.describe_launch_template_versions(
            LaunchTemplateId=identity, Versions=[str(template["LatestVersionNumber"])]
        )["LaunchTemplateVersions"][0]
        data = camel(newest["LaunchTemplateData"], _SPELLED)
        # moto has the template's own tags among those of what it starts.
        data["tagSpecifications"] = [
            entry
            for entry in data.get("tagSpecifications") or []
            if entry["resourceType"] != self.kind
        ]
        for entry in data["tagSpecifications"]:
            entry["tags"] = {tag["key"]: tag["value"] for tag in entry["tags"]}
        for mapping in data.get("blockDeviceMappings") or []:
            # The SDK has these switches as texts.
            ebs = mapping.get("ebs") or {}
            for name in ("encrypted", "deleteOnTermination"):
                if name in ebs:
                    ebs[name] = str(ebs[name]).lower()
        return {
            "arn": aws.arn("ec2", f"launch-template/{identity}"),
            "name": template["LaunchTemplateName"],
            "defaultVersion": template["DefaultVersionNumber"],
            "latestVersion": template["LatestVersionNumber"],
            "description": newest.get("VersionDescription") or None,
            **{name: data.get(name) for name in _DATA},
            "tagsAll": from_key_value(template.get("Tags")),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Add a version, and make it the default where that is asked for."""
        self._see(aws, news)
        ec2 = aws.client("ec2")
        if changed - {"updateDefaultVersion", "defaultVersion"}:
            version = ec2.create_launch_template_version(
                LaunchTemplateId=identity,
                LaunchTemplateData=self._data(news),
                VersionDescription=news.get("description") or "",
            )["LaunchTemplateVersion"]["VersionNumber"]
            if news.get("updateDefaultVersion"):
                ec2.modify_launch_template(LaunchTemplateId=identity, DefaultVersion=str(version))
        if "defaultVersion" in changed and news.get("defaultVersion"):
            ec2.modify_launch_template(
                LaunchTemplateId=identity, DefaultVersion=str(news["defaultVersion"])
            )

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete the template with all versions."""
        aws.client("ec2").delete_launch_template(LaunchTemplateId=identity)

    def planned_update(self, olds: Properties, inputs: Properties) -> Properties:
        """Say that the newest version, and a default that follows it, will be others."""
        from simulated_cloud.property_values import UNKNOWN

        planned = super().planned_update(olds, inputs)
        if all(olds.get(name) == inputs.get(name) for name in _DATA):
            return planned  # tags alone
        default = {"defaultVersion": UNKNOWN} if inputs.get("updateDefaultVersion") else {}
        return {**planned, "latestVersion": UNKNOWN, **default}

    @staticmethod
    def _data(inputs: Properties) -> Any:
        given = {name: inputs[name] for name in _DATA if inputs.get(name) is not None}
        for name in ("blockDeviceMappings",):
            given[name] = [_typed(mapping) for mapping in given.get(name) or []]
        specifications = given.pop("tagSpecifications", None) or []
        spelled = pascal({k: v for k, v in given.items() if v}, _SPELLED)
        if specifications:
            spelled["TagSpecifications"] = [
                {"ResourceType": item["resourceType"], "Tags": key_value(item.get("tags"))}
                for item in specifications
            ]
        return spelled

    @staticmethod
    def _see(aws: AwsCloud, inputs: Properties) -> None:
        if inputs.get("vpcSecurityGroupIds"):
            aws.client("ec2").describe_security_groups(GroupIds=inputs["vpcSecurityGroupIds"])
        for mapping in inputs.get("blockDeviceMappings") or []:
            see_key(aws, (mapping.get("ebs") or {}).get("kmsKeyId"))


def _typed(mapping: Properties) -> Properties:
    ebs = dict(mapping.get("ebs") or {})
    for name in ("encrypted", "deleteOnTermination"):
        if name in ebs:
            ebs[name] = str(ebs[name]).lower() == "true"
    return {**mapping, "ebs": ebs} if ebs else mapping


TYPES = (LaunchTemplate,)
