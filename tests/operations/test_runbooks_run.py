"""The commands that a runbook shows are run: ours here, AWS's on the simulated account.

Every `python -m operations …` of a page is run unless `NOT_RUN` says why not, so that a page's new
command is run without a word here. Lines of `aws` are run as the operations they are, on the
program's own stack `dev`; lines of `kubectl` on a real control plane, where one is built and
`kubectl` is on PATH.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jmespath
import pytest

from infra.local.layout import Layout
from operations import place as place_module
from simulated_cloud.kubernetes.api_client import ApiClient
from simulated_cloud.kubernetes.control_plane import ControlPlane
from smoke_tests.command_line import main as smoke
from tests.infra.local.conftest import RealPlatform
from tests.infra.stacks import stack
from tests.kubernetes.conftest import api, control_plane, desk
from tests.operations import aws_command_line
from tests.operations.conftest import Operate
from tests.operations.doctor.conftest import outputs_of
from tests.operations.doctor.test_broken_aws import Deployed, deployed
from tests.operations.doctor.test_broken_kubernetes import production
from tests.operations.runbook_pages import PAGES, Shown, shown_in
from tests.simulated_cloud.desk import Resource

__all__ = ["api", "control_plane", "deployed", "desk", "production"]

pytestmark = pytest.mark.slow

SHOWN = [shown for page in PAGES for shown in shown_in(page)]

NOT_RUN: dict[str, str] = {
    r"python -m operations (backup|backups|restore|drill|upgrade|retention) ": (
        "writes or deletes data, or needs a key: its own tests run it whole"
    ),
    r"kubectl (run|exec|logs|port-forward)\b": "needs a kubelet with containers",
    r"kubectl top\b": "needs a metrics server",
    r"aws backup list-backup-jobs\b": "the simulated account never backs up",
    r"aws s3 ls\b": "is several operations of the command line's own",
    r"MLFLOW_TRACKING_URI=\S+ python examples/": "runs in tests/examples",
    r"make\b": "deploys and checks this checkout: `make -n` is what test_runbooks.py runs",
}
"""What is checked in its form alone, and why."""


def those(pattern: str) -> list[object]:
    return [
        pytest.param(shown, id=f"{shown.page}: {shown.text[:70]}")
        for shown in SHOWN
        if re.match(pattern, shown.text)
        and not any(re.match(words, shown.text) for words in NOT_RUN)
    ]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPlatform]:
    real = RealPlatform(Layout(tmp_path_factory.mktemp("state") / "local"))
    try:
        real.up()
        yield real
    finally:
        real.down()


@pytest.fixture
def as_dev(platform: RealPlatform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The stack of the pages is the local platform; files are written to a folder of the test's."""
    uri = f"http://127.0.0.1:{platform.server_port}"
    outputs = outputs_of(
        tracking_uri=uri,
        health_url=f"{uri}/health",
        artifact_root=str(platform.layout.artifacts),
        backend_store=platform.endpoint.url(),
        database_host="127.0.0.1",
        database_port=platform.database_port,
        database_name="mlflow",
        database_user="mlflow",
        database_password=platform.password,
        log_directory=str(platform.layout.logs),
    )
    settings = stack(databasePort=str(platform.database_port))
    monkeypatch.setattr(place_module, "read_stack", lambda *_, **__: outputs)
    monkeypatch.setattr(place_module, "read_settings", lambda *_, **__: settings)
    monkeypatch.chdir(tmp_path)
    return uri


class TestOurs:
    """Each answers: clean, or with a finding; none of them could not look."""

    @pytest.mark.parametrize("shown", those(r"python -m operations "))
    def test_operations(self, shown: Shown, as_dev: str, operate: Operate) -> None:
        words = [word.replace("http://127.0.0.1:5000", as_dev) for word in shown.words[3:]]
        ran = operate(*words)
        assert ran.code in (0, 1), ran.err
        assert ran.err == ""
        assert ran.out
        if "doctor" in words:
            assert ran.code == 0, ran.out
        for word in words:
            if word.endswith(".tar.gz"):
                assert Path(word).stat().st_size > 1000

    @pytest.mark.parametrize("shown", those(r"python -m smoke_tests\b"))
    def test_smoke_tests(
        self, shown: Shown, as_dev: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = [word.replace("http://127.0.0.1:5000", as_dev) for word in shown.words[3:]]
        assert smoke(words) == 0, capsys.readouterr().out


class TestAws:
    """Each line of the AWS command line is run as its operation, on the program's own stack."""

    @pytest.mark.parametrize("shown", those(r"aws "))
    def test_it_answers(self, shown: Shown, deployed: Deployed) -> None:
        ec2 = deployed.client("ec2")
        groups = ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": ["mlops-platform-dev-mlflow-database"]}]
        )["SecurityGroups"]
        told = {
            "<mlflow-rds-sg-id>": groups[0]["GroupId"],
            "<account-id>": deployed.outputs.account or "",
        }
        text = shown.text
        for placeholder, value in told.items():
            text = text.replace(placeholder, value)
        assert not re.search(r"<[a-z-]+>", text), f"say in this test what stands for {text}"
        call = aws_command_line.parse(shlex.split(text))
        assert call is not None
        answer = getattr(deployed.client(call.service), call.operation)(**call.arguments)
        if call.query:
            assert jmespath.search(call.query, answer), answer


class TestKubectl:
    """Each line that asks the API alone is run by `kubectl` itself."""

    @pytest.mark.parametrize("shown", those(r"kubectl "))
    def test_it_answers(
        self,
        shown: Shown,
        production: dict[str, Resource],
        control_plane: ControlPlane,
        api: ApiClient,
        tmp_path: Path,
    ) -> None:
        if shutil.which("kubectl") is None:
            pytest.skip("kubectl is not on PATH")
        done = subprocess.run(
            shown.words,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": str(tmp_path),
                "KUBECONFIG": str(control_plane.kubeconfig),
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
        assert "No resources found" not in done.stderr


class TestTheTable:
    """What is not run is listed with its reason, and nothing is listed that no page shows."""

    def test_every_command_is_run_or_listed(self) -> None:
        run = (r"python -m operations ", r"python -m smoke_tests\b", r"aws ", r"kubectl ")
        unknown = [
            shown.text
            for shown in SHOWN
            if not any(re.match(pattern, shown.text) for pattern in (*run, *NOT_RUN))
        ]
        assert unknown == []
