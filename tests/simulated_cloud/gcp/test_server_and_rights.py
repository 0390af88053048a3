"""Cloud Run, secrets, buckets, rights and alarms behave, and refuse, as Google's do."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.simulated_cloud.desk import Desk, Refused, Resource

ACCOUNT = "gcp:serviceaccount/account:Account"
BUCKET = "gcp:storage/bucket:Bucket"
MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
SECRET = "gcp:secretmanager/secret:Secret"
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"
SERVICE = "gcp:cloudrunv2/service:Service"
JOB = "gcp:cloudrunv2/job:Job"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
UPTIME = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
DASHBOARD = "gcp:monitoring/dashboard:Dashboard"
SCHEDULE = "gcp:cloudscheduler/job:Job"
KEY_RING = "gcp:kms/keyRing:KeyRing"
KEY = "gcp:kms/cryptoKey:CryptoKey"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"

_numbers = itertools.count()


def fresh(word: str) -> str:
    return f"{word}-{next(_numbers)}"


@pytest.fixture
def account(gcp: Desk) -> Resource:
    return gcp.create(ACCOUNT, accountId=fresh("server"))


def service(account: Resource, container: dict[str, Any], **template: Any) -> dict[str, Any]:
    containers = [{"image": "registry.example/mlflow:1", **container}]
    return {
        "name": fresh("mlflow"),
        "location": "europe-west3",
        "deletionProtection": False,
        "template": {"serviceAccount": account["email"], "containers": containers, **template},
    }


class TestService:
    """A service stands on an account, networks and secrets that are there."""

    def test_life(self, gcp: Desk, account: Resource) -> None:
        inputs = service(account, {})
        made = gcp.create(SERVICE, **inputs)
        assert made["uri"] == f"https://{inputs['name']}-210987654321.europe-west3.run.app"
        made.update(**{**inputs, "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"})
        made.delete()

    def test_protected(self, gcp: Desk, account: Resource) -> None:
        made = gcp.create(SERVICE, **{**service(account, {}), "deletionProtection": True})
        with pytest.raises(Refused, match="is protected from deletion"):
            made.delete()

    def test_account_that_is_not_there(self, gcp: Desk, account: Resource) -> None:
        inputs = service(account, {}, serviceAccount="nobody@p.iam.gserviceaccount.com")
        with pytest.raises(Refused, match=r"'nobody@p.iam.gserviceaccount.com' was not found"):
            gcp.create(SERVICE, **inputs)

    @pytest.mark.parametrize(
        ("container", "template", "words"),
        [
            ({"resources": {"limits": {"cpu": "3"}}}, {}, "Invalid value specified for cpu"),
            (
                {"resources": {"limits": {"cpu": "1", "memory": "8192Mi"}}},
                {},
                "memory must be between 128Mi and 4096Mi inclusive, got 8192Mi",
            ),
            (
                {"startupProbe": {"periodSeconds": 10, "failureThreshold": 60}},
                {},
                r"failure_threshold \* period_seconds must be at most 240, got 600",
            ),
            (
                {"livenessProbe": {"periodSeconds": 5, "timeoutSeconds": 9}},
                {},
                r"livenessProbe.timeout_seconds \(9\) must be less than or equal to",
            ),
            (
                {},
                {"scaling": {"minInstanceCount": 4, "maxInstanceCount": 2}},
                r"min_instance_count \(4\) must be less than or equal to max_instance_count \(2\)",
            ),
            ({}, {"maxInstanceRequestConcurrency": 2000}, "must be between 1 and 1000, got 2000"),
            ({}, {"timeout": "7200s"}, "must be at most 3600s, got 7200s"),
        ],
    )
    def test_refused(
        self,
        gcp: Desk,
        account: Resource,
        container: dict[str, Any],
        template: dict[str, Any],
        words: str,
    ) -> None:
        with pytest.raises(Refused, match=words):
            gcp.create(SERVICE, **service(account, container, **template))

    def test_name_that_is_too_long(self, gcp: Desk, account: Resource) -> None:
        with pytest.raises(Refused, match="must be less than 50 characters"):
            gcp.create(SERVICE, **{**service(account, {}), "name": "m" * 50})

    def test_version_of_a_secret_that_is_not_there(self, gcp: Desk, account: Resource) -> None:
        secret = gcp.create(SECRET, secretId=fresh("password"), replication={"auto": {}})
        reference = {"secret": secret["secretId"], "version": "1"}
        container = {"envs": [{"name": "PGPASSWORD", "valueSource": {"secretKeyRef": reference}}]}
        with pytest.raises(Refused, match=r"/versions/1 was not found, badRequest$"):
            gcp.create(SERVICE, **service(account, container))
        version = gcp.create(VERSION, secret=secret.id, secretData="correct horse")
        assert version["version"] == "1"
        gcp.create(SERVICE, **service(account, container))


class TestJob:
    """A job with an execution token has run when it is ready."""

    def test_token_needs_the_beta(self, gcp: Desk) -> None:
        template = {"template": {"containers": [{"image": "registry.example/mlflow:1"}]}}
        inputs = {
            "name": fresh("migrate"),
            "location": "europe-west3",
            "template": template,
            "deletionProtection": False,
            "runExecutionToken": "abc",
        }
        with pytest.raises(Refused, match="runExecutionToken needs launch stage BETA"):
            gcp.create(JOB, **inputs)
        job = gcp.create(JOB, **inputs, launchStage="BETA")
        assert job["executionCount"] == 1
        with pytest.raises(Refused, match="must be fewer than 63 characters"):
            gcp.create(JOB, **{**inputs, "runExecutionToken": "x" * 60, "launchStage": "BETA"})


class TestSecret:
    """A new value is a new version; the value shows nowhere."""

    def test_versions(self, gcp: Desk) -> None:
        secret = gcp.create(SECRET, secretId=fresh("password"), replication={"auto": {}})
        first = gcp.create(VERSION, secret=secret.id, secretData="first")
        second = gcp.create(VERSION, secret=secret.id, secretData="second")
        assert [first["version"], second["version"]] == ["1", "2"]
        assert first.replaced_by(secret=secret.id, secretData="third") == {"secretData"}

    def test_no_id(self, gcp: Desk) -> None:
        with pytest.raises(Refused, match=r"invalid secret id: a\.b"):
            gcp.create(SECRET, secretId="a.b", replication={"auto": {}})


class TestRights:
    """Rights are given to members, on things that are there."""

    def test_bucket(self, gcp: Desk, account: Resource) -> None:
        bucket = gcp.create(BUCKET, name=fresh("artifacts"), location="EUROPE-WEST3")
        assert bucket["url"] == f"gs://{bucket['name']}"
        gcp.create(
            MEMBER,
            bucket=bucket["name"],
            role="roles/storage.objectUser",
            member=account["member"],
        )

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"member": "ml-team@example.com"}, "invalid value for member"),
            ({"role": "storage.objectUser"}, "The role name must be in the form roles/"),
            ({"bucket": "nowhere"}, "'nowhere' was not found"),
        ],
    )
    def test_refused(self, gcp: Desk, inputs: dict[str, str], words: str) -> None:
        bucket = gcp.create(BUCKET, name=fresh("artifacts"), location="EUROPE-WEST3")
        given = {
            "bucket": bucket["name"],
            "role": "roles/storage.objectUser",
            "member": "group:ml-team@example.com",
        }
        with pytest.raises(Refused, match=words):
            gcp.create(MEMBER, **{**given, **inputs})

    def test_account_id(self, gcp: Desk) -> None:
        with pytest.raises(Refused, match=r'"account_id" \("ml"\) doesn\'t match regexp'):
            gcp.create(ACCOUNT, accountId="ml")


class TestBucket:
    """What no bucket can be."""

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            ({"name": "Upper"}, "Invalid bucket name: 'Upper'"),
            ({"name": "my-google-bucket"}, "Invalid bucket name"),
            (
                {"softDeletePolicy": {"retentionDurationSeconds": 60}},
                "must be 0 or between 604800 and 7776000, got 60",
            ),
            ({"publicAccessPrevention": "yes"}, "Invalid value for publicAccessPrevention: yes"),
        ],
    )
    def test_refused(self, gcp: Desk, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            gcp.create(BUCKET, **{"name": fresh("b"), "location": "EU", **inputs})


class TestWatching:
    """Checks, policies, schedules and keys that are none are refused."""

    @pytest.mark.parametrize(
        ("token", "inputs", "words"),
        [
            (
                UPTIME,
                {"displayName": "x", "timeout": "10s", "period": "61s"},
                "expected one of 60s",
            ),
            (DASHBOARD, {"dashboardJson": "{"}, "contains an invalid JSON"),
            (DASHBOARD, {"dashboardJson": "{}"}, "Field dashboard.displayName is required"),
            (
                POLICY,
                {
                    "displayName": "x",
                    "combiner": "OR",
                    "conditions": [
                        {
                            "displayName": "x",
                            "conditionThreshold": {
                                "filter": 'resource.type = "x"',
                                "comparison": "COMPARISON_GT",
                                "duration": "60s",
                            },
                        }
                    ],
                },
                "must specify a restriction on metric.type",
            ),
            (
                POLICY,
                {"displayName": "x", "combiner": "OR", "conditions": []},
                "Field alert_policy.conditions is required",
            ),
            (CHANNEL, {"type": "email", "labels": {}}, "is required for type email"),
            (
                SCHEDULE,
                {"name": "gc", "region": "europe-west3", "schedule": "every day"},
                "Schedule or time zone is invalid: every day",
            ),
        ],
    )
    def test_refused(self, gcp: Desk, token: str, inputs: dict[str, Any], words: str) -> None:
        with pytest.raises(Refused, match=words):
            gcp.create(token, **inputs)

    def test_rotation(self, gcp: Desk) -> None:
        ring = gcp.create(KEY_RING, name=fresh("ring"), location="europe-west3")
        with pytest.raises(Refused, match="must be at least 86400s, got 60s"):
            gcp.create(KEY, name="data", keyRing=ring.id, rotationPeriod="60s")
        key = gcp.create(KEY, name="data", keyRing=ring.id, rotationPeriod="7776000s")
        assert key.id == f"{ring.id}/cryptoKeys/data"

    def test_type_that_is_not_there(self, gcp: Desk) -> None:
        with pytest.raises(Refused, match="gcp:pubsub/topic:Topic"):
            gcp.create("gcp:pubsub/topic:Topic", name="x")
