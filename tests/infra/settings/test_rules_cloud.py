"""Every rule about clouds: what it refuses, in which words, and what it lets through."""

# ruff: noqa: E501 - whole messages, as people read them

from __future__ import annotations

import pytest

from infra.settings_rules_aws import AWS_RULES
from infra.settings_rules_cloud import CLOUD_RULES
from tests.infra.settings.loading import load, problems

AWS = {"target": "aws"}
PROD = {
    **AWS,
    "environment": "prod",
    "natGateways": "per-zone",
    "alarmEmails": '["oncall@example.com"]',
    "serverReplicas": "2",
    "serverReplicasMinimum": "2",
}
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
INTERNAL = {
    **AWS,
    "ingress": "internal",
    "trackingUri": "https://mlflow.example.com",
    "certificateArn": CERTIFICATE,
}
OIDC = {
    **INTERNAL,
    "authentication": "oidc",
    "oidcIssuer": "https://login.example.com",
    "oidcAuthorizationEndpoint": "https://login.example.com/authorize",
    "oidcTokenEndpoint": "https://login.example.com/token",
    "oidcUserInfoEndpoint": "https://login.example.com/userinfo",
    "oidcClientId": "mlflow",
    "oidcClientSecret": "hush",
}
ADOPTED = {
    **AWS,
    "existingVpcId": "vpc-0123456789abcdef0",
    "existingPrivateSubnetIds": '["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]',
    "existingIsolatedSubnetIds": '["subnet-0123456789abcdef2", "subnet-0123456789abcdef3"]',
}

REFUSED: dict[str, list[tuple[dict[str, str], str]]] = {
    "cloud_settings_are_for_their_cloud": [
        (
            {"databaseStorageGib": "50"},
            "databaseStorageGib: is set and mlflow-platform:target is local: remove it",
        ),
        (
            {"target": "gcp", "vpcCidr": "10.0.0.0/16"},
            "vpcCidr: is set and mlflow-platform:target is gcp: remove it",
        ),
    ],
    "adopted_stores_are_left_alone": [
        (
            {
                **AWS,
                "backendStoreUri": "postgresql://me@db.example/runs",
                "databaseReadReplica": "true",
            },
            (
                "databaseReadReplica: is set and mlflow-platform:backendStoreUri names a store that "
                "the platform does not make: remove one of the two"
            ),
        ),
        (
            {**AWS, "artifactStore": "s3://theirs/mlflow", "artifactForceDestroy": "true"},
            (
                "artifactForceDestroy: is set and mlflow-platform:artifactStore names a store that the "
                "platform does not make: remove one of the two"
            ),
        ),
    ],
    "storage_has_room_to_grow": [
        (
            {**AWS, "databaseStorageGib": "200"},
            (
                "databaseMaxStorageGib: is 200 and databaseStorageGib is 200: a full database stops "
                "every run, so it must be able to grow; set it to 220 or more"
            ),
        ),
    ],
    "log_retention_is_known": [
        (
            {**AWS, "logRetentionDays": "31"},
            (
                "logRetentionDays: is 31; the log service takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, "
                "180, 365, 400, 545, 731, 1096, 1827"
            ),
        ),
    ],
    "alarms_have_addresses": [
        (
            {**AWS, "alarmEmails": '["oncall"]'},
            "alarmEmails: has 'oncall'; write addresses such as oncall@example.com",
        ),
    ],
    "networks_are_networks": [
        (
            {**INTERNAL, "ingressAllowedCidrs": '["10.0.0.1/8"]'},
            "ingressAllowedCidrs: has '10.0.0.1/8'; write networks such as 203.0.113.0/24",
        ),
    ],
    "an_address_is_told_to_clients": [
        (
            {**AWS, "ingressAllowedCidrs": '["10.0.0.0/8"]'},
            (
                "ingressAllowedCidrs: is set and mlflow-platform:ingress is none, so nothing would use "
                "it: set ingress to internal or public, or remove it"
            ),
        ),
        (
            {**INTERNAL, "trackingUri": "http://mlflow.example.com"},
            (
                "trackingUri: is 'http://mlflow.example.com' and mlflow-platform:ingress is internal: "
                "write the address that clients will use, such as https://mlflow.example.com; its name "
                "must lead to the load balancer"
            ),
        ),
    ],
    "the_internet_meets_authentication": [
        (
            {**INTERNAL, "ingress": "public"},
            (
                "ingress: is public and mlflow-platform:authentication is off: everybody on the "
                "internet could change and delete experiments; set authentication to basic or oidc, or "
                "ingress to internal"
            ),
        ),
    ],
    "managed_passwords_are_of_aws": [
        (
            {"target": "gcp", "databaseAuthentication": "managed"},
            (
                "databaseAuthentication: is managed and mlflow-platform:target is gcp, where no "
                "password is managed: set it to iam or password"
            ),
        ),
    ],
    "sign_in_is_of_aws": [
        (
            {"authentication": "oidc"},
            (
                "authentication: is oidc and mlflow-platform:target is local, where no load balancer "
                "of the platform signs people in: set it to basic or off"
            ),
        ),
    ],
    "production_takes_no_shortcut": [
        (
            {**PROD, "artifactForceDestroy": "true"},
            (
                "artifactForceDestroy: is true and this stack is production: destroying the stack "
                "would delete every artifact. Change it, or set mlflow-platform:protection to standard"
            ),
        ),
        (
            {**PROD, "databaseHighAvailability": "false"},
            (
                "databaseHighAvailability: is false and this stack is production: the database would "
                "be gone as long as its zone is. Change it, or set mlflow-platform:protection to "
                "standard"
            ),
        ),
        (
            {**PROD, "databaseDeletionProtection": "false"},
            (
                "databaseDeletionProtection: is false and this stack is production: one call would "
                "delete the database. Change it, or set mlflow-platform:protection to standard"
            ),
        ),
        (
            {**PROD, "databaseFinalSnapshot": "false"},
            (
                "databaseFinalSnapshot: is false and this stack is production: a deleted database "
                "could not be brought back. Change it, or set mlflow-platform:protection to standard"
            ),
        ),
        (
            {**PROD, "alarmEmails": "[]"},
            (
                "alarmEmails: is empty and this stack is production: nobody would hear an alarm. "
                "Change it, or set mlflow-platform:protection to standard"
            ),
        ),
    ],
    # AWS: the network
    "network_has_private_addresses": [
        (
            {**AWS, "vpcCidr": "10.0.0.0/24"},
            "vpcCidr: is '10.0.0.0/24'; write a network of /16 to /20, such as 10.20.0.0/16",
        ),
        (
            {**AWS, "vpcCidr": "10.0.0.1/16"},
            "vpcCidr: is '10.0.0.1/16'; write a network of /16 to /20, such as 10.20.0.0/16",
        ),
        (
            {**AWS, "vpcCidr": "8.8.0.0/16"},
            (
                "vpcCidr: is 8.8.0.0/16, addresses of the internet that would be out of reach: take "
                "them from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
            ),
        ),
    ],
    "zones_are_two_or_three": [
        (
            {**AWS, "availabilityZones": '["eu-central-1a"]'},
            "availabilityZones: is eu-central-1a; name two or three different zones of the region",
        ),
        (
            {**AWS, "availabilityZones": '["eu-central-1a", "eu-central-1a"]'},
            (
                "availabilityZones: is eu-central-1a, eu-central-1a; name two or three different zones "
                "of the region"
            ),
        ),
        (
            {**AWS, "availabilityZones": '["eu-central-1a", "b"]'},
            "availabilityZones: has 'b'; write zones such as eu-central-1a",
        ),
        (
            {
                **AWS,
                "availabilityZones": '["eu-central-1a", "eu-central-1b"]',
                "availabilityZoneCount": "3",
            },
            (
                "availabilityZoneCount: is set and mlflow-platform:availabilityZones names the zones "
                "already: remove one of the two"
            ),
        ),
    ],
    "images_can_be_pulled": [
        (
            {**AWS, "natGateways": "none"},
            (
                "natGateways: is none and mlflow-platform:vpcInterfaceEndpoints is false: nodes could "
                "neither join the cluster nor pull an image; set vpcInterfaceEndpoints to true, or "
                "natGateways to one or per-zone"
            ),
        ),
    ],
    "network_is_made_or_adopted": [
        (
            {**AWS, "existingPrivateSubnetIds": '["subnet-0123456789abcdef0"]'},
            (
                "existingPrivateSubnetIds: is set and mlflow-platform:existingVpcId is empty: name the "
                "network that the subnets belong to, or remove it"
            ),
        ),
        (
            {**ADOPTED, "existingPrivateSubnetIds": '["a", "subnet-0123456789abcdef1"]'},
            "existingPrivateSubnetIds: has 'a'; write ids such as subnet-0123456789abcdef0",
        ),
        (
            {**ADOPTED, "existingVpcId": "mine"},
            "existingVpcId: is 'mine'; write an id such as vpc-0123456789abcdef0",
        ),
        (
            {**ADOPTED, "vpcFlowLogs": "false"},
            (
                "vpcFlowLogs: is set and mlflow-platform:existingVpcId names a network that the "
                "platform does not make: remove one of the two"
            ),
        ),
        (
            {**ADOPTED, "existingIsolatedSubnetIds": '["subnet-0123456789abcdef2"]'},
            (
                "existingIsolatedSubnetIds: has 1 and mlflow-platform:existingVpcId is set: name two "
                "or more, in different zones"
            ),
        ),
    ],
    # AWS: the rest
    "arns_are_of_their_service": [
        (
            {**AWS, "existingKmsKeyArn": "alias/mine"},
            (
                "existingKmsKeyArn: is 'alias/mine'; write the whole ARN, such as "
                "arn:aws:kms:eu-central-1:123456789012:key/…"
            ),
        ),
        (
            {**AWS, "clusterAdminArns": '["me"]'},
            "clusterAdminArns: has 'me'; write ARNs such as arn:aws:iam::123456789012:role/admins",
        ),
    ],
    "regions_are_regions": [
        (
            {**AWS, "artifactReplicationRegion": "Ireland"},
            "artifactReplicationRegion: is 'Ireland'; write a region, such as eu-west-1",
        ),
    ],
    "database_suits_rds": [
        (
            {**AWS, "databaseMonitoringIntervalSeconds": "20"},
            "databaseMonitoringIntervalSeconds: is 20; RDS takes 0, 1, 5, 10, 15, 30, 60",
        ),
        (
            {**AWS, "databasePort": "1000"},
            "databasePort: is 1000; RDS takes 1150 to 65535: leave it at 5432",
        ),
        (
            {**AWS, "databaseUser": "rdsadmin"},
            (
                "databaseUser: is 'rdsadmin', which RDS does not take as a name: choose another, such "
                "as mlflow"
            ),
        ),
        (
            {
                **AWS,
                "databaseAuthentication": "managed",
                "databaseReadReplica": "true",
                "secretSource": "external-secrets",
            },
            (
                "databaseReadReplica: is true and mlflow-platform:databaseAuthentication is managed: "
                "RDS makes no replica of a database whose password it manages; set "
                "databaseAuthentication to password or iam, or leave the replica out"
            ),
        ),
        (
            {**AWS, "databaseAuthentication": "managed"},
            (
                "databaseAuthentication: is managed and mlflow-platform:secretSource is plain: nobody "
                "but Secrets Manager knows the password, and it changes every week; set secretSource "
                "to external-secrets, or databaseAuthentication to password"
            ),
        ),
    ],
    "instance_carries_its_connections": [
        (
            {**AWS, "databaseInstanceClass": "large"},
            (
                "databaseInstanceClass: is 'large'; write an instance class of RDS, such as "
                "db.t4g.large"
            ),
        ),
        (
            {**AWS, "databaseInstanceClass": "db.t4g.small", "databaseMaxConnections": "340"},
            (
                "databaseInstanceClass: is db.t4g.small with 2 GiB, enough for 225 connections, and "
                "databaseMaxConnections is 340: choose a larger class, or lower "
                "databaseMaxConnections, serverReplicas or serverWorkers"
            ),
        ),
    ],
    "windows_do_not_meet": [
        (
            {**AWS, "databaseBackupWindow": "2-3"},
            "databaseBackupWindow: is '2-3'; write it as hh:mm-hh:mm in UTC, such as 02:00-03:00",
        ),
        (
            {**AWS, "databaseMaintenanceWindow": "sunday"},
            (
                "databaseMaintenanceWindow: is 'sunday'; write it as ddd:hh:mm-ddd:hh:mm in UTC, such "
                "as sun:03:30-sun:04:30"
            ),
        ),
        (
            {**AWS, "databaseBackupWindow": "02:00-02:29"},
            "databaseBackupWindow: lasts 29 minutes; RDS takes 30 or more",
        ),
        (
            {**AWS, "databaseMaintenanceWindow": "mon:23:50-tue:02:01"},
            (
                "databaseMaintenanceWindow: is mon:23:50-tue:02:01 and databaseBackupWindow is "
                "02:00-03:00, and RDS takes no windows that overlap: move one of them"
            ),
        ),
    ],
    "cluster_is_made_or_adopted": [
        (
            {**ADOPTED, "existingClusterName": "theirs", "nodeMaximum": "9"},
            (
                "nodeMaximum: is set and mlflow-platform:existingClusterName names a cluster that the "
                "platform does not make: remove one of the two"
            ),
        ),
        (
            {**AWS, "existingClusterName": "theirs"},
            (
                "existingClusterName: is 'theirs' and mlflow-platform:existingVpcId is empty: a "
                "database in a new network is out of an existing cluster's reach; name the cluster's "
                "VPC"
            ),
        ),
    ],
    "controllers_of_an_adopted_cluster_are_chosen": [
        (
            {**ADOPTED, **INTERNAL, "existingClusterName": "theirs"},
            (
                "clusterControllers: is not set and mlflow-platform:existingClusterName names a "
                "cluster that may have its own: set it to expect where the cluster has the "
                "controllers, or to install"
            ),
        ),
    ],
    "cluster_can_be_made": [
        (
            {**AWS, "kubernetesVersion": "1.3"},
            "kubernetesVersion: is '1.3'; write a minor version in quotes, such as \"1.35\"",
        ),
        (
            {**AWS, "nodeMinimum": "5"},
            "nodeMinimum: is 5 and nodeMaximum is 4: lower the one or raise the other",
        ),
        (
            {**AWS, "clusterPublicEndpoint": "true"},
            (
                "clusterPublicEndpointCidrs: is empty and mlflow-platform:clusterPublicEndpoint is "
                "true: the cluster's API would answer the whole internet; name your networks, such as "
                "203.0.113.0/24"
            ),
        ),
        (
            {
                **AWS,
                "clusterPublicEndpoint": "true",
                "clusterPublicEndpointCidrs": '["203.0.113.0/24", "0.0.0.0/0"]',
            },
            (
                "clusterPublicEndpointCidrs: is 0.0.0.0/0 and mlflow-platform:clusterPublicEndpoint is "
                "true: the cluster's API would answer the whole internet; name your networks, such as "
                "203.0.113.0/24"
            ),
        ),
        (
            {**AWS, "clusterPublicEndpointCidrs": '["203.0.113.0/24"]'},
            (
                "clusterPublicEndpointCidrs: is set and mlflow-platform:clusterPublicEndpoint is "
                "false, so nothing would use it: remove it"
            ),
        ),
        (
            {**AWS, "trainingNamespace": "Argo"},
            (
                "trainingNamespace: is 'Argo'; Kubernetes takes up to 63 lower-case letters, digits "
                "and hyphens"
            ),
        ),
    ],
    "load_balancer_has_what_it_needs": [
        (
            {**INTERNAL, "certificateArn": ""},
            (
                "certificateArn: is empty and mlflow-platform:ingress is internal: passwords and data "
                "would travel in clear; name the certificate of the host in trackingUri"
            ),
        ),
        (
            {**AWS, "certificateArn": CERTIFICATE},
            (
                "certificateArn: is set and mlflow-platform:ingress is none, so there is no load "
                "balancer: set ingress to internal or public, or remove it"
            ),
        ),
        (
            {**INTERNAL, "oidcClientId": "mlflow"},
            (
                "oidcClientId: is set and mlflow-platform:authentication is off, so nothing would use "
                "it: set authentication to oidc, or remove it"
            ),
        ),
        (
            {**AWS, "authentication": "oidc"},
            (
                "authentication: is oidc and mlflow-platform:ingress is none: people sign in at the "
                "load balancer, and there is none; set ingress to internal or public, or "
                "authentication to basic"
            ),
        ),
        (
            {**OIDC, "oidcClientSecret": ""},
            "oidcClientSecret: is empty and mlflow-platform:authentication is oidc: set it",
        ),
        (
            {**OIDC, "oidcIssuer": "login.example.com"},
            "oidcIssuer: is 'login.example.com'; write an address that begins with https://",
        ),
    ],
    "load_balancer_hangs_up_first": [
        (
            {**INTERNAL, "serverKeepAliveSeconds": "75"},
            (
                "serverKeepAliveSeconds: is 75 and the load balancer keeps an idle connection for "
                "600 s (serverRequestTimeoutSeconds): it would send requests on connections that "
                "the server has closed, and answer 502; leave it at auto, or make it the longer one"
            ),
        ),
    ],
    "nothing_is_said_of_a_plan_that_is_off": [
        (
            {**AWS, "backupVaultLock": "true"},
            (
                "backupVaultLock: is set and mlflow-platform:backupPlan is false, so nothing would use "
                "it: set backupPlan to true, or remove it"
            ),
        ),
        (
            {**AWS, "backupPlan": "true", "backupSchedule": "daily"},
            "backupSchedule: is 'daily'; write it as AWS does, with six fields: cron(0 5 * * ? *)",
        ),
    ],
    "production_is_spread_and_private": [
        (
            {**PROD, "natGateways": "one"},
            (
                "natGateways: is one and this stack is production: every zone would lose its way out "
                "with one of them. Change it, or set mlflow-platform:protection to standard"
            ),
        ),
        (
            {
                **PROD,
                "clusterPublicEndpoint": "true",
                "clusterPublicEndpointCidrs": '["203.0.113.0/24"]',
            },
            (
                "clusterPublicEndpoint: is true and this stack is production: the cluster's API would "
                "answer on the internet. Change it, or set mlflow-platform:protection to standard"
            ),
        ),
        (
            {**PROD, "nodeMinimum": "1"},
            (
                "nodeMinimum: is 1 and this stack is production: one lost node would be an outage. "
                "Change it, or set mlflow-platform:protection to standard"
            ),
        ),
        (
            {**PROD, "nodeSpot": "true"},
            (
                "nodeSpot: is true and this stack is production: AWS may take all nodes away within "
                "two minutes. Change it, or set mlflow-platform:protection to standard"
            ),
        ),
    ],
}

CASES = [(rule, values, line) for rule, cases in REFUSED.items() for values, line in cases]


class TestRules:
    """Each rule refuses what it is for, alone, in one sentence that says what to do."""

    @pytest.mark.parametrize(("rule", "values", "line"), CASES)
    def test_refused(self, rule: str, values: dict[str, str], line: str) -> None:
        del rule
        assert problems(**values) == [f"mlflow-platform:{line}"]

    def test_every_rule_is_tried(self) -> None:
        rules = (*CLOUD_RULES, *AWS_RULES)
        assert set(REFUSED) == {rule.__name__ for rule in rules}

    def test_a_single_server_is_told_by_two_rules(self) -> None:
        """The most servers are every cloud's business, the fewest Kubernetes's."""
        lines = problems(**{**PROD, "serverReplicas": "1", "serverReplicasMinimum": "1"})
        assert [line.partition(" ")[0] for line in lines] == [
            "mlflow-platform:serverReplicasMinimum:",
            "mlflow-platform:serverReplicas:",
        ]


class TestLetThrough:
    """What looks similar and works is not refused."""

    @pytest.mark.parametrize(
        "values",
        [
            AWS,
            PROD,
            INTERNAL,
            OIDC,
            ADOPTED,
            {**ADOPTED, "existingClusterName": "theirs"},
            {
                **ADOPTED,
                **INTERNAL,
                "existingClusterName": "theirs",
                "clusterControllers": "expect",
            },
            {**PROD, "natGateways": "none", "vpcInterfaceEndpoints": "true"},
            {**PROD, "protection": "standard", "artifactForceDestroy": "true"},
            {
                **PROD,
                "alarmEmails": "[]",
                "existingAlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:oncall",
            },
            {**AWS, "databaseMaintenanceWindow": "sun:03:00-sun:04:00"},
            {**AWS, "databaseBackupWindow": "23:45-00:30"},
            {**AWS, "databaseInstanceClass": "db.x2g.large"},
            {**AWS, "databaseAuthentication": "managed", "secretSource": "external-secrets"},
            {**INTERNAL, "ingress": "public", "authentication": "basic"},
            {**AWS, "backupPlan": "true", "backupRetentionDays": "90"},
            {"target": "gcp", "databaseStorageGib": "50", "alarmEmails": '["a@b.example"]'},
        ],
    )
    def test_loads(self, values: dict[str, str]) -> None:
        assert problems(**values) == []


class TestProduction:
    """A stack is production because it says so, or by its environment's name."""

    @pytest.mark.parametrize("environment", ["prod", "production", "prod-eu"])
    def test_by_name(self, environment: str) -> None:
        assert load(**{**PROD, "environment": environment}).cloud.is_production

    @pytest.mark.parametrize("environment", ["dev", "product", "preprod", "local"])
    def test_not_by_name(self, environment: str) -> None:
        assert not load(**{**AWS, "environment": environment}).cloud.is_production

    def test_by_its_own_word(self) -> None:
        values = {**PROD, "environment": "staging", "protection": "production"}
        assert load(**values).cloud.is_production
        assert not load(**{**PROD, "protection": "standard"}).cloud.is_production


class TestSecrets:
    """The secret of the sign-in is one."""

    def test_in_clear(self) -> None:
        (line,) = problems(encrypted=(), **OIDC)
        assert line == (
            "mlflow-platform:oidcClientSecret: holds a password in clear, which a commit would "
            "give away: encrypt it with `pulumi config set --secret oidcClientSecret`, or write "
            "${OIDC_CLIENT_SECRET}"
        )

    def test_not_in_the_representation(self) -> None:
        settings = load(**{**OIDC, "oidcClientSecret": "correct horse battery"})
        assert settings.aws.load_balancer.oidc.client_secret == "correct horse battery"
        assert "horse" not in repr(settings)
