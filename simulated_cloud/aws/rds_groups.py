"""RDS subnet groups and parameter groups: what stands before an instance does.

Owns that a subnet group covers two zones of one VPC, that parameters belong to the group's family,
and that a group in use stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from simulated_cloud.aws.aws_type import AwsType, from_key_value, key_value
from simulated_cloud.aws.cloud import AwsCloud
from simulated_cloud.aws.moto_memory import moto_backend
from simulated_cloud.aws.rds_instance import retag_rds
from simulated_cloud.aws.rds_rules import POSTGRES_VERSIONS
from simulated_cloud.errors import InputProblem, Refusal
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

STATIC_PARAMETERS = frozenset(
    {
        *("max_connections", "shared_preload_libraries", "shared_buffers", "wal_buffers"),
        *("max_wal_senders", "max_replication_slots", "max_worker_processes", "huge_pages"),
        *("max_prepared_transactions", "max_locks_per_transaction", "rds.logical_replication"),
        *("autovacuum_max_workers", "track_activity_query_size"),
    }
)
"""Parameters that PostgreSQL reads only when it starts."""


class SubnetGroup(AwsType):
    """aws.rds.SubnetGroup."""

    token = "aws:rds/subnetGroup:SubnetGroup"
    title = "RDS DB Subnet Group"
    missing = frozenset({"DBSubnetGroupNotFoundFault", "DBSubnetGroupNotFound"})
    defaults: ClassVar = {"description": "Managed by Pulumi"}
    replace_on = frozenset({"name", "namePrefix"})
    name_property = "name"
    unsupported = frozenset({"namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name that no group has."""
        name = inputs.get("name", "x")
        if not re.fullmatch(r"[ .0-9a-z_-]{1,255}", name):
            yield InputProblem(
                "name",
                "only lowercase alphanumeric characters, hyphens, underscores, periods, and spaces "
                f'allowed in "name": {name}',
            )

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the group over subnets in two zones."""
        _see_subnets(aws, inputs["subnetIds"])
        rds = aws.client("rds")
        taken = [group["DBSubnetGroupName"] for group in _subnet_groups(aws)]
        if inputs["name"] in taken:
            raise Refusal(
                f"DBSubnetGroupAlreadyExists: The DB subnet group '{inputs['name']}' already "
                "exists."
            )
        rds.create_db_subnet_group(
            DBSubnetGroupName=inputs["name"],
            DBSubnetGroupDescription=inputs["description"],
            SubnetIds=inputs["subnetIds"],
            Tags=key_value(inputs.get("tagsAll")),
        )
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the group."""
        rds = aws.client("rds")
        answer = rds.describe_db_subnet_groups(DBSubnetGroupName=identity)
        group = answer["DBSubnetGroups"][0]
        arn = aws.arn("rds", f"subgrp:{identity}")
        return {
            "arn": arn,
            "name": group["DBSubnetGroupName"],
            "description": group["DBSubnetGroupDescription"],
            "subnetIds": [subnet["SubnetIdentifier"] for subnet in group["Subnets"]],
            "supportedNetworkTypes": ["IPV4"],
            "vpcId": group["VpcId"],
            "tagsAll": from_key_value(rds.list_tags_for_resource(ResourceName=arn)["TagList"]),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Change subnets and description."""
        _see_subnets(aws, news["subnetIds"])
        aws.client("rds").modify_db_subnet_group(
            DBSubnetGroupName=identity,
            DBSubnetGroupDescription=news["description"],
            SubnetIds=news["subnetIds"],
        )

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        retag_rds(aws, f"subgrp:{identity}", gone, tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a group that no instance stands in."""
        rds = aws.client("rds")
        for instance in rds.describe_db_instances()["DBInstances"]:
            if (instance.get("DBSubnetGroup") or {}).get("DBSubnetGroupName") == identity:
                raise Refusal(
                    f"InvalidDBSubnetGroupStateFault: Cannot delete the subnet group '{identity}' "
                    "because at least one database instance: "
                    f"{instance['DBInstanceIdentifier']} is still using it."
                )
        rds.delete_db_subnet_group(DBSubnetGroupName=identity)


class ParameterGroup(AwsType):
    """aws.rds.ParameterGroup."""

    token = "aws:rds/parameterGroup:ParameterGroup"
    title = "RDS DB Parameter Group"
    missing = frozenset({"DBParameterGroupNotFound", "DBParameterGroupNotFoundFault"})
    defaults: ClassVar = {"description": "Managed by Pulumi", "skipDestroy": False}
    replace_on = frozenset({"name", "namePrefix", "family", "description"})
    name_property = "name"
    kept = frozenset({"skipDestroy"})
    unsupported = frozenset({"namePrefix"})

    def check(self, call: Call[AwsCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield names, families and parameters that are none."""
        name, family = inputs.get("name", "x"), inputs.get("family")
        if not re.fullmatch(r"[a-z](?:[0-9a-z.]|-(?!-)){0,254}(?<!-)", name):
            yield InputProblem(
                "name",
                "only lowercase alphanumeric characters, periods, and hyphens allowed in parameter "
                f'group "name", the first a letter, no two hyphens together: {name}',
            )
        families = [f"postgres{major}" for major in POSTGRES_VERSIONS]
        if family is not None and family not in families:
            yield InputProblem(
                "family",
                f"InvalidParameterValue: ParameterGroupFamily {family} is not a valid parameter "
                "group family",
            )
        seen: set[str] = set()
        for parameter in inputs.get("parameters") or []:
            yield from self._check_parameter(parameter, seen)
            seen.add(parameter.get("name", ""))

    def make(self, aws: AwsCloud, inputs: Properties) -> str:
        """Create the group and set its parameters."""
        rds = aws.client("rds")
        rds.create_db_parameter_group(
            DBParameterGroupName=inputs["name"],
            DBParameterGroupFamily=inputs["family"],
            Description=inputs["description"],
            Tags=key_value(inputs.get("tagsAll")),
        )
        self._set(aws, inputs["name"], inputs.get("parameters") or [])
        return inputs["name"]

    def find(self, aws: AwsCloud, identity: str, known: Properties) -> Properties | None:
        """Return the group with the parameters somebody set."""
        rds = aws.client("rds")
        answer = rds.describe_db_parameter_groups(DBParameterGroupName=identity)
        if not answer["DBParameterGroups"]:
            return None
        group = answer["DBParameterGroups"][0]
        arn = aws.arn("rds", f"pg:{identity}")
        parameters = rds.describe_db_parameters(DBParameterGroupName=identity)["Parameters"]
        return {
            "arn": arn,
            "name": group["DBParameterGroupName"],
            "family": group["DBParameterGroupFamily"],
            "description": group["Description"],
            "parameters": [
                {
                    "name": item["ParameterName"],
                    "value": item["ParameterValue"],
                    "applyMethod": item.get("ApplyMethod", "immediate"),
                }
                for item in sorted(parameters, key=lambda item: item["ParameterName"])
                if item.get("ParameterValue") is not None
            ],
            "tagsAll": from_key_value(rds.list_tags_for_resource(ResourceName=arn)["TagList"]),
        }

    def change(
        self,
        aws: AwsCloud,
        identity: str,
        olds: Properties,
        news: Properties,
        changed: frozenset[str],
    ) -> None:
        """Set parameters, and give back the ones that are no longer set."""
        found = self.find(aws, identity, {}) or {"parameters": []}
        wanted = news.get("parameters") or []
        kept = {item["name"] for item in wanted}
        model = moto_backend(aws, "rds").db_parameter_groups[identity]
        for item in found["parameters"]:
            if item["name"] not in kept:
                # moto has no ResetDBParameterGroup.
                model.parameters.pop(item["name"], None)
        self._set(aws, identity, wanted)

    def retag(
        self, aws: AwsCloud, identity: str, state: Properties, gone: list[str], tags: dict[str, str]
    ) -> None:
        """Write tags."""
        retag_rds(aws, f"pg:{identity}", gone, tags)

    def remove(self, aws: AwsCloud, identity: str, state: Properties) -> None:
        """Delete a group that no instance uses."""
        rds = aws.client("rds")
        for instance in rds.describe_db_instances()["DBInstances"]:
            groups = instance.get("DBParameterGroups") or []
            if identity in [group["DBParameterGroupName"] for group in groups]:
                raise Refusal(
                    "InvalidDBParameterGroupState: One or more database instances are still "
                    f"members of this parameter group {identity}, so the group cannot be deleted"
                )
        rds.delete_db_parameter_group(DBParameterGroupName=identity)

    @staticmethod
    def _check_parameter(parameter: Properties, seen: set[str]) -> Iterable[InputProblem]:
        name, method = parameter.get("name", ""), parameter.get("applyMethod", "immediate")
        if method not in ("immediate", "pending-reboot"):
            yield InputProblem(
                "parameters",
                f"expected apply_method to be one of [immediate pending-reboot], got {method}",
            )
        elif method == "immediate" and name in STATIC_PARAMETERS:
            yield InputProblem(
                "parameters",
                "InvalidParameterCombination: cannot use immediate apply method for static "
                f"parameter ({name})",
            )
        if not re.fullmatch(r"[a-z][a-z0-9_.]*", name):
            yield InputProblem(
                "parameters", f"InvalidParameterValue: Could not find parameter with name: {name}"
            )
        if name in seen:
            yield InputProblem(
                "parameters", f"InvalidParameterValue: the parameter {name} is set twice"
            )

    @staticmethod
    def _set(aws: AwsCloud, identity: str, parameters: list[Any]) -> None:
        # RDS takes twenty at once.
        for start in range(0, len(parameters), 20):
            aws.client("rds").modify_db_parameter_group(
                DBParameterGroupName=identity,
                Parameters=[
                    {
                        "ParameterName": item["name"],
                        "ParameterValue": str(item["value"]),
                        "ApplyMethod": item.get("applyMethod", "immediate"),
                    }
                    for item in parameters[start : start + 20]
                ],
            )


def _subnet_groups(aws: AwsCloud) -> list[Any]:
    return aws.client("rds").describe_db_subnet_groups()["DBSubnetGroups"]


def _see_subnets(aws: AwsCloud, identities: list[str]) -> None:
    found = aws.client("ec2").describe_subnets(SubnetIds=identities)["Subnets"]
    zones = {subnet["AvailabilityZone"] for subnet in found}
    if len(zones) < 2:
        raise Refusal(
            "DBSubnetGroupDoesNotCoverEnoughAZs: The DB subnet group doesn't meet "
            "Availability Zone "
            f"(AZ) coverage requirement. Current AZ coverage: {', '.join(sorted(zones))}. Add "
            "subnets to cover at least 2 AZs."
        )
    if len({subnet["VpcId"] for subnet in found}) > 1:
        raise Refusal("InvalidParameterValue: The DB Subnet Group is in more than one VPC.")


TYPES = (SubnetGroup, ParameterGroup)
