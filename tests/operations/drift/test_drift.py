"""Drift: what a refresh finds becomes findings, worst first; what is no drift stays silent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from operations.drift_findings import Difference, Finding, Suspect, merged, read_drift
from operations.drift_severity import VOLATILE, is_volatile
from operations.engine_steps import ABSENT, UNKNOWN, follow, shown, shown_pair
from tests.operations.conftest import Operate, Ran
from tests.operations.engine_stand_in import RecordedEngine, step

RECORDED = Path(__file__).with_name("recorded")
INSTANCE = "aws:rds/instance:Instance"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
BUCKET = "gcp:storage/bucket:Bucket"


@pytest.fixture
def engine(tmp_path: Path) -> RecordedEngine:
    return RecordedEngine(tmp_path)


class Drift:
    """`drift` of resources alone, on a recorded engine."""

    def __init__(self, operate: Operate, engine: RecordedEngine) -> None:
        self._operate, self._engine = operate, engine

    def __call__(self, *more: str, stack: str = "dev") -> Ran:
        words = ("drift", "--stack", stack, "--resources-only", *more)
        return self._operate(*words, environ=self._engine.environ)

    def finds(self, *steps: dict[str, Any]) -> list[dict[str, Any]]:
        self._engine.refreshes(*steps)
        ran = self("--json")
        findings = ran.document["findings"]
        assert ran.code == (1 if findings else 0), ran.err
        return findings


@pytest.fixture
def drift(operate: Operate, engine: RecordedEngine) -> Drift:
    return Drift(operate, engine)


class TestNothingThere:
    """A stack that was taken down is not one without drift."""

    def test_could_not_look(self, drift: Drift, engine: RecordedEngine) -> None:
        engine.refreshes()
        ran = drift()
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == (
            "error: the stack dev has no resources: it was never deployed, or taken down; "
            "`make up STACK=dev` deploys it\n"
        )


class TestResources:
    """A finding for each resource that differs, with each property, as deployed and as found."""

    def test_a_changed_property(self, drift: Drift) -> None:
        found = drift.finds(
            step("refresh", ALARM, "other", before={}, after={}),
            step(
                "update",
                INSTANCE,
                "db",
                before={"backupRetentionPeriod": 7, "tags": {"a": "b"}},
                after={"backupRetentionPeriod": 1.0, "tags": {"a": "c"}},
                changed=["backupRetentionPeriod", "tags.a"],
            ),
        )
        assert [(item["severity"], item["subject"], item["what"]) for item in found] == [
            ("critical", "db", "changed")
        ]
        assert found[0]["differences"] == [
            {"property": "backupRetentionPeriod", "expected": "7", "found": "1"},
            {"property": "tags.a", "expected": "b", "found": "c"},
        ]

    def test_what_is_gone(self, drift: Drift) -> None:
        found = drift.finds(
            step("delete", ALARM, "alarm", before={}),
            step("delete", INSTANCE, "db", before={}),
        )
        assert [(item["severity"], item["subject"], item["note"]) for item in found] == [
            ("critical", "db", "it held every run, metric and model version"),
            ("warning", "alarm", ""),
        ]

    def test_a_secret_is_not_shown(self, drift: Drift) -> None:
        found = drift.finds(
            step(
                "update",
                "aws:secretsmanager/secretVersion:SecretVersion",
                "password",
                before={"secretString": "[secret]"},
                after={"secretString": "[secret]"},
                changed=["secretString"],
            )
        )
        assert found[0]["differences"] == [
            {"property": "secretString", "expected": "a secret", "found": "another one"}
        ]

    def test_a_variable_that_is_called_a_secret(self, drift: Drift) -> None:
        """Set by hand it is no secret to an engine, and an issue is for everybody to read."""

        def server(**variables: str) -> dict[str, Any]:
            listed = [{"name": name, "value": value} for name, value in variables.items()]
            return {"spec": {"containers": [{"image": "a", "env": listed}]}}

        env = "spec.containers[0].env"
        found = drift.finds(
            step(
                "update",
                "kubernetes:apps/v1:Deployment",
                "set",
                before=server(A="1", OLD_TOKEN="hunter1"),
                after=server(A="1", OLD_TOKEN="hunter2", PGPASSWORD="hunter3"),
                changed=[f"{env}[1].value", f"{env}[2]"],
            ),
            step(
                "update",
                "kubernetes:apps/v1:Deployment",
                "whole",
                before={"spec": {"containers": [{"image": "a"}]}},
                after=server(PGPASSWORD="hunter4"),
                changed=[env],
            ),
            step(
                "update",
                "kubernetes:apps/v1:Deployment",
                "doubled",
                before={"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "1"}]},
                after={
                    "env": [{"name": "API_TOKEN", "value": "hunter5"}, {"name": "A", "value": "1"}],
                    "data": {"DB_PASSWORD": "hunter6"},
                },
                changed=["env[0].value", "data.DB_PASSWORD", "data"],
            ),
        )
        assert "hunter" not in json.dumps(found)
        told = {item["subject"]: item["differences"] for item in found}
        assert told["set"] == [
            {"property": f"{env}[OLD_TOKEN]", "expected": "a secret", "found": "another one"},
            {"property": f"{env}[PGPASSWORD]", "expected": "nothing", "found": "a secret"},
        ]
        assert told["whole"] == [
            {
                "property": env,
                "expected": "nothing",
                "found": '[{"name": "PGPASSWORD", "value": "[secret]"}]',
            }
        ]
        assert told["doubled"] == [
            {"property": "data", "expected": "nothing", "found": '{"DB_PASSWORD": "[secret]"}'},
            {"property": "data.DB_PASSWORD", "expected": "nothing", "found": "a secret"},
            {"property": "env[0].value", "expected": "1", "found": "a secret"},
        ]

    def test_a_secret_in_the_configuration_that_kubectl_keeps(self, drift: Drift) -> None:
        """`kubectl apply` writes the whole object, with its variables, into an annotation."""
        env = [{"name": "PGPASSWORD", "value": "hunter2"}]
        changed = step(
            "update",
            "kubernetes:apps/v1:Deployment",
            "server",
            before={"annotations": {}},
            after={"annotations": {"last-applied": json.dumps({"env": env})}},
            changed=["annotations", 'annotations["last-applied"]'],
        )
        (found,) = drift.finds(changed)
        assert "hunter" not in json.dumps(found)
        assert found["differences"][1]["found"] == (
            '{"env": [{"name": "PGPASSWORD", "value": "[secret]"}]}'
        )

    def test_long_values_show_where_they_part(self, drift: Drift) -> None:
        """Two policies of a kilobyte, of which the last word differs."""
        long = "x" * 1000
        changed = step(
            "update",
            "aws:iam/rolePolicy:RolePolicy",
            "policy",
            before={"policy": f"{long} Deny"},
            after={"policy": f"{long} Allow"},
            changed=["policy"],
        )
        (found,) = drift.finds(changed)
        (difference,) = found["differences"]
        assert difference["expected"] == f"…{'x' * 39} Deny"
        assert difference["found"] == f"…{'x' * 39} Allow"

    def test_a_value_that_grew_at_its_end(self) -> None:
        before, after = shown_pair("x" * 300, "x" * 300 + "y")
        assert (before, after) == (f"…{'x' * 40}", f"…{'x' * 40}y")

    def test_a_variable_has_a_name(self, drift: Drift) -> None:
        def variables(pool: str) -> dict[str, Any]:
            return {"envs": [{"name": "A", "value": "1"}, {"name": "POOL", "value": pool}]}

        changed = step(
            "update",
            "gcp:cloudrunv2/service:Service",
            "server",
            before=variables("10"),
            after=variables("99"),
            changed=["envs[1].value"],
        )
        (found,) = drift.finds(changed)
        assert found["differences"] == [{"property": "envs[POOL]", "expected": "10", "found": "99"}]

    def test_one_flag_more_is_one_difference(self, drift: Drift) -> None:
        """The engines compare by position, and so every flag after it has changed for them."""

        def flags(**values: str) -> dict[str, Any]:
            return {"flags": [{"name": name, "value": value} for name, value in values.items()]}

        moved = [f"flags[{n}].{key}" for n in range(2) for key in ("name", "value")]
        changed = step(
            "update",
            "gcp:sql/databaseInstance:DatabaseInstance",
            "db",
            before=flags(b="1", c="2", d="3"),
            after=flags(a="0", b="1", c="9"),
            changed=[*moved, "flags[2].value"],
        )
        (found,) = drift.finds(changed)
        assert [(d["property"], d["expected"], d["found"]) for d in found["differences"]] == [
            ("flags[a]", "nothing", "0"),
            ("flags[c]", "2", "9"),
            ("flags[d]", "3", "nothing"),
        ]

    def test_an_item_with_parts_of_its_own(self, drift: Drift) -> None:
        """A container has a name too, and is shown by the part that changed."""

        def container(image: str) -> dict[str, Any]:
            return {"containers": [{"name": "mlflow", "image": image, "ports": [1]}]}

        changed = step(
            "update",
            "some:other/thing:Thing",
            "x",
            before=container("a"),
            after=container("b"),
            changed=["containers[0].image"],
        )
        (found,) = drift.finds(changed)
        assert found["differences"] == [
            {"property": "containers[0].image", "expected": "a", "found": "b"}
        ]

    def test_an_order_that_matters(self, drift: Drift) -> None:
        """Where the names say that nothing changed, the positions do."""

        def steps(*names: str) -> dict[str, Any]:
            return {"steps": [{"name": name} for name in names]}

        changed = step(
            "update",
            "some:other/thing:Thing",
            "x",
            before=steps("a", "b"),
            after=steps("b", "a"),
            changed=["steps[0].name", "steps[1].name"],
        )
        (found,) = drift.finds(changed)
        assert [d["property"] for d in found["differences"]] == ["steps[0].name", "steps[1].name"]

    def test_a_list_that_lost_an_item(self, drift: Drift) -> None:
        found = drift.finds(
            step(
                "update",
                "aws:iam/role:Role",
                "role",
                before={"managedPolicyArns": ["a", "b"]},
                after={"managedPolicyArns": ["a"]},
                changed=["managedPolicyArns[1]"],
            )
        )
        assert found[0]["differences"] == [
            {"property": "managedPolicyArns[1]", "expected": "b", "found": "nothing"}
        ]

    @pytest.mark.parametrize(
        ("type_token", "path", "severity"),
        [
            (INSTANCE, "publiclyAccessible", "critical"),
            (INSTANCE, "instanceClass", "warning"),
            (INSTANCE, "tags.owner", "info"),
            ("aws:ec2/securityGroup:SecurityGroup", "ingress[0].fromPort", "critical"),
            ("aws:iam/rolePolicy:RolePolicy", "policy", "critical"),
            (
                "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
                "blockPublicAcls",
                "critical",
            ),
            (ALARM, "threshold", "warning"),
            (ALARM, "alarmDescription", "info"),
            (BUCKET, "versioning.enabled", "critical"),
            ("gcp:cloudrunv2/service:Service", "template.scaling.minInstanceCount", "warning"),
            ("gcp:cloudrunv2/service:Service", "ingress", "critical"),
            ("some:other/thing:Thing", "anything", "warning"),
        ],
    )
    def test_severity(self, drift: Drift, type_token: str, path: str, severity: str) -> None:
        found = drift.finds(step("update", type_token, "x", before={}, after={}, changed=[path]))
        assert [item["severity"] for item in found] == [severity]


class TestNoDrift:
    """An untouched stack has no findings, whatever moves by itself."""

    def test_nothing_changed(self, drift: Drift, engine: RecordedEngine) -> None:
        engine.refreshes(
            step("same", "pulumi:pulumi:Stack", "stack", before={}, after={}),
            step("refresh", INSTANCE, "db", before={}, after={}),
        )
        ran = drift()
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == (
            "No drift of dev: it is as it was deployed.\n\n"
            "✓ resources: 1 resources compared by the engine\n"
        )

    def test_outputs_alone_are_no_drift(self, drift: Drift) -> None:
        assert drift.finds(step("update", INSTANCE, "db", before={"a": 1}, after={"a": 2})) == []

    def test_providers_and_components_are_no_resources(self, drift: Drift) -> None:
        steps = [
            step("update", kind, "x", before={}, after={}, changed=["version"])
            for kind in ("pulumi:providers:aws", "mlflow-platform:aws:Network")
        ]
        assert drift.finds(*steps) == []

    @pytest.mark.parametrize(
        ("type_token", "path"),
        [
            ("aws:eks/nodeGroup:NodeGroup", "scalingConfig.desiredSize"),
            (INSTANCE, "latestRestorableTime"),
            (INSTANCE, "status"),
            ("gcp:sql/databaseInstance:DatabaseInstance", "settings.diskSize"),
            ("gcp:cloudrunv2/service:Service", "etag"),
            ("gcp:cloudrunv2/service:Service", "latestReadyRevision"),
            ("gcp:cloudrunv2/service:Service", "terminalConditions[0].state"),
            ("gcp:cloudrunv2/job:Job", "observedGeneration"),
            (BUCKET, "updated"),
            ("kubernetes:apps/v1:Deployment", "spec.replicas"),
            ("kubernetes:apps/v1:Deployment", "status.readyReplicas"),
            ("kubernetes:core/v1:Service", "metadata.managedFields"),
            (
                "kubernetes:apps/v1:Deployment",
                'metadata.annotations["deployment.kubernetes.io/revision"]',
            ),
        ],
    )
    def test_volatile(self, drift: Drift, type_token: str, path: str) -> None:
        assert (
            drift.finds(step("update", type_token, "x", before={}, after={}, changed=[path])) == []
        )

    @pytest.mark.parametrize(
        ("type_token", "path"),
        [
            ("aws:eks/nodeGroup:NodeGroup", "scalingConfig.minSize"),
            (INSTANCE, "engineVersion"),
            (INSTANCE, "statusOfSomething"),
            ("gcp:sql/databaseInstance:DatabaseInstance", "settings.diskSizeLimit"),
            ("gcp:cloudrunv2/service:Service", "template.scaling.minInstanceCount"),
            ("kubernetes:apps/v1:Deployment", "spec.template.spec.containers[0].image"),
            ("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", "spec.minReplicas"),
        ],
    )
    def test_its_neighbours_are_not(self, type_token: str, path: str) -> None:
        assert not is_volatile(type_token, path)

    def test_a_volatile_property_hides_no_other(self, drift: Drift) -> None:
        changed = step(
            "update",
            INSTANCE,
            "db",
            before={"status": "available", "multiAz": True},
            after={"status": "modifying", "multiAz": False},
            changed=["status", "multiAz"],
        )
        (found,) = drift.finds(changed)
        assert [item["property"] for item in found["differences"]] == ["multiAz"]

    def test_each_volatile_property_says_who_changes_it(self) -> None:
        assert all(who for _, _, who in VOLATILE)


class TestText:
    """Text, Markdown and JSON say the same."""

    def test_text_and_markdown(self, drift: Drift, engine: RecordedEngine) -> None:
        engine.refreshes(
            step("delete", ALARM, "alarm", id="mlops-alarm", before={}),
            step(
                "update",
                INSTANCE,
                "db",
                before={"multiAz": True},
                after={"multiAz": False},
                changed=["multiAz"],
            ),
        )
        ran = drift()
        assert ran.code == 1
        assert ran.out == (
            "dev has drifted: 2 findings (1 critical, 1 warning).\n"
            "\n"
            "critical  aws:rds/instance:Instance  db\n"
            "    multiAz: expected true, found false\n"
            "\n"
            "warning  aws:cloudwatch/metricAlarm:MetricAlarm  alarm\n"
            "    is gone (mlops-alarm)\n"
            "\n"
            "✓ resources: 2 resources compared by the engine\n"
        )
        told = drift("--markdown").out.splitlines()
        assert told[0] == "**dev has drifted: 2 findings (1 critical, 1 warning).**"
        assert "| `db`<br>aws:rds/instance:Instance | `multiAz` | `true` | `false` |  |" in told
        assert "| `alarm`<br>aws:cloudwatch/metricAlarm:MetricAlarm | | there | gone |  |" in told

    def test_a_saved_report_is_shown_again(
        self, drift: Drift, engine: RecordedEngine, tmp_path: Path
    ) -> None:
        engine.refreshes(step("delete", ALARM, "alarm", before={}))
        saved = tmp_path / "drift.json"
        first = drift("--json")
        saved.write_text(first.out)
        calls = len(engine.asked)
        again = drift("--from", str(saved), "--json")
        assert (again.code, again.document) == (1, first.document)
        assert len(engine.asked) == calls
        assert read_drift(first.document).fingerprint == first.document["fingerprint"]

    def test_the_engine_is_asked_to_write_nothing(
        self, drift: Drift, engine: RecordedEngine
    ) -> None:
        engine.refreshes()
        drift("--config-file", "/x/Pulumi.dev.yaml")
        assert engine.asked[0] == (
            "--non-interactive refresh --preview-only --json --stack dev "
            "--config-file /x/Pulumi.dev.yaml"
        )
        assert not [line for line in engine.asked if "--yes" in line]


class TestHalfDeployed:
    """A stack whose first deployment failed exports nothing, and its resources are compared."""

    def test_no_outputs(self, operate: Operate, engine: RecordedEngine) -> None:
        engine.says("stack", {})
        engine.says("config", {}, 255)
        engine.refreshes(step("delete", ALARM, "alarm", before={}))
        ran = operate("drift", "--stack", "dev", "--json", environ=engine.environ)
        assert (ran.code, ran.document["environment"]) == (1, "dev")
        problems = {look["name"]: look["problem"] for look in ran.document["looks"]}
        assert problems.pop("resources") == ""
        assert "the stack exports no" in problems["server"]
        assert all(problems.values())


class TestCouldNotLook:
    """What cannot be compared is exit code 2, never a clean answer."""

    def test_the_engine_refuses(self, drift: Drift) -> None:
        ran = drift()
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == (
            "error: `refresh --preview-only --json` of stack 'dev' could not be had (no stack "
            "named 'dev' found): is it deployed, and may you read it here?\n"
        )

    def test_the_engine_fails_halfway(self, drift: Drift, engine: RecordedEngine) -> None:
        problem = {"severity": "error", "urn": "urn:pulumi::db", "message": "no credentials\n"}
        last = {"severity": "error", "message": "preview failed\n"}
        told = {"steps": [], "diagnostics": [problem, last]}
        engine.says("refresh", told, 255)
        ran = drift()
        assert ran.code == 2
        assert ran.err == (
            "error: `refresh --preview-only --json` of stack 'dev' failed (db: no credentials): "
            "run it by hand to see why\n"
        )

    def test_an_answer_that_is_no_preview(self, drift: Drift, engine: RecordedEngine) -> None:
        engine.says("refresh", "Previewing refresh (dev)")
        ran = drift()
        assert ran.code == 2
        assert "could not be had (no JSON of a preview)" in ran.err

    def test_a_report_of_another_stack(self, drift: Drift, tmp_path: Path) -> None:
        saved = tmp_path / "drift.json"
        saved.write_text(json.dumps({"stack": "dev"}))
        ran = drift("--from", str(saved), stack="prod")
        assert ran.code == 2
        assert ran.err == (
            f"error: {saved} is about stack 'dev' and --stack is 'prod': give the report of that "
            "stack\n"
        )

    def test_no_such_look(self, drift: Drift) -> None:
        ran = drift("--require", "server,moon")
        assert ran.code == 2
        assert ran.err == (
            "error: --require names 'moon': it must be some of server, database, pool, process, "
            "kubernetes, aws, security-groups, google, or all\n"
        )


class TestMerging:
    """A live look that saw what the engine saw adds no second finding."""

    def make(self, look: str, identity: str, severity: str = "warning") -> Finding:
        return Finding(
            severity=severity,  # type: ignore[arg-type]
            look=look,
            kind=ALARM,
            subject=f"{look} {identity}",
            identity=identity,
            what="gone",
            differences=(Difference(property="p", expected="1", found="2"),),
        )

    def test_same_thing(self) -> None:
        engine, live = self.make("resources", "a"), self.make("aws", "a", "critical")
        ann = Suspect(who="ann", what="kubectl", when="now", source="managedFields")
        (found,) = merged([engine], [replace(live, suspects=(ann,))])
        assert (found.look, found.severity) == ("resources", "critical")
        assert found.suspects == (ann,)

    def test_resources_that_share_a_name(self) -> None:
        """In AWS a bucket, its versioning and its policy are all called as the bucket."""
        one, other = self.make("resources", "a"), self.make("resources", "a")
        other = replace(other, kind="aws:s3/bucket:Bucket", subject="other")
        assert {item.subject for item in merged([one, other], [])} == {one.subject, "other"}
        live = self.make("aws", "a", "critical")
        severities = {item.subject: item.severity for item in merged([one, other], [live])}
        assert severities == {one.subject: "critical", "other": "warning"}

    def test_other_things(self) -> None:
        engine = self.make("resources", "")
        found = merged([engine], [self.make("aws", ""), self.make("aws", "b")])
        assert len(found) == 3


class TestPaths:
    """The engines' paths, followed through a resource's properties."""

    PROPERTIES: ClassVar[dict[str, Any]] = {"a": {"b.c": [1, {"d": None}]}, "x": ""}

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("a", {"b.c": [1, {"d": None}]}),
            ('a["b.c"][0]', 1),
            ('a["b.c"][1].d', None),
            ('a["b.c"][2]', ABSENT),
            ("a.nothing", ABSENT),
            ("x.y", ABSENT),
            ("x", ""),
        ],
    )
    def test_follow(self, path: str, value: object) -> None:
        assert follow(self.PROPERTIES, path) == value

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (ABSENT, "nothing"),
            (None, "nothing"),
            ("", "empty"),
            (1.0, "1"),
            (1.5, "1.5"),
            (True, "true"),
            ({"a": [1.0]}, '{"a": [1]}'),
            ("two\n lines", "two lines"),
            (UNKNOWN, "known after deployment"),
            ("x" * 200, "x" * 159 + "…"),
        ],
    )
    def test_shown(self, value: object, text: str) -> None:
        assert shown(value) == text


def pairs(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (item["subject"].partition("-mlflow-")[2], each)
        for item in document["findings"]
        for each in [d["property"] for d in item["differences"]] or [item["what"]]
    }


class TestRecorded:
    """What engines really printed after ten changes on the simulated clouds; values are cut."""

    @pytest.mark.parametrize("file", ["refresh-gcp-dev.json", "refresh-gcp-dev-pulumi.json"])
    def test_google(self, drift: Drift, engine: RecordedEngine, file: str) -> None:
        """By the embedded engine, and by Pulumi's CLI of the same state."""
        engine.says("refresh", (RECORDED / file).read_text())
        ran = drift("--json", stack="gcp-dev")
        assert pairs(ran.document) == {
            ("database-instance", "settings.backupConfiguration.enabled"),
            ("database-instance", "settings.tier"),
            ("artifacts-bucket", "versioning.enabled"),
            ("artifacts-bucket", "publicAccessPrevention"),
            ("server-service", "template.scaling.minInstanceCount"),
            ("server-service", "template.containers[0].envs[MLFLOW_SQLALCHEMYSTORE_POOL_SIZE]"),
            ("alerts-MLflowDown", "gone"),
            ("alerts-DatabaseCpuHigh", "conditions[0].conditionThreshold.thresholdValue"),
            ("pgpassword-server", "gone"),
            ("network-subnet", "privateIpGoogleAccess"),
        }

    def test_aws(self, drift: Drift, engine: RecordedEngine) -> None:
        """Nine; the tenth, a rule in a security group, is for a live look."""
        engine.says("refresh", (RECORDED / "refresh-dev.json").read_text())
        ran = drift("--json")
        assert pairs(ran.document) == {
            ("database-instance", "backupRetentionPeriod"),
            ("database-parameters", "parameters[log_min_duration_statement]"),
            ("artifacts-artifacts-versioning", "versioningConfiguration.status"),
            ("artifacts-artifacts-private", "gone"),
            ("watch-alarms-DatabaseCpuHigh", "gone"),
            ("watch-alarms-DatabaseStorageLow", "threshold"),
            ("encryption-key", "enableKeyRotation"),
            ("registry-repository", "imageTagMutability"),
            ("cluster-control-plane-logs", "retentionInDays"),
        }
