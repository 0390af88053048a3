"""The cluster's API: where it is, whom we are to it, and its answers as plain values.

Owns reading through HTTPS and nothing else: no object is changed, and no `kubectl` is needed. Who
we are comes from a kubeconfig (`--kubeconfig`), or from EKS itself, which takes a request that is
signed with the caller's AWS credentials for a token, as `aws eks get-token` makes one.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from operations.aws_client import aws_session
from operations.doctor.check import NotRun
from operations.doctor.patient import Patient

SECONDS = 10.0
TOKEN_SECONDS = 60
PLUGIN_SECONDS = 15.0

_QUESTION = "?Action=GetCallerIdentity&Version=2011-06-15"


class Refused(Exception):  # noqa: N818  # an answer, not a defect
    """The API server said no."""

    def __init__(self, code: int, message: str) -> None:
        """Keep HTTP's code; the text is the server's."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """An API server, and how it knows us."""

    server: str
    context: ssl.SSLContext = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """An object or a list.

        Raises:
            Refused: the server said no.
            OSError: it did not answer.
        """
        return cast("dict[str, Any]", json.loads(self.text(path, **query) or "{}"))

    def text(self, path: str, **query: str) -> str:
        """An answer as it is, such as a log."""
        parts = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, timeout=SECONDS, context=self.context
        )
        try:
            target = f"{parts.path.rstrip('/')}{path}"
            connection.request(
                "GET",
                f"{target}?{urlencode(query)}" if query else target,
                headers={"Accept": "application/json", **self.headers},
            )
            answer = connection.getresponse()
            body = answer.read().decode("utf-8", "replace")
        except http.client.HTTPException as error:
            raise OSError(str(error) or type(error).__name__) from None
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise Refused(answer.status, _message(body) or answer.reason)
        return body

    def find(self, path: str) -> dict[str, Any] | None:
        """An object, or None where there is none."""
        try:
            return self.get(path)
        except Refused as refusal:
            if refusal.code == http.client.NOT_FOUND:
                return None
            raise

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects of a list."""
        return list(self.get(path, **query).get("items") or [])


def cluster_of(patient: Patient) -> Cluster:
    """The stack's cluster, once for all checks.

    Raises:
        NotRun: it is not known where it is, or who we are there.
    """
    return patient.once("kubernetes", lambda: _cluster(patient))


def _cluster(patient: Patient) -> Cluster:
    if patient.options.kubeconfig:
        return from_kubeconfig(Path(patient.options.kubeconfig), patient)
    if patient.outputs.cluster_name:
        return _from_eks(patient, patient.outputs.cluster_name)
    raise NotRun("the stack has no cluster")


def from_kubeconfig(path: Path, patient: Patient) -> Cluster:
    """The current context of a kubeconfig.

    Raises:
        NotRun: the file cannot be used.
    """
    import yaml

    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(document["contexts"], document["current-context"])["context"]
        cluster = _named(document["clusters"], context["cluster"])["cluster"]
        user = _named(document["users"], context["user"])["user"]
        server = str(cluster["server"])
    except OSError as error:
        raise NotRun(f"--kubeconfig is {str(path)!r}: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, TypeError, StopIteration):
        raise NotRun(
            f"--kubeconfig is {str(path)!r}: it is no kubeconfig with a current context"
        ) from None
    authority = _content(cluster, "certificate-authority", path)
    try:
        tls = ssl.create_default_context(cadata=authority)
        _show_certificate(tls, user, path)
    except (ssl.SSLError, ValueError, TypeError):
        raise NotRun(f"--kubeconfig is {str(path)!r}: its certificates cannot be read") from None
    return Cluster(server=server, context=tls, headers=_who(user, path, patient))


def _who(user: Mapping[str, Any], path: Path, patient: Patient) -> dict[str, str]:
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = (path.parent / user["tokenFile"]).read_text(encoding="utf-8").strip()
    if not token and user.get("exec"):
        token = _token_of_plugin(user["exec"], patient)
    if not token:
        return {}
    patient.place.masker.remember(str(token))
    return {"Authorization": f"Bearer {token}"}


def _token_of_plugin(plugin: Mapping[str, Any], patient: Patient) -> str:
    """What a credential plugin (`aws eks get-token`) prints."""
    more = {item["name"]: item["value"] for item in plugin.get("env") or []}
    command = [str(plugin["command"]), *map(str, plugin.get("args") or [])]
    try:
        done = subprocess.run(
            command,
            env={**patient.place.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=PLUGIN_SECONDS,
        )
        return str(json.loads(done.stdout)["status"]["token"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise NotRun(
            f"the kubeconfig's plugin `{command[0]}` gives no token ({type(error).__name__}): run "
            "it by hand to see why"
        ) from None


def _show_certificate(tls: ssl.SSLContext, user: Mapping[str, Any], path: Path) -> None:
    """Our own certificate, where the kubeconfig proves us by one; ssl reads it from files only."""
    certificate = _content(user, "client-certificate", path)
    key = _content(user, "client-key", path)
    if not certificate or not key:
        return
    descriptor, name = tempfile.mkstemp(prefix="doctor-")  # for its owner alone
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{certificate}\n{key}\n")
        tls.load_cert_chain(name)
    finally:
        Path(name).unlink()


def _content(part: Mapping[str, Any], name: str, path: Path) -> str | None:
    """Text that stands in a kubeconfig in base64, or in a file that it names."""
    if part.get(f"{name}-data"):
        return base64.b64decode(part[f"{name}-data"]).decode()
    if part.get(name):
        return (path.parent / str(part[name])).read_text(encoding="utf-8")
    return None


def _from_eks(patient: Patient, name: str) -> Cluster:
    from operations.doctor.aws_account import asking_aws, client

    with asking_aws(patient):
        found = client(patient, "eks").describe_cluster(name=name)["cluster"]
        token = eks_token(patient, name)
    authority = base64.b64decode(found["certificateAuthority"]["data"]).decode("utf-8", "replace")
    try:
        tls = ssl.create_default_context(cadata=authority)
    except (ssl.SSLError, ValueError, TypeError):
        raise NotRun(
            f"EKS gives no usable certificate for {name}: name a kubeconfig with --kubeconfig"
        ) from None
    return Cluster(
        server=str(found["endpoint"]), context=tls, headers={"Authorization": f"Bearer {token}"}
    )


def eks_token(patient: Patient, name: str) -> str:
    """A signed `GetCallerIdentity` that EKS sends to AWS to hear who we are."""
    from botocore.signers import RequestSigner

    from operations.doctor.aws_account import client

    sts = client(patient, "sts")
    session, region = aws_session(patient.place), patient.outputs.region or ""
    signer = RequestSigner(
        sts.meta.service_model.service_id,
        region,
        "sts",
        "v4",
        session.get_credentials(),
        session.events,
    )
    url = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"https://sts.{region}.amazonaws.com/{_QUESTION}",
            "body": {},
            "headers": {"x-k8s-aws-id": name},
            "context": {},
        },
        region_name=region,
        expires_in=TOKEN_SECONDS,
        operation_name="",
    )
    token = "k8s-aws-v1." + base64.urlsafe_b64encode(str(url).encode()).decode().rstrip("=")
    patient.place.masker.remember(token)
    return token


def in_namespace(patient: Patient, group: str, kind: str, name: str = "") -> str:
    """The path of a kind's objects in the server's namespace: `api/v1`, `pods`."""
    space = quote(patient.outputs.kubernetes_namespace or "mlflow")
    return f"/{group}/namespaces/{space}/{kind}" + (f"/{quote(name)}" if name else "")


def _named(items: Any, name: str) -> Any:
    return next(item for item in items if item["name"] == name)


def _message(body: str) -> str | None:
    try:
        found: Any = json.loads(body)
        return str(found["message"])
    except (ValueError, KeyError, TypeError):
        return None
