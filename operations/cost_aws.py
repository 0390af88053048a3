"""What each AWS resource of a stack costs by existing.

Owns the quantities: hours of machines, GiB of disks, metrics of alarms. Traffic, requests and
stored objects are named and not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator

from operations.cost_items import Amount, Count, Counting
from policies.resource_graph import Resource, ResourceGraph, mappings

HIGH_RESOLUTION_SECONDS = 60


def _region(graph: ResourceGraph) -> str:
    found = (provider.get("region") for provider in graph.of("pulumi:providers:aws"))
    return next((str(region) for region in found if region), "")


def _database(graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
    kind, disk = one.get("instanceClass"), one.get("storageType")
    gib = one.number("allocatedStorage") or _primary_gib(graph, one)
    names = ["RDS read replica" if one.is_given("replicateSourceDb") else "RDS instance"]
    if one.get("multiAz") is True:
        names.append("RDS standby (Multi-AZ)")
    for name in names:
        yield Amount(price=f"aws.rds.{kind}", quantity=1, item=name, resource=one, detail=str(kind))
    for name in names:
        yield Amount(
            price=f"aws.rds.storage.{disk}",
            quantity=gib,
            item=f"{name}, storage",
            resource=one,
            detail=f"{gib:g} GiB {disk}",
        )


def _primary_gib(graph: ResourceGraph, replica: Resource) -> float:
    """A read replica begins with its primary's storage."""
    sources = replica.comes_from.get("replicateSourceDb", ())
    found = (graph.by_urn[urn].number("allocatedStorage") for urn in sources if urn in graph.by_urn)
    return next((gib for gib in found if gib), 0.0)


def _cluster(_graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
    yield Amount(price="aws.eks.cluster", quantity=1, item="EKS control plane", resource=one)


def _nodes(graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
    least = one.number("scalingConfig.minSize") or 0
    most = one.number("scalingConfig.maxSize") or least
    kind = next(iter(one.each("instanceTypes")), "?")
    spot = one.get("capacityType") == "SPOT"
    yield Amount(
        price=f"aws.ec2.{kind}{'.spot' if spot else ''}",
        quantity=least,
        item="EKS nodes",
        resource=one,
        detail=f"{least:g} x {kind}, the fewest; at most {most:g}",
    )
    templates = [
        graph.by_urn[urn] for urn in one.comes_from.get("launchTemplate", ()) if urn in graph.by_urn
    ]
    for template in templates:
        for device in mappings(template.each("blockDeviceMappings")):
            disk = Resource(type="", urn="", properties=device)
            gib = disk.number("ebs.volumeSize") or 0
            yield Amount(
                price=f"aws.ebs.{disk.get('ebs.volumeType')}",
                quantity=least * gib,
                item="EKS nodes' disks",
                resource=one,
                detail=f"{least:g} x {gib:g} GiB {disk.get('ebs.volumeType')}",
            )


def _one(price: str, item: str, detail: str = "") -> Count:
    def count(_graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
        yield Amount(price=price, quantity=1, item=item, resource=one, detail=detail)

    return count


def _endpoint(_graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
    if one.get("vpcEndpointType") != "Interface":
        return  # a gateway endpoint costs nothing
    zones = len(one.each("subnetIds"))
    service = str(one.get("serviceName")).partition("amazonaws.")[2].partition(".")[2]
    yield Amount(
        price="aws.vpc.interface_endpoint",
        quantity=zones,
        item="VPC interface endpoints",
        resource=one,
        detail=f"{service} in {zones} zones",
    )


def _balancer(_graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
    yield Amount(price="aws.lb.application", quantity=1, item="Load balancer", resource=one)
    if one.get("internal") is not True:
        zones = len(one.each("subnets"))
        yield Amount(
            price="aws.vpc.public_ipv4",
            quantity=zones,
            item="Public IPv4 addresses",
            resource=one,
            detail=f"load balancer in {zones} zones",
        )


def _alarm(_graph: ResourceGraph, one: Resource) -> Iterator[Amount]:
    queries = mappings(one.each("metricQueries"))
    metrics = [query for query in queries if query.get("metric")] if queries else [one.properties]
    periods = [
        Resource(type="", urn="", properties=metric).number(
            "metric.period" if queries else "period"
        )
        for metric in metrics
    ]
    quick = any(period is not None and period < HIGH_RESOLUTION_SECONDS for period in periods)
    yield Amount(
        price="aws.cloudwatch.alarm_metric" + ("_high_resolution" if quick else ""),
        quantity=len(metrics),
        item="CloudWatch alarms",
        resource=one,
    )


AWS = Counting(
    prefix="aws:",
    region=_region,
    counted={
        "aws:rds/instance:Instance": _database,
        "aws:eks/cluster:Cluster": _cluster,
        "aws:eks/nodeGroup:NodeGroup": _nodes,
        "aws:ec2/natGateway:NatGateway": _one("aws.vpc.nat_gateway", "NAT gateways"),
        "aws:ec2/eip:Eip": _one("aws.vpc.public_ipv4", "Public IPv4 addresses"),
        "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
        "aws:lb/loadBalancer:LoadBalancer": _balancer,
        "aws:kms/key:Key": _one("aws.kms.key", "KMS keys"),
        "aws:secretsmanager/secret:Secret": _one("aws.secretsmanager.secret", "Secrets"),
        "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
        "aws:cloudwatch/logMetricFilter:LogMetricFilter": _one(
            "aws.cloudwatch.custom_metric", "CloudWatch metrics of log filters"
        ),
        "aws:cloudwatch/dashboard:Dashboard": _one(
            "aws.cloudwatch.dashboard", "CloudWatch dashboard"
        ),
    },
    by_use={
        "aws:s3/bucket:Bucket": "S3: GiB stored, versions included, and requests",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig": "S3 replication: GiB copied",
        "aws:rds/instance:Instance": "RDS: backups beyond the size of the database, CPU credits",
        "aws:eks/cluster:Cluster": "EKS: the control plane's logs, Container Insights",
        "aws:eks/nodeGroup:NodeGroup": "EKS: nodes that the autoscaler adds",
        "aws:ec2/natGateway:NatGateway": "NAT gateways: GiB processed",
        "aws:ec2/vpcEndpoint:VpcEndpoint": "Interface endpoints: GiB processed",
        "aws:ec2/vpc:Vpc": "Traffic between zones and to the internet",
        "aws:ec2/flowLog:FlowLog": "VPC flow logs: GiB written",
        "aws:lb/loadBalancer:LoadBalancer": "Load balancer: capacity units (LCU)",
        "aws:kms/key:Key": "KMS: requests",
        "aws:cloudwatch/logGroup:LogGroup": "CloudWatch Logs: GiB written and stored",
        "aws:backup/vault:Vault": "AWS Backup: GiB of snapshots",
        "aws:ecr/repository:Repository": "ECR: GiB of images",
        "aws:sns/topic:Topic": "SNS: messages",
        "aws:wafv2/webAclAssociation:WebAclAssociation": "WAF: the web ACL, someone else's",
    },
    free=(
        "aws:backup/plan:",
        "aws:backup/selection:",
        "aws:backup/vaultLockConfiguration:",
        "aws:ec2/defaultSecurityGroup:",
        "aws:ec2/internetGateway:",
        "aws:ec2/launchTemplate:",
        "aws:ec2/route:",
        "aws:ec2/routeTable:",
        "aws:ec2/routeTableAssociation:",
        "aws:ec2/securityGroup:",
        "aws:ec2/subnet:",
        "aws:ecr/lifecyclePolicy:",
        "aws:eks/accessEntry:",
        "aws:eks/accessPolicyAssociation:",
        "aws:eks/addon:",
        "aws:eks/podIdentityAssociation:",
        "aws:iam/",
        "aws:kms/alias:",
        "aws:lb/",
        "aws:rds/parameterGroup:",
        "aws:rds/subnetGroup:",
        "aws:s3/",
        "aws:secretsmanager/secretVersion:",
        "aws:sns/",
        "aws:vpc/",
    ),
)
