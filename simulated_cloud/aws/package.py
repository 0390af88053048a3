"""The package `aws`: its types, its functions, its configuration.

Owns the list of families and what a provider's configuration means here: the region and the default
tags count; credentials, profiles and endpoints are those of the simulated cloud whatever they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from simulated_cloud.aws import (
    backup,
    cloudwatch,
    ec2_addresses,
    ec2_endpoints,
    ec2_launch_template,
    ec2_routing,
    ec2_security_groups,
    ec2_vpc,
    ecr,
    eks_access,
    eks_cluster,
    eks_nodes,
    functions,
    iam_oidc,
    iam_roles,
    kms,
    lb,
    lb_listener,
    logs,
    rds_groups,
    rds_instance,
    s3_bucket,
    s3_configuration,
    secretsmanager,
    sns,
)
from simulated_cloud.aws.aws_type import explain
from simulated_cloud.aws.cloud import ACCOUNT_ID, AwsCloud, MotoAccount
from simulated_cloud.errors import InputProblem
from simulated_cloud.file_store import FileStore
from simulated_cloud.package import Package
from simulated_cloud.property_values import Properties

_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
FAMILIES = (
    backup,
    cloudwatch,
    ec2_addresses,
    ec2_endpoints,
    ec2_launch_template,
    ec2_routing,
    ec2_security_groups,
    ec2_vpc,
    ecr,
    eks_access,
    eks_cluster,
    eks_nodes,
    iam_oidc,
    iam_roles,
    kms,
    lb,
    lb_listener,
    logs,
    rds_groups,
    rds_instance,
    s3_bucket,
    s3_configuration,
    secretsmanager,
    sns,
)


class AwsPackage(Package):
    """The types of `pulumi_aws` that the stacks use."""

    name = "aws"
    version = version("pulumi-aws")

    def __init__(self, account: MotoAccount, store: FileStore) -> None:
        """Keep resources on this account's server, and the rest in `store`."""
        types: list[Any] = [type_() for family in FAMILIES for type_ in family.TYPES]
        super().__init__(types, functions.FUNCTIONS)
        self._account = account
        self._store = store

    def check_configuration(self, config: Properties) -> Iterable[InputProblem]:
        """Yield what is wrong with a provider's configuration."""
        region = config.get("region")
        if not region:
            yield InputProblem(
                "region",
                "Missing region configuration: set it with `pulumi config set aws:region "
                "eu-central-1`, or as `region` of the aws.Provider",
            )
        elif not _REGION.fullmatch(str(region)):
            yield InputProblem("region", f"invalid AWS Region: {region}")
        allowed = config.get("allowedAccountIds")
        if allowed and ACCOUNT_ID not in allowed:
            yield InputProblem(
                "allowedAccountIds", f"AWS account ID not allowed: {ACCOUNT_ID} (the simulated one)"
            )

    def replacing_configuration(self) -> frozenset[str]:
        """Another region is another set of resources."""
        return frozenset({"region"})

    def configure(self, config: Properties) -> AwsCloud:
        """Return the account in the configured region."""
        tags = (config.get("defaultTags") or {}).get("tags") or {}
        return AwsCloud(self._account, self._store, str(config.get("region") or ""), tags)

    def explain(self, error: Exception) -> str | None:
        """Return AWS's own words."""
        return explain(error)
