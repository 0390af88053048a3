"""What the live looks see: AWS on moto, Google and CloudTrail on stand-ins, kubectl, a database."""

from __future__ import annotations

import json
import shlex
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from simulated_cloud.aws.cloud import ACCESS_KEY, SECRET_KEY, moto_server
from tests.operations.conftest import Operate, Ran
from tests.operations.engine_stand_in import RecordedEngine, step

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
INSTANCE = "aws:rds/instance:Instance"
SERVICE = "gcp:cloudrunv2/service:Service"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
REGION = "eu-central-1"


class Answers:
    """An HTTP server that gives prepared answers, and keeps what it was asked."""

    def __init__(self) -> None:
        self.by_path: dict[str, Any] = {}
        self.asked: list[tuple[str, Any]] = []
        self.url = ""

    def answer(self, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append((path, body))
        for known, told in self.by_path.items():
            if path.startswith(known):
                return 200, told
        return 404, {"error": {"code": 404}}


@contextmanager
def answering() -> Iterator[Answers]:
    state = Answers()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            target = self.headers.get("X-Amz-Target")
            code, told = state.answer(f"/{target}" if target else self.path, body)
            data = json.dumps(told).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Live:
    """`drift` with its live looks, on a recorded engine."""

    def __init__(self, operate: Operate, folder: Path) -> None:
        self._operate = operate
        self.engine = RecordedEngine(folder)
        self.environ = {**self.engine.environ, "NO_GCE_CHECK": "true", "NO_PROXY": "*"}

    def __call__(self, *steps: dict[str, Any], more: tuple[str, ...] = ()) -> Ran:
        self.engine.refreshes(*steps)
        ran = self._operate("drift", "--stack", "dev", "--json", *more, environ=self.environ)
        assert ran.code in (0, 1), ran.err
        return ran

    def findings(self, *steps: dict[str, Any]) -> list[dict[str, Any]]:
        return self(*steps).document["findings"]

    def looks(self, *steps: dict[str, Any]) -> dict[str, dict[str, str]]:
        return {look["name"]: look for look in self(*steps).document["looks"]}


@pytest.fixture
def live(operate: Operate, tmp_path: Path) -> Live:
    return Live(operate, tmp_path)


def differences(finding: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {d["property"]: (d["expected"], d["found"]) for d in finding["differences"]}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture
def aws(live: Live, moto: str) -> Live:
    live.environ |= {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    live.engine.has(target="aws", region=REGION)
    return live


def client(moto: str, service: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=moto,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


def put_alarm(moto: str, name: str, **more: Any) -> dict[str, Any]:
    client(moto, "cloudwatch").put_metric_alarm(
        AlarmName=name,
        MetricName="m",
        Namespace="n",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        **more,
    )
    return step("refresh", ALARM, f"alarms-{name}", id=name, before={"name": name})


class TestAws:
    """Alarms are there and may act; nothing waits in RDS."""

    def test_untouched(self, aws: Live, moto: str) -> None:
        ran = aws(put_alarm(moto, "one"))
        assert ran.document["findings"] == []
        assert {look["name"]: look["looked_at"] for look in ran.document["looks"]}["aws"] == (
            "1 alarms present and switched on; 0 databases available"
        )

    def test_an_alarm_that_was_switched_off(self, aws: Live, moto: str) -> None:
        deployed = put_alarm(moto, "two")
        client(moto, "cloudwatch").disable_alarm_actions(AlarmNames=["two"])
        (found,) = aws.findings(deployed)
        assert differences(found) == {"actionsEnabled": ("true", "false")}

    def test_an_alarm_that_is_gone(self, aws: Live) -> None:
        (found,) = aws.findings(step("refresh", ALARM, "x", id="x", before={"name": "x"}))
        assert (found["look"], found["what"]) == ("aws", "gone")

    def test_what_the_engine_saw_is_told_once(self, aws: Live) -> None:
        (found,) = aws.findings(step("delete", ALARM, "x", id="x", before={"name": "x"}))
        assert found["look"] == "resources"

    def test_what_waits_for_the_maintenance_window(self, aws: Live) -> None:
        instance = {
            "DBInstanceStatus": "available",
            "PendingModifiedValues": {"DBInstanceClass": "db.t4g.micro"},
            "DBParameterGroups": [
                {"DBParameterGroupName": "ours", "ParameterApplyStatus": "pending-reboot"}
            ],
        }
        xml = rds_answer(instance)
        with answering_text(xml) as url:
            aws.environ["AWS_ENDPOINT_URL_RDS"] = url
            found = aws.findings(
                step("refresh", INSTANCE, "db", before={"identifier": "mlops-platform-dev-mlflow"})
            )
        assert [(item["severity"], differences(item)) for item in found] == [
            ("warning", {"parameter group ours": ("in-sync", "pending-reboot")}),
            ("info", {"pending DBInstanceClass": ("nothing waits", "db.t4g.micro")}),
        ]

    @pytest.mark.parametrize(
        ("status", "found"),
        [
            ("backing-up", []),
            ("maintenance", []),
            ("storage-full", ["status"]),
            ("stopped", ["status"]),
        ],
    )
    def test_status(self, aws: Live, status: str, found: list[str]) -> None:
        """What RDS does by itself is no drift; what does not come back is."""
        instance = {
            "DBInstanceStatus": status,
            "PendingModifiedValues": {},
            "DBParameterGroups": [],
        }
        with answering_text(rds_answer(instance)) as url:
            aws.environ["AWS_ENDPOINT_URL_RDS"] = url
            findings = aws.findings(step("refresh", INSTANCE, "db", before={"identifier": "db"}))
        assert [name for item in findings for name in differences(item)] == found

    def test_nobody_answers(self, aws: Live) -> None:
        aws.environ["AWS_ENDPOINT_URL_CLOUDWATCH"] = "http://127.0.0.1:1"
        look = aws.looks(step("refresh", ALARM, "x", id="x", before={"name": "x"}))["aws"]
        assert look["problem"].startswith("AWS did not answer: Could not connect")
        assert look["looked_at"] == ""


class TestSecurityGroups:
    """A rule that nobody deployed is found; the engine looks only at those that it knows."""

    RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    GROUP = "aws:ec2/securityGroup:SecurityGroup"

    def group(self, moto: str, name: str) -> tuple[Any, str, list[dict[str, Any]]]:
        """A group with one rule, as it was deployed."""
        ec2 = client(moto, "ec2")
        group = ec2.create_security_group(GroupName=name, Description="x")["GroupId"]
        everything = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        ec2.revoke_security_group_egress(
            GroupId=group, IpPermissions=everything["IpPermissionsEgress"]
        )
        self.open(ec2, group, "10.0.0.0/8", "the server")
        rules = ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [group]}]
        )["SecurityGroupRules"]
        deployed = [
            step("refresh", self.GROUP, "clients", id=group, before={}),
            *(
                step("refresh", self.RULE, f"rule-{n}", id=rule["SecurityGroupRuleId"], before={})
                for n, rule in enumerate(rules)
            ),
        ]
        return ec2, group, deployed

    def open(self, ec2: Any, group: str, network: str, why: str) -> None:
        ranges = [{"CidrIp": network, "Description": why}]
        rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": ranges}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def test_untouched(self, aws: Live, moto: str) -> None:
        _, _, deployed = self.group(moto, "untouched")
        assert aws.findings(*deployed) == []
        assert aws.looks(*deployed)["security-groups"]["looked_at"] == "1 rules of 1 groups"

    def test_opened_by_hand(self, aws: Live, moto: str) -> None:
        ec2, group, deployed = self.group(moto, "opened")
        self.open(ec2, group, "0.0.0.0/0", "just for today")
        (found,) = aws.findings(*deployed)
        assert (found["severity"], found["identity"]) == ("critical", group)
        assert differences(found) == {"ingress tcp 5432": ("nothing", "0.0.0.0/0 (just for today)")}

    def test_opened_by_a_controller(self, aws: Live, moto: str) -> None:
        ec2, group, deployed = self.group(moto, "controller")
        self.open(ec2, group, "10.1.0.0/16", "elbv2.k8s.aws/targetGroupBinding=shared")
        assert aws.findings(*deployed) == []

    def test_a_group_with_rules_of_its_own(self, aws: Live) -> None:
        own = step("refresh", self.GROUP, "own", id="sg-1", before={"ingress": [{"toPort": 1}]})
        assert "security-groups" not in aws.looks(own)


def rds_answer(instance: dict[str, Any]) -> str:
    pending = "".join(f"<{k}>{v}</{k}>" for k, v in instance["PendingModifiedValues"].items())
    groups = "".join(
        "<DBParameterGroup>"
        + "".join(f"<{k}>{v}</{k}>" for k, v in group.items())
        + "</DBParameterGroup>"
        for group in instance["DBParameterGroups"]
    )
    return (
        "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>"
        f"<DBInstanceStatus>{instance['DBInstanceStatus']}</DBInstanceStatus>"
        f"<PendingModifiedValues>{pending}</PendingModifiedValues>"
        f"<DBParameterGroups>{groups}</DBParameterGroups>"
        "</DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
    )


@contextmanager
def answering_text(text: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestWho:
    """CloudTrail names the last callers that wrote; where it does not answer, that is said once."""

    EVENTS = "/com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"

    def event(self, name: str, at: int, *, reads: str = "false") -> dict[str, Any]:
        told = {"userIdentity": {"arn": "arn:aws:iam::1:user/ann"}}
        return {
            "EventName": name,
            "EventTime": at,
            "ReadOnly": reads,
            "Username": "ann",
            "CloudTrailEvent": json.dumps(told),
        }

    def test_cloudtrail(self, aws: Live) -> None:
        changed = step(
            "update",
            INSTANCE,
            "db",
            id="db-ABC",
            before={"identifier": "mlops-db", "multiAz": True},
            after={"identifier": "mlops-db", "multiAz": False},
            changed=["multiAz"],
        )
        with answering() as trail:
            events = [
                self.event("DescribeDBInstances", 1_800_000_300, reads="true"),
                self.event("CreateDBInstance", 1_800_000_000),
                self.event("ModifyDBInstance", 1_800_000_200),
            ]
            trail.by_path[self.EVENTS] = {"Events": events}
            aws.environ["AWS_ENDPOINT_URL_CLOUDTRAIL"] = trail.url
            found = next(f for f in aws.findings(changed) if f["look"] == "resources")
        assert [(s["who"], s["what"], s["source"]) for s in found["suspects"]] == [
            ("arn:aws:iam::1:user/ann", "ModifyDBInstance", "CloudTrail"),
            ("arn:aws:iam::1:user/ann", "CreateDBInstance", "CloudTrail"),
        ]
        assert trail.asked[0][1]["LookupAttributes"] == [
            {"AttributeKey": "ResourceName", "AttributeValue": "mlops-db"}
        ]

    def test_no_book(self, aws: Live) -> None:
        gone = [step("delete", ALARM, f"x{n}", id=f"x{n}", before={}) for n in range(2)]
        with answering() as trail:
            aws.environ["AWS_ENDPOINT_URL_CLOUDTRAIL"] = trail.url
            looks = aws.looks(*gone)
        assert looks["who did it (aws)"]["problem"].startswith("CloudTrail did not answer: ")
        assert len(trail.asked) == 1

    def test_managed_fields(self, live: Live) -> None:
        fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}
        metadata = {
            "managedFields": [
                {"manager": "pulumi-kubernetes", "operation": "Apply", "fieldsV1": fields},
                {
                    "manager": "kubectl-set",
                    "operation": "Update",
                    "time": "2026-11-21T18:00:00Z",
                    "fieldsV1": fields,
                },
                {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {}}},
            ]
        }
        (found,) = live.findings(
            step(
                "update",
                "kubernetes:batch/v1:CronJob",
                "job",
                before={"metadata": {}},
                after={"metadata": metadata},
                changed=["spec.template.spec.containers[0].image"],
            )
        )
        assert [(s["who"], s["source"]) for s in found["suspects"]] == [
            ("kubectl-set", "managedFields")
        ]


@pytest.fixture
def google(live: Live) -> Iterator[tuple[Live, Answers]]:
    live.engine.has(target="gcp", region="europe-west3", account="p")
    with answering() as answers:
        for service in ("RUN", "MONITORING", "LOGGING"):
            live.environ[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}"] = answers.url
        answers.by_path = {
            "/v2/projects/p/locations/europe-west3/services/mlflow": {
                "template": {"scaling": {"minInstanceCount": 1, "maxInstanceCount": 2}},
                "latestReadyRevision": "projects/p/revisions/mlflow-2",
                "latestCreatedRevision": "projects/p/revisions/mlflow-2",
            },
            "/v3/projects/p/alertPolicies": {
                "alertPolicies": [{"name": "projects/p/alertPolicies/1"}]
            },
        }
        yield live, answers


SCALING = {"template": {"scaling": {"minInstanceCount": 1, "maxInstanceCount": 2}}}
RUNNING = (
    step("refresh", SERVICE, "service", before={"name": "mlflow", **SCALING}),
    step("refresh", POLICY, "policy", id="projects/p/alertPolicies/1", before={}),
)


class TestGoogle:
    """The newest revision serves, as many instances as agreed stay warm, the alerts are there."""

    def test_untouched(self, google: tuple[Live, Answers]) -> None:
        live, _ = google
        looks = live.looks(*RUNNING)
        assert live.findings(*RUNNING) == []
        assert looks["google"]["looked_at"] == (
            "1 warm instances, mlflow-2 serves; 1 alert policies present and switched on"
        )

    def test_everything_at_once(self, google: tuple[Live, Answers]) -> None:
        live, answers = google
        service = answers.by_path["/v2/projects/p/locations/europe-west3/services/mlflow"]
        service["latestReadyRevision"] = "projects/p/revisions/mlflow-1"
        service["template"]["scaling"] = {"maxInstanceCount": 2}
        service["scaling"] = {"minInstanceCount": 5}
        answers.by_path["/v3"] = answers.by_path.pop("/v3/projects/p/alertPolicies")
        answers.by_path["/v3"]["alertPolicies"][0]["enabled"] = False
        answers.by_path["/v2/entries:list"] = {
            "entries": [
                {
                    "timestamp": "2026-11-21T18:00:00Z",
                    "protoPayload": {
                        "methodName": "google.cloud.run.v2.Services.UpdateService",
                        "authenticationInfo": {"principalEmail": "ann@example.com"},
                    },
                }
            ]
        }
        found = live.findings(*RUNNING)
        assert {f["subject"]: differences(f) for f in found} == {
            "policy": {"enabled": ("true", "false")},
            "service": {
                "revision that serves": ("mlflow-2", "mlflow-1"),
                "template.scaling.minInstanceCount": ("1", "0"),
                "scaling.minInstanceCount": ("nothing", "5"),
            },
        }
        assert {s["who"] for f in found for s in f["suspects"]} == {"ann@example.com"}

    def test_gone(self, google: tuple[Live, Answers]) -> None:
        live, answers = google
        answers.by_path["/v3/projects/p/alertPolicies"] = {"alertPolicies": []}
        (found,) = live.findings(*RUNNING)
        assert (found["subject"], found["what"], found["look"]) == ("policy", "gone", "google")

    def test_no_credentials(self, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        monkeypatch.setenv("CLOUDSDK_CONFIG", "/nowhere")
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        live.engine.has(target="gcp", region="europe-west3", account="p")
        assert live.looks(*RUNNING)["google"]["problem"] == (
            "there are no Google credentials here: `gcloud auth application-default login`"
        )

    def test_a_simulated_stack_is_not_compared_with_a_real_cloud(self, live: Live) -> None:
        live.engine.has(target="gcp", region="europe-west3", account="p")
        live.environ["PULUMI_DEBUG_PROVIDERS"] = "gcp:1"
        looks = live.looks(*RUNNING)
        for name in ("server", "database", "google"):
            assert looks[name]["problem"] == (
                "the stack's providers are attached ones (PULUMI_DEBUG_PROVIDERS), so nothing runs "
                "where its outputs say"
            )
        gone = live.looks(step("delete", POLICY, "policy", before={}))
        assert gone["who did it (gcp)"]["problem"] == (
            "the stack's providers are attached ones (PULUMI_DEBUG_PROVIDERS): it is not in "
            "Google's cloud"
        )


KUBECTL = """#!/bin/sh
told={folder}/deployment.json
[ "$1" = config ] && told={folder}/config.json
if [ ! -f "$told" ]; then
  echo "Unable to connect to the server: dial tcp: lookup cluster: no such host" >&2
  exit 1
fi
cat "$told"
"""


def pod(image: str = "mlflow:1", **env: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    secret = {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    return {"containers": [{"image": image, "env": [*variables, secret]}]}


class TestKubernetes:
    """The pods are as deployed, of the newest version, and as many as agreed."""

    @pytest.fixture
    def cluster(self, live: Live, tmp_path: Path) -> Live:
        folder = tmp_path / "kubectl-answers"
        folder.mkdir()
        program = tmp_path / "kubectl"
        program.write_text(KUBECTL.format(folder=shlex.quote(str(folder))))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.folder = folder
        self.tell("config", {"clusters": [{"cluster": {"server": "https://own"}}]})
        self.tell("deployment", self.found())
        return live

    def tell(self, name: str, told: dict[str, Any]) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(told))

    def found(self, ready: int = 2, updated: int = 2, **more: Any) -> dict[str, Any]:
        status: dict[str, Any] = {"replicas": 2, "readyReplicas": ready, "updatedReplicas": updated}
        spec = {"replicas": 2, "template": {"spec": more.get("pod", pod(POOL="7"))}}
        return {"spec": spec, "status": status}

    def steps(self, endpoint: str = "https://own") -> list[dict[str, Any]]:
        name = {"metadata": {"name": "mlflow", "namespace": "mlflow"}}
        spec = {"template": {"spec": pod(POOL="7")}}
        bounds = {"spec": {"minReplicas": 2.0, "maxReplicas": 4.0}}
        return [
            step("refresh", "aws:eks/cluster:Cluster", "cluster", before={"endpoint": endpoint}),
            step(
                "refresh", DEPLOYMENT, "servers", id="mlflow/mlflow", before={**name, "spec": spec}
            ),
            step("refresh", AUTOSCALER, "autoscaler", before=bounds),
        ]

    def test_untouched(self, cluster: Live) -> None:
        assert cluster.findings(*self.steps()) == []
        looks = cluster.looks(*self.steps())
        assert looks["kubernetes"]["looked_at"] == "2 of 2 servers ready"

    def test_everything_at_once(self, cluster: Live) -> None:
        other = pod("mlflow:2", POOL="99", EXTRA="1")
        told = self.found(ready=1, pod=other)
        stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        told["status"]["conditions"] = [{"type": "Available", "status": "True"}, stuck]
        self.tell("deployment", told)
        (found,) = cluster.findings(*self.steps())
        assert differences(found) == {
            "image": ("mlflow:1", "mlflow:2"),
            "env POOL": ("7", "99"),
            "env EXTRA": ("nothing", "1"),
            "rollout": ("complete", "ProgressDeadlineExceeded"),
            "servers ready": ("2 to 4", "1"),
        }

    def test_a_rollout_under_way(self, cluster: Live) -> None:
        """For a moment there are more servers than agreed, or fewer: that is no drift."""
        told = self.found(ready=5, updated=1)
        self.tell("deployment", told)
        assert cluster.findings(*self.steps()) == []
        looked = cluster.looks(*self.steps())["kubernetes"]["looked_at"]
        assert looked == "5 of 2 servers ready, a rollout is under way"

    def test_who_wrote_it(self, cluster: Live) -> None:
        fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k": {}}}}}}
        told = self.found(pod=pod("mlflow:2", POOL="7"))
        entry = {"operation": "Update", "time": "2026-11-21T18:00:00Z", "fieldsV1": fields}
        told["metadata"] = {
            "managedFields": [
                {**entry, "manager": "kubectl-set"},
                {**entry, "manager": "pulumi-kubernetes-1234"},
                {**entry, "manager": "kube-controller-manager", "fieldsV1": {"f:status": {}}},
            ]
        }
        self.tell("deployment", told)
        (found,) = cluster.findings(*self.steps())
        assert [who["who"] for who in found["suspects"]] == ["kubectl-set"]

    def test_an_adopted_cluster(self, cluster: Live, moto: str) -> None:
        """Its endpoint is in no state; EKS is asked whether the kubeconfig leads there."""
        aws = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        cluster.environ |= {"AWS_ENDPOINT_URL": moto, **aws}
        steps = [item for item in self.steps() if "eks/cluster" not in item["urn"]]
        problem = cluster.looks(*steps)["kubernetes"]["problem"]
        assert problem.startswith("the stack exports no clusterName")
        eks = client(moto, "eks")
        made = eks.create_cluster(
            name="shared",
            roleArn="arn:aws:iam::123456789012:role/eks",
            resourcesVpcConfig={"subnetIds": []},
        )
        cluster.engine.has(target="aws", region=REGION, cluster_name="shared")
        assert "and the stack's is https://" in cluster.looks(*steps)["kubernetes"]["problem"]
        endpoint = made["cluster"]["endpoint"]
        self.tell("config", {"clusters": [{"cluster": {"server": endpoint}}]})
        assert cluster.looks(*steps)["kubernetes"]["problem"] == ""

    def test_another_cluster(self, cluster: Live) -> None:
        look = cluster.looks(*self.steps("https://other"))["kubernetes"]
        assert look["problem"] == (
            "the kubeconfig's current cluster is https://own and the stack's is https://other: "
            "run `aws eks update-kubeconfig` for the stack's cluster"
        )

    def test_the_cluster_of_a_simulated_stack(self, cluster: Live) -> None:
        """Never the user's own; the one that the attached provider deploys to, if there is one."""
        cluster.environ["PULUMI_DEBUG_PROVIDERS"] = "aws:1"
        problem = cluster.looks(*self.steps("https://other"))["kubernetes"]["problem"]
        assert problem.startswith("the stack's providers are attached ones")
        cluster.environ["SIMULATED_KUBECONFIG"] = "/some/kubeconfig"
        assert cluster.looks(*self.steps("https://other"))["kubernetes"]["problem"] == ""

    def test_no_answer(self, cluster: Live) -> None:
        (self.folder / "config.json").unlink()
        assert cluster.looks(*self.steps())["kubernetes"]["problem"] == (
            "kubectl: Unable to connect to the server: dial tcp: lookup cluster: no such host"
        )

    def test_no_kubectl(self, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "shutil.which",
            lambda name, path=None: None if name == "kubectl" else f"{path.split(':')[0]}/{name}",
        )
        looks = live.looks(*self.steps())
        assert looks["kubernetes"]["problem"] == "kubectl is not on PATH"


class TestWhatCannotBeSeen:
    """It is said, and it is exit code 2 where it was required."""

    def test_said(self, live: Live) -> None:
        ran = live()
        assert ran.code == 0
        problems = {look["name"]: look["problem"] for look in ran.document["looks"]}
        assert problems["database"] == "the stack exports no databaseHost"
        assert problems["server"] != ""
        assert "kubernetes" not in problems  # nothing was deployed to a cluster

    def test_required(self, live: Live, operate: Operate) -> None:
        live.engine.refreshes()
        for words, code in (("database", 2), ("all", 2), ("google", 0)):
            ran = operate("drift", "--stack", "dev", "--require", words, environ=live.environ)
            assert ran.code == code, words
            assert "- database: not looked at: the stack exports no databaseHost\n" in ran.out
            assert ran.out.startswith("No drift of dev in what could be looked at.\n")
