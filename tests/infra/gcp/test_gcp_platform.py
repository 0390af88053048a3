"""A stack on Google Cloud has nothing public, nothing in clear and nothing that forgets."""

from __future__ import annotations

import pulumi
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from infra.gcp.place import Place
from infra.settings import SettingsError
from tests.infra.aws.declared import Outcome
from tests.infra.gcp.declared import (
    HOST,
    NUMBER,
    PRODUCTION,
    PROJECT,
    PUBLIC,
    REGION,
    deployed,
    gcp_stack,
)

SERVER = f"serviceAccount:mlflow-server-test@{PROJECT}.iam.gserviceaccount.com"
TRAINING = f"serviceAccount:mlflow-training-test@{PROJECT}.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def plain() -> Outcome:
    return deployed(gcp_stack())


@pytest.fixture(scope="module")
def production() -> Outcome:
    return deployed(
        gcp_stack(
            {
                **PRODUCTION,
                **PUBLIC,
                "databaseAuthentication": "iam",
                "customerManagedKey": "true",
                "retentionSchedule": "30 4 * * 0",
                "databaseReadReplica": "true",
            }
        )
    )


class TestOutputs:
    """Clients and operations find the stack by what it exports."""

    def test_address_is_cloud_runs_own(self, plain: Outcome) -> None:
        assert plain.outputs["tracking_uri"] == f"https://{HOST}"
        assert plain.outputs["health_url"] == f"https://{HOST}/health"
        assert plain.outputs["client_environment"]["MLFLOW_TRACKING_URI"] == f"https://{HOST}"

    def test_address_is_the_load_balancers(self, production: Outcome) -> None:
        assert production.outputs["tracking_uri"] == "https://mlflow.example.com"

    def test_stores(self, plain: Outcome) -> None:
        bucket = f"mlops-platform-test-mlflow-artifacts-{NUMBER}"
        assert plain.outputs["artifact_root"] == f"gs://{bucket}"
        assert plain.outputs["artifact_bucket"] == bucket
        assert "@10.64.0.3:5432/mlflow?" in plain.outputs["backend_store"]
        assert "sslmode=require" in plain.outputs["backend_store"]
        assert plain.outputs["database_host"] == "10.64.0.3"


class TestDatabase:
    """The database is reached by its private address alone, and every connection is encrypted."""

    def test_no_public_address_and_no_clear_connection(self, plain: Outcome) -> None:
        instance = plain.deployment.one("sql/databaseInstance:DatabaseInstance").inputs
        assert instance["settings"]["ipConfiguration"] == {
            "ipv4Enabled": False,
            "privateNetwork": "mlops-platform-test-mlflow-network-vpc-id",
            "sslMode": "ENCRYPTED_ONLY",
        }

    def test_recovery(self, plain: Outcome) -> None:
        instance = plain.deployment.one("sql/databaseInstance:DatabaseInstance").inputs
        assert instance["settings"]["backupConfiguration"] == {
            "enabled": True,
            "startTime": "02:00",
            "pointInTimeRecoveryEnabled": True,
            "transactionLogRetentionDays": 7,
            "backupRetentionSettings": {"retainedBackups": 14, "retentionUnit": "COUNT"},
        }
        assert instance["settings"]["availabilityType"] == "REGIONAL"
        assert instance["deletionProtection"] is True
        assert instance["settings"]["deletionProtectionEnabled"] is True

    def test_the_budgets_connections_are_a_flag(self, plain: Outcome) -> None:
        settings = gcp_stack()
        instance = plain.deployment.one("sql/databaseInstance:DatabaseInstance").inputs
        flags = {flag["name"]: flag["value"] for flag in instance["settings"]["databaseFlags"]}
        assert flags["max_connections"] == str(settings.database.max_connections)
        assert "cloudsql.iam_authentication" not in flags

    def test_password_is_a_secret_and_in_secret_manager(self, plain: Outcome) -> None:
        user = plain.deployment.one("sql/user:User")
        assert user.secrets == {"password"}
        version = plain.deployment.one("secretmanager/secretVersion:SecretVersion")
        assert version.secrets == {"secretData"}
        readers = plain.deployment.of("secretmanager/secretIamMember:SecretIamMember")
        assert [(item.inputs["role"], item.inputs["member"]) for item in readers] == [
            ("roles/secretmanager.secretAccessor", SERVER)
        ]

    def test_with_its_identity_there_is_no_password(self, production: Outcome) -> None:
        user = production.deployment.one("sql/user:User").inputs
        assert user["type"] == "CLOUD_IAM_SERVICE_ACCOUNT"
        assert user["name"] == f"mlflow-server-test@{PROJECT}.iam"
        assert user["databaseRoles"] == ["cloudsqlsuperuser"]
        assert "password" not in user
        assert production.deployment.of("secretmanager/secret:Secret") == []
        instance = production.deployment.one("sql/databaseInstance:DatabaseInstance", "instance")
        flags = {
            flag["name"]: flag["value"] for flag in instance.inputs["settings"]["databaseFlags"]
        }
        assert flags["cloudsql.iam_authentication"] == "on"

    def test_replica_is_private_too(self, production: Outcome) -> None:
        replica = production.deployment.one("sql/databaseInstance:DatabaseInstance", "replica")
        assert replica.inputs["masterInstanceName"] == "mlops-platform-test-mlflow"
        configuration = replica.inputs["settings"]["ipConfiguration"]
        assert configuration["ipv4Enabled"] is False
        assert configuration["sslMode"] == "ENCRYPTED_ONLY"

    def test_existing_one_is_left_alone(self) -> None:
        made = deployed(
            gcp_stack(backendStoreUri="postgresql://me:hush-hush@db.example/runs?sslmode=require")
        )
        assert made.deployment.of("sql/databaseInstance:DatabaseInstance") == []
        assert made.deployment.of("sql/user:User") == []
        container = _container(made)
        assert "PGHOST" not in {item["name"] for item in container["envs"]}
        assert any("me@db.example:5432/runs" in word for word in container["commands"])
        assert "hush" not in str(container)


class TestBucket:
    """Artifacts are versioned, private, and never deleted by their age."""

    def test_inputs(self, plain: Outcome) -> None:
        bucket = plain.deployment.one("storage/bucket:Bucket").inputs
        assert bucket["uniformBucketLevelAccess"] is True
        assert bucket["publicAccessPrevention"] == "enforced"
        assert bucket["versioning"] == {"enabled": True}
        assert bucket["forceDestroy"] is False
        assert bucket["softDeletePolicy"] == {"retentionDurationSeconds": 7 * 86_400}
        assert "encryption" not in bucket

    def test_no_rule_reaches_a_live_artifact(self, plain: Outcome) -> None:
        rules = plain.deployment.one("storage/bucket:Bucket").inputs["lifecycleRules"]
        assert rules == [
            {
                "action": {"type": "Delete"},
                "condition": {"daysSinceNoncurrentTime": 30, "withState": "ARCHIVED"},
            },
            {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}},
        ]

    def test_who_writes(self, plain: Outcome) -> None:
        members = plain.deployment.of("storage/bucketIAMMember:BucketIAMMember")
        granted = {(item.inputs["member"], item.inputs["role"]) for item in members}
        assert granted == {
            (member, role)
            for member in (SERVER, TRAINING)
            for role in ("roles/storage.objectUser", "roles/storage.bucketViewer")
        }

    def test_encrypted_with_a_key_of_ones_own(self, production: Outcome) -> None:
        bucket = production.deployment.one("storage/bucket:Bucket").inputs
        assert bucket["encryption"] == {
            "defaultKmsKeyName": "mlops-platform-test-mlflow-key-key-id"
        }
        key = production.deployment.one("kms/cryptoKey:CryptoKey").inputs
        assert key["rotationPeriod"] == "7776000s"
        assert key["labels"] == bucket["labels"]

    def test_existing_one_is_left_alone(self) -> None:
        made = deployed(gcp_stack(artifactStore="gs://ours/mlflow"))
        assert made.deployment.of("storage/bucket:Bucket") == []
        assert made.outputs["artifact_root"] == "gs://ours/mlflow"


def _container(made: Outcome) -> dict[str, object]:
    service = made.deployment.one("cloudrunv2/service:Service").inputs
    (container,) = service["template"]["containers"]
    return container


class TestServer:
    """Cloud Run keeps an instance warm and lets in whom the settings name."""

    def test_one_instance_stays(self, plain: Outcome) -> None:
        template = plain.deployment.one("cloudrunv2/service:Service").inputs["template"]
        assert template["scaling"] == {"minInstanceCount": 1, "maxInstanceCount": 1}
        assert template["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2"

    def test_takes_no_more_at_once_than_its_threads(self) -> None:
        settings = gcp_stack(serverWorkers="2")
        template = (
            deployed(settings).deployment.one("cloudrunv2/service:Service").inputs["template"]
        )
        assert template["maxInstanceRequestConcurrency"] == 2 * settings.server.threads

    def test_ingress(self, plain: Outcome, production: Outcome) -> None:
        kind = "cloudrunv2/service:Service"
        assert plain.deployment.one(kind).inputs["ingress"] == "INGRESS_TRAFFIC_INTERNAL_ONLY"
        assert (
            production.deployment.one(kind).inputs["ingress"]
            == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
        )

    def test_callers_are_named(self, plain: Outcome) -> None:
        members = plain.deployment.of("cloudrunv2/serviceIamMember:ServiceIamMember")
        assert {item.inputs["member"] for item in members} == {
            TRAINING,
            f"serviceAccount:service-{NUMBER}@gcp-sa-monitoring-notification.iam.gserviceaccount.com",
        }
        assert {item.inputs["role"] for item in members} == {"roles/run.invoker"}

    def test_everybody_only_when_said_out_loud(self) -> None:
        made = deployed(gcp_stack(cloudRunAllowUnauthenticated="true", authentication="basic"))
        members = made.deployment.of("cloudrunv2/serviceIamMember:ServiceIamMember")
        assert [item.inputs["member"] for item in members] == ["allUsers"]

    def test_artifacts_do_not_pass_through_it(self, plain: Outcome) -> None:
        commands = _container(plain)["commands"]
        assert isinstance(commands, list)
        assert "--no-serve-artifacts" in commands
        root = commands[commands.index("--default-artifact-root") + 1]
        assert root == f"gs://mlops-platform-test-mlflow-artifacts-{NUMBER}"

    def test_nothing_secret_in_command_or_environment(self, plain: Outcome) -> None:
        container = _container(plain)
        assert "correct-horse" not in str(container)
        envs = {item["name"]: item for item in container["envs"]}  # type: ignore[union-attr]
        assert envs["PGPASSWORD"] == {
            "name": "PGPASSWORD",
            "valueSource": {
                "secretKeyRef": {"secret": "mlops-platform-test-mlflow-pgpassword", "version": "1"}
            },
        }
        assert envs["PGHOST"] == {"name": "PGHOST", "value": "10.64.0.3"}

    def test_reaches_its_database_by_the_network(self, plain: Outcome) -> None:
        template = plain.deployment.one("cloudrunv2/service:Service").inputs["template"]
        assert template["vpcAccess"] == {
            "egress": "PRIVATE_RANGES_ONLY",
            "networkInterfaces": [
                {
                    "network": "mlops-platform-test-mlflow-network-vpc-id",
                    "subnetwork": "mlops-platform-test-mlflow-network-subnet-id",
                }
            ],
        }

    def test_users_of_its_own_are_kept_in_the_database(self) -> None:
        made = deployed(gcp_stack(cloudRunAllowUnauthenticated="true", authentication="basic"))
        container = _container(made)
        mounts = {item["name"]: item["mountPath"] for item in container["volumeMounts"]}  # type: ignore[union-attr]
        assert mounts["auth-config"] == "/etc/mlflow-auth"
        names = {item["name"] for item in container["envs"]}  # type: ignore[union-attr]
        assert {"MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"} <= names


class TestJobs:
    """Schema and retention are jobs of the same image."""

    def test_migration_runs_once_for_a_version(self) -> None:
        def token(**more: str) -> str:
            made = deployed(gcp_stack(**more))
            return str(made.deployment.one("cloudrunv2/job:Job").inputs["runExecutionToken"])

        assert token() == token(slowResponseMs="4000")
        assert token() != token(serverImage="registry.example/mlflow@sha256:" + "0" * 64)

    def test_no_retention_without_a_schedule(self, plain: Outcome) -> None:
        assert [item.name for item in plain.deployment.of("cloudrunv2/job:Job")] == [
            "mlops-platform-test-mlflow-migration"
        ]
        assert plain.deployment.of("cloudscheduler/job:Job") == []

    def test_retention(self, production: Outcome) -> None:
        schedule = production.deployment.one("cloudscheduler/job:Job").inputs
        assert schedule["schedule"] == "30 4 * * 0"
        assert schedule["httpTarget"]["uri"] == (
            f"https://run.googleapis.com/v2/projects/{PROJECT}/locations/{REGION}"
            "/jobs/mlops-platform-test-mlflow-retention:run"
        )
        job = production.deployment.one("cloudrunv2/job:Job", "retention-job").inputs
        (container,) = job["template"]["template"]["containers"]
        store = container["commands"][-1]
        assert store.startswith("postgresql+psycopg://")
        assert container["commands"] == [
            *("python", "-m", "mlflow_platform_server", "gc", "--older-than", "30d"),
            *("--database-login", "google", "--backend-store-uri", store),
            # MLflow wants one in any case; artifacts are removed where they are.
            *("--tracking-uri", store),
        ]
        starter = production.deployment.one("cloudrunv2/jobIamMember:JobIamMember").inputs
        assert starter["member"] == (
            f"serviceAccount:mlflow-retention-test@{PROJECT}.iam.gserviceaccount.com"
        )


class TestFront:
    """People come through Identity-Aware Proxy or not at all."""

    def test_none_by_default(self, plain: Outcome) -> None:
        for kind in ("BackendService", "GlobalForwardingRule", "TargetHttpsProxy"):
            assert plain.deployment.of(f"compute/{kind[0].lower()}{kind[1:]}:{kind}") == []

    def test_guarded(self, production: Outcome) -> None:
        backend = production.deployment.one("compute/backendService:BackendService").inputs
        assert backend["iap"] == {"enabled": True}
        members = production.deployment.of(
            "iap/webBackendServiceIamMember:WebBackendServiceIamMember"
        )
        assert [item.inputs["member"] for item in members] == ["group:ml-team@example.com"]
        rule = production.deployment.one("compute/globalForwardingRule:GlobalForwardingRule").inputs
        assert rule["portRange"] == "443"


class TestProject:
    """What the stack's configuration does not say is asked for in a sentence."""

    @pytest.mark.parametrize("missing", ["project", "region"])
    def test_missing(self, missing: str) -> None:
        config = {"gcp:project": PROJECT, "gcp:region": REGION}
        del config[f"gcp:{missing}"]
        pulumi.runtime.set_all_config(config)
        with pytest.raises(pulumi.RunError, match=rf"^gcp:{missing} is not set: write it into"):
            Place.of_stack()

    def test_apis_can_be_left_to_others(self) -> None:
        made = deployed(gcp_stack(gcpEnableServices="false"))
        assert made.deployment.of("projects/service:Service") == []

    def test_network_can_be_adopted(self) -> None:
        made = deployed(gcp_stack(existingNetwork="shared", existingSubnetwork="runs"))
        assert made.deployment.of("compute/network:Network") == []
        assert made.deployment.of("servicenetworking/connection:Connection") == []
        template = made.deployment.one("cloudrunv2/service:Service").inputs["template"]
        assert template["vpcAccess"]["networkInterfaces"] == [
            {"network": "adopted/shared", "subnetwork": "adopted/runs"}
        ]


CHOICES = st.fixed_dictionaries(
    {
        "ingress": st.sampled_from(["none", "public"]),
        "databaseAuthentication": st.sampled_from(["password", "iam"]),
        "customerManagedKey": st.sampled_from(["true", "false"]),
        "databaseHighAvailability": st.sampled_from(["true", "false"]),
        "databaseReadReplica": st.sampled_from(["true", "false"]),
        "protection": st.sampled_from(["standard", "production"]),
        "artifactForceDestroy": st.sampled_from(["true", "false"]),
        "cloudRunMinInstances": st.sampled_from(["0", "1", "2"]),
        "cloudRunAllowUnauthenticated": st.sampled_from(["true", "false"]),
        "authentication": st.sampled_from(["off", "basic"]),
        "serverReplicas": st.sampled_from(["1", "2", "3"]),
        "retentionSchedule": st.sampled_from(["", "0 3 * * *"]),
        "alarmEmails": st.sampled_from(["[]", '["oncall@example.com"]']),
    }
)


class TestNoCombination:
    """Whatever the settings say, nothing is public, unencrypted, forgetful or unreachable."""

    @given(values=CHOICES)
    @hypothesis_settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    def test_holds(self, values: dict[str, str]) -> None:
        if values["ingress"] == "public":
            values = {**values, **PUBLIC}
        try:
            settings = gcp_stack(values)
        except SettingsError:
            return
        made = deployed(settings).deployment
        for instance in made.of("sql/databaseInstance:DatabaseInstance"):
            network = instance.inputs["settings"]["ipConfiguration"]
            assert network["ipv4Enabled"] is False
            assert network["sslMode"] == "ENCRYPTED_ONLY"
        bucket = made.one("storage/bucket:Bucket").inputs
        assert bucket["publicAccessPrevention"] == "enforced"
        service = made.one("cloudrunv2/service:Service").inputs
        assert service["ingress"] != "INGRESS_TRAFFIC_ALL"
        everybody = [
            item.inputs["member"]
            for item in made.resources
            if str(item.inputs.get("member")).startswith("all")
        ]
        assert bool(everybody) == settings.gcp.cloud_run.allow_unauthenticated
        if everybody:
            assert settings.authentication.kind == "basic"
        scaling = service["template"]["scaling"]
        assert scaling["minInstanceCount"] <= scaling["maxInstanceCount"]
        if settings.cloud.is_production:
            assert scaling["minInstanceCount"] >= 1
            assert bucket["forceDestroy"] is False
            assert service["deletionProtection"] is True
