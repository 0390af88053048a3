"""Each rule broken by one change of a graph that keeps them all, and told in a whole sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from policies.resource_graph import UNKNOWN
from policies.rule import evaluate
from policies.rules import RULES
from tests.policies.healthy_graph import DELETED, changed, container, healthy

RDS = "aws:rds/instance:Instance"
BUCKET = "aws:s3/bucket:Bucket"
CLUSTER = "aws:eks/cluster:Cluster"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"
GCS = "gcp:storage/bucket:Bucket"
RUN = "gcp:cloudrunv2/service:Service"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
S3 = "aws:s3/"


@dataclass(frozen=True)
class Case:
    """One change, and all that the rules say to it."""

    rule: str
    kind: str
    path: str
    value: Any
    message: str


def case(rule: str, kind: str, path: str, value: Any, message: str) -> Case:
    return Case(rule, kind, path, value, message)


CASES = (
    # Encryption
    case(
        "aws-database-encrypted", RDS, "storageEncrypted", False,
        f"{RDS} 'database': `storageEncrypted` is not true: its disks and snapshots can be read by "
        "whoever gets hold of them, and encrypting later means a new database; set true",
    ),
    case(
        "aws-database-key", RDS, "kmsKeyId", DELETED,
        f"{RDS} 'database': `kmsKeyId` is not set: RDS takes the account's own; set the stack's "
        "key",
    ),
    case(
        "aws-bucket-encrypted",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "", None,
        f"{BUCKET} 'artifacts': it has no encryption configuration: declare one with the stack's "
        "key",
    ),
    case(
        "aws-service-keys", "aws:cloudwatch/logGroup:LogGroup", "kmsKeyId", DELETED,
        "aws:cloudwatch/logGroup:LogGroup 'logs': `kmsKeyId` is not set: who may read it is then "
        "not the stack's to say; set the stack's key",
    ),
    case(
        "aws-service-keys", "aws:sns/topic:Topic", "kmsMasterKeyId", "",
        "aws:sns/topic:Topic 'topic': `kmsMasterKeyId` is not set: who may read it is then not the "
        "stack's to say; set the stack's key",
    ),
    case(
        "aws-cluster-secrets-encrypted", CLUSTER, "encryptionConfig", DELETED,
        f"{CLUSTER} 'cluster': `encryptionConfig.resources` does not name secrets: the database's "
        "password lies in the cluster's store without the stack's key; set [secrets]",
    ),
    case(
        "aws-volumes-encrypted", "aws:ec2/launchTemplate:LaunchTemplate",
        "blockDeviceMappings.0.ebs.encrypted", "false",
        "aws:ec2/launchTemplate:LaunchTemplate 'template': `blockDeviceMappings.0.ebs.encrypted` "
        "is not true: the nodes' disks are readable; set true",
    ),
    case(
        "aws-key-rotation", "aws:kms/key:Key", "enableKeyRotation", DELETED,
        "aws:kms/key:Key 'key': `enableKeyRotation` is not set: one leak opens everything that was "
        "ever written; set true",
    ),
    case(
        "gcp-own-key-everywhere", GCS, "encryption", DELETED,
        f"{GCS} 'gcs': `encryption.defaultKmsKeyName` is not set though the stack has a key of its "
        "own: revoking that key would not reach it; set the stack's key",
    ),
    case(
        "gcp-key-rotation", "gcp:kms/cryptoKey:CryptoKey", "rotationPeriod", DELETED,
        "gcp:kms/cryptoKey:CryptoKey 'data': `rotationPeriod` is not set: one leak opens "
        "everything that was ever written; set 7776000s, ninety days",
    ),
    case(
        "no-secret-in-plain", DEPLOYMENT, "spec.template.spec.containers.0.env",
        [{"name": "PGPASSWORD", "value": "hunter2"}],
        f"{DEPLOYMENT} 'server': variable PGPASSWORD of spec.template.spec.containers.0 has a "
        "value in plain: everybody who may read the object reads it; take it from a Secret with "
        "`valueFrom`",
    ),
    case(
        "no-secret-in-plain", RUN, "template.containers.0.envs",
        [{"name": "MLFLOW_FLASK_SERVER_SECRET_KEY", "value": "hunter2"}],
        f"{RUN} 'run': variable MLFLOW_FLASK_SERVER_SECRET_KEY of template.containers.0 has a "
        "value in plain: everybody who may view the service reads it; take it from Secret Manager "
        "with `valueSource`",
    ),
    # Public exposure
    case(
        "aws-database-private", RDS, "publiclyAccessible", True,
        f"{RDS} 'database': `publiclyAccessible` is true: the database would have an address on "
        "the internet; set false",
    ),
    case(
        "aws-bucket-private", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "", None,
        f"{BUCKET} 'artifacts': it has no public access block: one wrong policy opens it; declare "
        "one with all four settings",
    ),
    case(
        "aws-bucket-private", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "ignorePublicAcls", False,
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock 'private': `ignorePublicAcls` is "
        "false: one wrong policy opens the bucket; set true",
    ),
    case(
        "aws-bucket-policy", "aws:s3/bucketPolicy:BucketPolicy", "policy",
        json.dumps(
            {
                "Statement": [
                    {"Sid": "Readers", "Effect": "Allow", "Principal": "*"},
                    {
                        "Effect": "Deny",
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    },
                ]
            }
        ),
        "aws:s3/bucketPolicy:BucketPolicy 'policy': statement Readers allows everybody: the bucket "
        "is public; name who may",
    ),
    case(
        "no-open-port", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "cidrIpv4",
        "0.0.0.0/0",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule 'rule': it opens port 443 to "
        "0.0.0.0/0: everybody on the internet may try; name the networks or the security group "
        "that need it",
    ),
    case(
        "no-open-port", "aws:ec2/securityGroup:SecurityGroup", "ingress",
        [{"cidrBlocks": ["0.0.0.0/0"], "fromPort": 5432, "toPort": 5433}],
        "aws:ec2/securityGroup:SecurityGroup 'group': it opens ports 5432 to 5433 to 0.0.0.0/0: "
        "everybody on the internet may try; name the networks or the security group that need it",
    ),
    case(
        "no-open-port", "gcp:compute/firewall:Firewall", "sourceRanges", ["0.0.0.0/0"],
        "gcp:compute/firewall:Firewall 'firewall': it lets 0.0.0.0/0 in: everybody on the internet "
        "may try; name the networks that need it",
    ),
    case(
        "aws-cluster-api", CLUSTER, "vpcConfig", {"endpointPublicAccess": True},
        f"{CLUSTER} 'cluster': `vpcConfig.publicAccessCidrs` lets everybody try the cluster's API: "
        "name the networks that deploy, in clusterPublicEndpointCidrs",
    ),
    case(
        "gcp-database-private", SQL, "settings.ipConfiguration.ipv4Enabled", True,
        f"{SQL} 'sql': `settings.ipConfiguration.ipv4Enabled` is true: the database would have an "
        "address on the internet; set false",
    ),
    case(
        "gcp-database-network", SQL, "settings.ipConfiguration.privateNetwork", DELETED,
        f"{SQL} 'sql': `settings.ipConfiguration.privateNetwork` is not set: without one it is "
        "reached by a public address alone; name the stack's network",
    ),
    case(
        "gcp-bucket-private", GCS, "publicAccessPrevention", "inherited",
        f"{GCS} 'gcs': `publicAccessPrevention` is 'inherited': one wrong grant opens it; set "
        "'enforced'",
    ),
    case(
        "gcp-bucket-uniform", GCS, "uniformBucketLevelAccess", False,
        f"{GCS} 'gcs': `uniformBucketLevelAccess` is false: single objects could have access lists "
        "of their own; set true",
    ),
    case(
        "gcp-no-everybody", "gcp:cloudrunv2/serviceIamMember:ServiceIamMember", "member",
        "allUsers",
        "gcp:cloudrunv2/serviceIamMember:ServiceIamMember 'invoker': it grants roles/run.invoker "
        "to allUsers: anybody who finds the address has it; name a group or a service account",
    ),
    case(
        "gcp-service-ingress", RUN, "ingress", "INGRESS_TRAFFIC_ALL",
        f"{RUN} 'run': `ingress` is 'INGRESS_TRAFFIC_ALL': the service has an address that "
        "everybody may try; set 'INGRESS_TRAFFIC_INTERNAL_ONLY' or "
        "'INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER'",
    ),
    case(
        "gcp-service-invokers", RUN, "invokerIamDisabled", True,
        f"{RUN} 'run': `invokerIamDisabled` is true: nobody asks who calls; set false or leave it "
        "out",
    ),
    case(
        "kubernetes-service-inside", "kubernetes:core/v1:Service", "spec.type", "LoadBalancer",
        "kubernetes:core/v1:Service 'service': `spec.type` is 'LoadBalancer': it answers outside "
        "the cluster, past TLS and sign-in; set 'ClusterIP' and let the ingress lead to it",
    ),
    case(
        "kubernetes-pod-confined", DEPLOYMENT, "spec.template.spec.hostNetwork", True,
        f"{DEPLOYMENT} 'server': `spec.template.spec.hostNetwork` is true: the pod stands on the "
        "node itself; leave it out",
    ),
    case(
        "kubernetes-pod-confined", DEPLOYMENT, "spec.template.spec.containers",
        [container(securityContext={"privileged": True, "allowPrivilegeEscalation": False})],
        f"{DEPLOYMENT} 'server': `spec.template.spec.containers.0.securityContext.privileged` is "
        "true: leave it out",
    ),
    case(
        "kubernetes-pod-confined", DEPLOYMENT, "spec.template.spec.containers",
        [container(securityContext={})],
        f"{DEPLOYMENT} 'server': "
        "`spec.template.spec.containers.0.securityContext.allowPrivilegeEscalation` is not set: a "
        "process may gain rights that its pod lacks; set false",
    ),
    case(
        "kubernetes-network-policy", "kubernetes:networking.k8s.io/v1:NetworkPolicy", "", None,
        f"{DEPLOYMENT} 'server': namespace 'mlflow' has no NetworkPolicy for what comes in: every "
        "pod of the cluster may call it; declare one",
    ),
    # TLS
    case(
        "aws-database-tls", "aws:rds/parameterGroup:ParameterGroup", "parameters",
        [{"name": "rds.force_ssl", "value": "0"}],
        "aws:rds/parameterGroup:ParameterGroup 'parameters': `rds.force_ssl` is '0': RDS takes "
        "connections in clear; set 1",
    ),
    case(
        "aws-bucket-tls", "aws:s3/bucketPolicy:BucketPolicy", "", None,
        f"{BUCKET} 'artifacts': no policy refuses requests without TLS: keys and models may cross "
        "the network in clear; deny what has aws:SecureTransport false",
    ),
    case(
        "aws-load-balancer-tls", "aws:lb/listener:Listener", "sslPolicy",
        "ELBSecurityPolicy-2016-08",
        "aws:lb/listener:Listener 'https': `sslPolicy` is 'ELBSecurityPolicy-2016-08': it takes "
        "outdated TLS; set one that begins with ELBSecurityPolicy-TLS13-1-2",
    ),
    case(
        "aws-load-balancer-tls", "aws:lb/listener:Listener", "defaultActions",
        [{"type": "forward"}],
        "aws:lb/listener:Listener 'http': it answers on port 80 in clear: passwords can be read on "
        "the way; redirect to HTTPS",
    ),
    case(
        "gcp-database-tls", SQL, "settings.ipConfiguration.sslMode",
        "ALLOW_UNENCRYPTED_AND_ENCRYPTED",
        f"{SQL} 'sql': `settings.ipConfiguration.sslMode` is 'ALLOW_UNENCRYPTED_AND_ENCRYPTED': it "
        "takes connections in clear; set 'ENCRYPTED_ONLY' or 'TRUSTED_CLIENT_CERTIFICATE_REQUIRED'",
    ),
    case(
        "gcp-load-balancer-port", "gcp:compute/globalForwardingRule:GlobalForwardingRule",
        "portRange", "80",
        "gcp:compute/globalForwardingRule:GlobalForwardingRule 'forward': `portRange` is '80': the "
        "load balancer answers in clear; set '443'",
    ),
    case(
        "gcp-load-balancer-tls", "gcp:compute/targetHttpsProxy:TargetHttpsProxy", "sslPolicy",
        DELETED,
        "gcp:compute/targetHttpsProxy:TargetHttpsProxy 'proxy': `sslPolicy` is not set: Google's "
        "default takes TLS 1.0; name an SSLPolicy",
    ),
    case(
        "gcp-tls-policy", "gcp:compute/sSLPolicy:SSLPolicy", "minTlsVersion", "TLS_1_0",
        "gcp:compute/sSLPolicy:SSLPolicy 'tls': `minTlsVersion` is 'TLS_1_0': it takes outdated "
        "TLS; set 'TLS_1_2' or 'TLS_1_3'",
    ),
    case(
        "kubernetes-ingress-tls", "kubernetes:networking.k8s.io/v1:Ingress", "spec.tls", DELETED,
        "kubernetes:networking.k8s.io/v1:Ingress 'ingress': `spec.tls` is not set: passwords can "
        "be read on the way; name the hosts and the Secret with their certificate "
        "(ingressTlsSecret)",
    ),
    # Backups
    case(
        "aws-database-backups", RDS, "backupRetentionPeriod", 3,
        f"{RDS} 'database': `backupRetentionPeriod` is 3: a mistake that is noticed after that "
        "cannot be undone; set 7 or more (databaseBackupRetentionDays)",
    ),
    case(
        "aws-artifact-versions", "aws:s3/bucketVersioning:BucketVersioning",
        "versioningConfiguration.status", "Suspended",
        f"{BUCKET} 'artifacts': it keeps no versions: an overwritten or deleted model is gone at "
        "once; declare versioning with status Enabled",
    ),
    case(
        "aws-backup-plan", "aws:backup/plan:Plan", "", None,
        f"{RDS} 'database': no backup plan covers it: its automated backups share its fate when it "
        "or its account is deleted; set backupPlan to true",
    ),
    case(
        "gcp-database-backups", SQL, "settings.backupConfiguration.enabled", False,
        f"{SQL} 'sql': `settings.backupConfiguration.enabled` is false: a dropped table is gone "
        "for good; set true",
    ),
    case(
        "gcp-database-point-in-time", SQL,
        "settings.backupConfiguration.pointInTimeRecoveryEnabled", False,
        f"{SQL} 'sql': `settings.backupConfiguration.pointInTimeRecoveryEnabled` is false: a day's "
        "runs are lost with every restore; set true",
    ),
    case(
        "gcp-database-backups-kept", SQL,
        "settings.backupConfiguration.backupRetentionSettings.retainedBackups", 3,
        f"{SQL} 'sql': `settings.backupConfiguration.backupRetentionSettings.retainedBackups` is "
        "3: a mistake that is noticed after that cannot be undone; set 7 or more",
    ),
    case(
        "gcp-artifact-versions", GCS, "versioning.enabled", False,
        f"{GCS} 'gcs': `versioning.enabled` is false: an overwritten or deleted model is gone at "
        "once; set true",
    ),
    case(
        "gcp-artifact-soft-delete", GCS, "softDeletePolicy.retentionDurationSeconds", 0,
        f"{GCS} 'gcs': `softDeletePolicy.retentionDurationSeconds` is 0: a deleted version cannot "
        "be brought back; set 604800 or more",
    ),
    # Deletion protection
    case(
        "protected-in-state", SQL, "protect", False,
        f"{SQL} 'sql': it is not protected in the state: a rename or a wrong merge deletes it; set "
        "`protect=True` among its options",
    ),
    case(
        "aws-database-protected", RDS, "deletionProtection", False,
        f"{RDS} 'database': `deletionProtection` is not true: one call deletes it; set true "
        "(databaseDeletionProtection)",
    ),
    case(
        "aws-final-snapshot", RDS, "skipFinalSnapshot", True,
        f"{RDS} 'database': `skipFinalSnapshot` is true: nothing remains of it after its deletion; "
        "set false (databaseFinalSnapshot)",
    ),
    case(
        "aws-bucket-kept", BUCKET, "forceDestroy", True,
        f"{BUCKET} 'artifacts': `forceDestroy` is true: a destroy empties it first; set false or "
        "leave it out",
    ),
    case(
        "aws-key-window", "aws:kms/key:Key", "deletionWindowInDays", 7,
        "aws:kms/key:Key 'key': `deletionWindowInDays` is 7: without the key every backup is "
        "noise, and that is the time to notice; set 30 or more",
    ),
    case(
        "aws-cluster-protected", CLUSTER, "deletionProtection", False,
        f"{CLUSTER} 'cluster': `deletionProtection` is false: one call deletes it; set true",
    ),
    case(
        "aws-load-balancer-protected", "aws:lb/loadBalancer:LoadBalancer",
        "enableDeletionProtection", False,
        "aws:lb/loadBalancer:LoadBalancer 'balancer': `enableDeletionProtection` is false: one "
        "call deletes it; set true",
    ),
    case(
        "gcp-database-protected", SQL, "settings.deletionProtectionEnabled", False,
        f"{SQL} 'sql': `settings.deletionProtectionEnabled` is false: one call deletes it; set "
        "true",
    ),
    case(
        "gcp-database-protected-here", SQL, "deletionProtection", False,
        f"{SQL} 'sql': `deletionProtection` is false: one call deletes it; set true",
    ),
    case(
        "gcp-backups-outlive", SQL, "settings.retainBackupsOnDelete", False,
        f"{SQL} 'sql': `settings.retainBackupsOnDelete` is false: they go with the instance; set "
        "true",
    ),
    case(
        "gcp-bucket-kept", GCS, "forceDestroy", True,
        f"{GCS} 'gcs': `forceDestroy` is true: a destroy empties it first; set false or leave it "
        "out",
    ),
    case(
        "gcp-service-protected", RUN, "deletionProtection", False,
        f"{RUN} 'run': `deletionProtection` is false: one call deletes it; set true or leave it "
        "out",
    ),
    # Artifacts have no age
    case(
        "aws-no-artifact-expires",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "rules.0.expiration", {"days": 365},
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration 'lifecycle': rule "
        "noncurrent deletes live artifacts (days: 365): a model in production may be older; delete "
        "runs with `python -m operations retention` and limit noncurrent versions alone",
    ),
    case(
        "gcp-no-artifact-expires", GCS, "lifecycleRules.0.condition", {"age": 365},
        f"{GCS} 'gcs': lifecycle rule 0 deletes live artifacts (age: 365): a model in production "
        "may be older; delete runs with `python -m operations retention` and limit noncurrent "
        "versions alone",
    ),
    # Tags and labels
    case(
        "aws-default-tags", "pulumi:providers:aws", "defaultTags", DELETED,
        "pulumi:providers:aws 'aws': `defaultTags.tags` lacks project, service, environment, "
        "managed-by: nobody can tell whose it is or what it costs; take them from infra.naming",
    ),
    case(
        "aws-tags", RDS, "tagsAll.environment", DELETED,
        f"{RDS} 'database': `tagsAll` lacks environment: nobody can tell whose it is or what it "
        "costs; take them from infra.naming",
    ),
    case(
        "gcp-labels", SQL, "settings.userLabels.project", "",
        f"{SQL} 'sql': `settings.userLabels` lacks project: nobody can tell whose it is or what it "
        "costs; take them from infra.naming",
    ),
    case(
        "kubernetes-labels", "kubernetes:core/v1:Service", "metadata.labels.environment", DELETED,
        "kubernetes:core/v1:Service 'service': `metadata.labels` lacks environment: nobody can "
        "tell whose it is or what it costs; take them from infra.naming",
    ),
    # Warm servers
    case(
        "gcp-warm-instance", RUN, "template.scaling.minInstanceCount", 0,
        f"{RUN} 'run': `template.scaling.minInstanceCount` is 0: a training job's first call waits "
        "12 to 30 s for a cold start and times out, and its experiment is not recorded; set 1 or "
        "more",
    ),
    case(
        "kubernetes-replicas", "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        "spec.minReplicas", 1,
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler 'autoscaler': `spec.minReplicas` is 1: "
        "while that one is replaced nobody answers; set 2 or more (serverReplicasMinimum)",
    ),
    case(
        "kubernetes-disruption-budget", "kubernetes:policy/v1:PodDisruptionBudget", "", None,
        f"{DEPLOYMENT} 'server': no PodDisruptionBudget: draining a node may take every server at "
        "once; declare one",
    ),
)  # fmt: skip


class TestKept:
    """A graph that keeps every rule has no findings."""

    def test_production(self) -> None:
        assert evaluate(healthy(), RULES) == []

    def test_other_environments(self) -> None:
        assert evaluate(healthy(is_production=False), RULES) == []


class TestBroken:
    """One change breaks one rule, and the whole sentence says what, why and what to do."""

    @pytest.mark.parametrize("one", CASES, ids=lambda one: f"{one.rule} {one.path}")
    def test_found(self, one: Case) -> None:
        graph = changed(healthy(), one.kind, one.path, one.value)
        assert [(found.rule, found.message) for found in evaluate(graph, RULES)] == [
            (one.rule, one.message)
        ]

    @pytest.mark.parametrize("one", CASES, ids=lambda one: f"{one.rule} {one.path}")
    def test_production_only_where_it_says_so(self, one: Case) -> None:
        graph = changed(healthy(is_production=False), one.kind, one.path, one.value)
        (rule,) = (rule for rule in RULES if rule.name == one.rule)
        found = {finding.rule for finding in evaluate(graph, RULES)}
        days_enough_for_a_trial = one.rule == "aws-database-backups"
        expected: set[str] = (
            set() if rule.production_only or days_enough_for_a_trial else {one.rule}
        )
        assert found == expected

    def test_every_rule_has_a_case(self) -> None:
        assert {rule.name for rule in RULES} == {one.rule for one in CASES}

    def test_names_are_unique(self) -> None:
        assert len({rule.name for rule in RULES}) == len(RULES)


class TestUnknown:
    """What only the deployment will know breaks no rule."""

    @pytest.mark.parametrize(
        "one", [one for one in CASES if one.path not in ("", "protect")], ids=lambda one: one.rule
    )
    def test_no_finding(self, one: Case) -> None:
        graph = changed(healthy(), one.kind, one.path, UNKNOWN)
        assert evaluate(graph, RULES) == []


class TestPublicLoadBalancer:
    """`ingress: public` opens 80 and 443 to everybody, and nothing else."""

    @pytest.mark.parametrize(("port", "found"), [(80, []), (443, []), (5432, ["no-open-port"])])
    def test_ports(self, port: int, found: list[str]) -> None:
        rule = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
        graph = changed(healthy(), "aws:lb/loadBalancer:LoadBalancer", "internal", False)
        graph = changed(graph, rule, "cidrIpv4", "0.0.0.0/0")
        graph = changed(changed(graph, rule, "fromPort", port), rule, "toPort", port)
        assert [one.rule for one in evaluate(graph, RULES)] == found

    @pytest.mark.parametrize(("port", "found"), [(443, []), (5432, ["no-open-port"])])
    def test_rules_inside_their_group(self, port: int, found: list[str]) -> None:
        rule = {"cidrBlocks": ["0.0.0.0/0"], "fromPort": port, "toPort": port}
        graph = changed(healthy(), "aws:lb/loadBalancer:LoadBalancer", "internal", False)
        graph = changed(graph, "aws:ec2/securityGroup:SecurityGroup", "ingress", [rule])
        assert [one.rule for one in evaluate(graph, RULES)] == found


class TestBackupPlan:
    """A plan covers what is selected for it, and nothing else."""

    def test_nothing_is_selected(self) -> None:
        graph = changed(healthy(), "aws:backup/selection:Selection", "", None)
        assert [one.rule for one in evaluate(graph, RULES)] == ["aws-backup-plan"]


class TestCopies:
    """A read replica has its backups, its key and its last snapshot where its primary has them."""

    def test_of_rds(self) -> None:
        graph = changed(healthy(), RDS, "replicateSourceDb", "mlops-platform-prod-mlflow")
        for path in ("kmsKeyId", "backupRetentionPeriod", "deletionProtection"):
            graph = changed(graph, RDS, path, DELETED)
        graph = changed(graph, RDS, "skipFinalSnapshot", True)
        graph = changed(graph, RDS, "protect", False)
        assert evaluate(graph, RULES) == []

    def test_of_cloud_sql(self) -> None:
        graph = changed(healthy(), SQL, "masterInstanceName", "mlops-platform-prod-mlflow")
        graph = changed(graph, SQL, "settings.backupConfiguration", DELETED)
        graph = changed(graph, SQL, "protect", False)
        assert evaluate(graph, RULES) == []


class TestNamesOfSecrets:
    """Where a secret is, is no secret."""

    @pytest.mark.parametrize("name", ["PGPASSFILE", "PGPASSWORD_FILE", "SECRET_NAME", "HOST"])
    def test_allowed(self, name: str) -> None:
        path = "spec.template.spec.containers.0.env"
        graph = changed(healthy(), DEPLOYMENT, path, [{"name": name, "value": "/run/secrets/a"}])
        assert evaluate(graph, RULES) == []


class TestDocumentation:
    """docs/policies.md lists every rule with its sentence, and no other."""

    def test_table(self) -> None:
        page = (Path(__file__).resolve().parents[2] / "docs/policies.md").read_text("utf-8")
        listed = [line for line in page.splitlines() if line.startswith("| `")]
        assert listed == [
            f"| `{rule.name}` | {rule.says} | "
            f"{'production' if rule.production_only else 'everywhere'} |"
            for rule in RULES
        ]
