"""The cluster's API as `doctor` calls it: logs of pods, refusals, ways of proving who we are.

kwok's pods have no logs, so a small HTTPS server answers for the API here; everything else is
tested on a real control plane.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from operations.doctor import kubernetes_pods
from operations.doctor.check import Answer, NotRun
from operations.doctor.kubernetes_api import Refused, eks_token, from_kubeconfig
from operations.doctor.kubernetes_logs import pod_logs
from operations.doctor.log_lines import parsed
from operations.doctor.patient import Options, Patient
from operations.doctor.runner import answer_of
from operations.place import Place
from tests.operations.doctor.conftest import outputs_of
from tests.operations.doctor.test_certificates import write_certificate

PODS = "/api/v1/namespaces/mlflow/pods"
TOKEN = "a-token-of-the-cluster"
USAGE = next(check for check in kubernetes_pods.CHECKS if check.name == "kubernetes.usage")


class Api:
    """What the server answers, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.texts: dict[str, str] = {}
        self.asked: list[str] = []
        self.certificate = write_certificate(folder, begins=-1, ends=30)
        self.port = 0

    def kubeconfig(self, folder: Path, **user: Any) -> Path:
        authority = base64.b64encode(self.certificate.read_bytes()).decode()
        server = f"https://127.0.0.1:{self.port}"
        cluster = {"server": server, "certificate-authority-data": authority}
        path = folder / "kubeconfig"
        document = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
        }
        path.write_text(yaml.safe_dump(document))
        return path


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    answers = Api(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append(self.path)
            text = answers.texts.get(urlsplit(self.path).path)
            status = 200 if text is not None else 404
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, text = 401, json.dumps({"message": "Unauthorized"})
            content = (text or json.dumps({"message": "not found"})).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(answers.certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    answers.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def patient(path: Path | None = None) -> Patient:
    place = Place(stack="test", url=None, environ={"PATH": "/usr/bin:/bin"})
    place.__dict__["outputs"] = outputs_of(target="aws", kubernetes_namespace="mlflow")
    return Patient(place=place, options=Options(kubeconfig=None if path is None else str(path)))


class TestWhoWeAre:
    """A token, a file with one, or a program that prints one; it is masked from then on."""

    def test_a_token(self, api: Api, tmp_path: Path) -> None:
        api.texts["/version"] = '{"gitVersion": "v1"}'
        examined = patient()
        cluster = from_kubeconfig(api.kubeconfig(tmp_path, token=TOKEN), examined)
        assert cluster.get("/version") == {"gitVersion": "v1"}
        assert examined.foreign(f"it was {TOKEN}") == "it was [secret]"
        assert TOKEN not in repr(cluster)

    def test_a_plugin(self, api: Api, tmp_path: Path) -> None:
        api.texts["/version"] = "{}"
        printed = json.dumps({"status": {"token": TOKEN}})
        plugin = {"command": sys.executable, "args": ["-c", f"print({printed!r})"]}
        cluster = from_kubeconfig(api.kubeconfig(tmp_path, exec=plugin), patient())
        assert cluster.get("/version") == {}

    def test_a_plugin_that_fails(self, api: Api, tmp_path: Path) -> None:
        plugin = {"command": "no-such-plugin"}
        with pytest.raises(NotRun, match=r"plugin `no-such-plugin` gives no token \(FileNotFound"):
            from_kubeconfig(api.kubeconfig(tmp_path, exec=plugin), patient())

    def test_nobody(self, api: Api, tmp_path: Path) -> None:
        cluster = from_kubeconfig(api.kubeconfig(tmp_path), patient())
        with pytest.raises(Refused, match=r"^Unauthorized$") as caught:
            cluster.get("/version")
        assert caught.value.code == 401

    def test_a_server_that_is_another(self, api: Api, tmp_path: Path) -> None:
        path = api.kubeconfig(tmp_path, token=TOKEN)
        other = tmp_path / "other"
        other.mkdir()
        document = yaml.safe_load(path.read_text())
        foreign = write_certificate(other, begins=-1, ends=30).read_bytes()
        cluster = document["clusters"][0]["cluster"]
        cluster["certificate-authority-data"] = base64.b64encode(foreign).decode()
        path.write_text(yaml.safe_dump(document))
        with pytest.raises(ssl.SSLCertVerificationError):
            from_kubeconfig(path, patient()).get("/version")
        assert api.asked == []  # the token was not sent


class TestEks:
    """EKS's token is a question to AWS that only its owner can have signed, good for a minute."""

    def test_its_form(self) -> None:
        environ = {
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "a-secret-of-aws",
            "AWS_SESSION_TOKEN": "a-session-of-aws",
        }
        place = Place(stack="test", url=None, environ=environ)
        place.__dict__["outputs"] = outputs_of(target="aws", region="eu-central-1")
        examined = Patient(place=place)
        token = eks_token(examined, "our-cluster")
        head, _, body = token.partition(".")
        assert head == "k8s-aws-v1"
        url = urlsplit(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode())
        query = parse_qs(url.query)
        assert url.netloc == "sts.eu-central-1.amazonaws.com"
        assert query["Action"] == ["GetCallerIdentity"]
        assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
        assert query["X-Amz-Expires"] == ["60"]
        assert "a-secret-of-aws" not in url.query
        assert examined.foreign(token) == "[secret]"


class TestUsage:
    """Memory in use is compared with the limit, where the cluster measures it."""

    def answer(self, api: Api, tmp_path: Path, used: str | None) -> Answer:
        limits = {"resources": {"limits": {"memory": "2Gi"}}}
        pod = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "mlflow", **limits}]}}
        api.texts = {PODS: json.dumps({"items": [pod]})}
        if used is not None:
            measured = {
                "metadata": {"name": "a"},
                "containers": [{"name": "mlflow", "usage": {"memory": used}}],
            }
            path = "/apis/metrics.k8s.io/v1beta1/namespaces/mlflow/pods"
            api.texts[path] = json.dumps({"items": [measured]})
        return answer_of(USAGE, patient(api.kubeconfig(tmp_path, token=TOKEN)))

    @pytest.mark.parametrize(
        ("used", "status", "evidence"),
        [
            ("1Gi", "passed", "a 50% of 2048 MiB"),
            ("2000Mi", "failed", "a 98% of 2048 MiB"),
            ("2097152Ki", "failed", "a 100% of 2048 MiB"),
            ("1073741824", "passed", "a 50% of 2048 MiB"),
            (None, "not_run", "the cluster has no metrics server"),
        ],
    )
    def test_of_the_limit(
        self, api: Api, tmp_path: Path, used: str | None, status: str, evidence: str
    ) -> None:
        found = self.answer(api, tmp_path, used)
        assert (found.status, found.evidence) == (status, evidence)


class TestLogs:
    """The last lines of each pod, and of what it was before it was restarted."""

    def test_pods(self, api: Api, tmp_path: Path) -> None:
        restarted = {"containerStatuses": [{"restartCount": 2}]}
        pods = [
            {"metadata": {"name": "a"}, "status": {}},
            {"metadata": {"name": "b"}, "status": restarted},
        ]
        api.texts = {
            PODS: json.dumps({"items": pods}),
            f"{PODS}/a/log": "2026-11-21T18:03:04Z fine",
            f"{PODS}/b/log": "2026-11-21T18:03:04Z sqlalchemy.exc.OperationalError: no",
        }
        texts = pod_logs(patient(api.kubeconfig(tmp_path, token=TOKEN))).texts
        assert texts == {
            "a": "2026-11-21T18:03:04Z fine",
            "b": "2026-11-21T18:03:04Z sqlalchemy.exc.OperationalError: no",
            "b (before)": "2026-11-21T18:03:04Z sqlalchemy.exc.OperationalError: no",
        }
        assert [line.moment is not None for line in parsed("b", texts["b"])] == [True]
        assert f"{PODS}/b/log?tailLines=2000&timestamps=true&previous=true" in api.asked

    def test_no_pod(self, api: Api, tmp_path: Path) -> None:
        api.texts = {PODS: '{"items": []}'}
        with pytest.raises(NotRun, match=r"^there is no pod of the server's to ask$"):
            pod_logs(patient(api.kubeconfig(tmp_path, token=TOKEN)))

    def test_a_refusal_is_the_reason(self, api: Api, tmp_path: Path) -> None:
        api.texts = {PODS: json.dumps({"items": [{"metadata": {"name": "a"}}]})}
        with pytest.raises(NotRun, match=r"^not found$"):
            pod_logs(patient(api.kubeconfig(tmp_path, token=TOKEN)))
