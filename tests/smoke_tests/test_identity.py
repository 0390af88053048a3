"""Who the check says it is: the choice, and what goes over the wire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from smoke_tests.authentication import AuthenticationOptions, choose_authentication
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.target import parse_target
from tests.smoke_tests.conftest import Check
from tests.smoke_tests.hostile_server import HostileServer, say
from tests.smoke_tests.stand_in_mlflow import StandInMlflow

ENVIRONMENT_PAIR = {"MLFLOW_TRACKING_USERNAME": "env", "MLFLOW_TRACKING_PASSWORD": "env-pw"}
TOKEN = "eyJh.eyJz.c2ln"
NO_GOOGLE = {"NO_GCE_CHECK": "true", "PATH": "/nowhere"}
Hostile = Callable[..., HostileServer]


def headers(uri: str, environ: dict[str, str] | None = None, **options: object) -> dict[str, str]:
    masker = Masker()
    return dict(
        choose_authentication(
            AuthenticationOptions(**options),  # type: ignore[arg-type]
            target=parse_target(uri, masker=masker, source="test"),
            environ=environ or {},
            masker=masker,
        ).headers("GET", uri, None)
    )


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


class TestAuto:
    """`auto` takes the nearest credentials, in a fixed order."""

    def test_nothing_is_none(self):
        assert headers("http://h") == {}

    def test_uri_before_stack_before_environment(self):
        stack = {"stack_username": "admin", "stack_password": "stack-pw"}
        assert headers("http://u:p%40ss@h", ENVIRONMENT_PAIR, **stack) == basic("u:p@ss")
        assert headers("http://h", ENVIRONMENT_PAIR, **stack) == basic("admin:stack-pw")
        assert headers("http://h", ENVIRONMENT_PAIR) == basic("env:env-pw")

    def test_pair_before_token_as_in_mlflow(self):
        token = {"MLFLOW_TRACKING_TOKEN": " token\n"}
        assert headers("http://h", token) == {"Authorization": "Bearer token"}
        assert headers("http://h", ENVIRONMENT_PAIR | token) == basic("env:env-pw")

    def test_named_token_variable_wins(self):
        environ = ENVIRONMENT_PAIR | {"MINE": "t"}
        found = headers("http://h", environ, token_variable="MINE")
        assert found == {"Authorization": "Bearer t"}

    def test_none_sends_nothing(self):
        assert headers("http://u:p@h", ENVIRONMENT_PAIR, kind="none") == {}

    def test_cloud_run_address_means_google(self):
        with pytest.raises(CouldNotLook, match=r"no Google identity token for https://x\.run"):
            headers("https://x.run.app", NO_GOOGLE)

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("basic", "--auth is basic, and no user name and password were found"),
            ("bearer", "MLFLOW_TRACKING_TOKEN is not set"),
            ("google", "no Google identity token for http://h"),
            ("aws-sigv4", "--auth is aws-sigv4, and no region was found"),
        ],
    )
    def test_missing_credentials_are_exit_2(self, check: Check, kind: str, message: str):
        ran = check("http://h", "--auth", kind, environ=NO_GOOGLE)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"error: {message}")


class TestGoogle:
    """Metadata server, then key file, then gcloud; the audience is the service's URL."""

    @pytest.fixture
    def gcloud(self, tmp_path: Path) -> dict[str, str]:
        """A stand-in for gcloud with a person's account: it refuses `--audiences`."""
        folder = tmp_path / "bin"
        folder.mkdir()
        script = folder / "gcloud"
        script.write_text(
            f"#!{sys.executable}\nimport sys\n"
            f"open({str(tmp_path / 'calls')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
            "if len(sys.argv) > 3: sys.exit('ERROR: Invalid account type for `--audiences`.')\n"
            f"print({TOKEN!r})\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return {"NO_GCE_CHECK": "true", "PATH": str(folder)}

    def metadata(self, hostile: Hostile, token: str = TOKEN) -> HostileServer:
        head = f"HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: {len(token)}\r\n"
        return hostile(say(f"{head}\r\n{token}".encode()))

    def test_metadata_server_first(self, hostile: Hostile, gcloud: dict[str, str]):
        server = self.metadata(hostile)
        environ = {**gcloud, "NO_GCE_CHECK": "", "GCE_METADATA_HOST": f"127.0.0.1:{server.port}"}
        found = headers("https://x-ew.a.run.app/prefix", environ)
        assert found == {"Authorization": f"Bearer {TOKEN}"}
        head = server.heads[0].decode()
        assert "Metadata-Flavor: Google\r\n" in head
        url = urlsplit(head.split()[1])
        assert url.path.endswith("/service-accounts/default/identity")
        assert parse_qs(url.query)["audience"] == ["https://x-ew.a.run.app"]

    def test_another_clouds_metadata_server_is_passed_over(
        self, hostile: Hostile, gcloud: dict[str, str]
    ):
        server = hostile(say(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na.b.c"))
        environ = {**gcloud, "NO_GCE_CHECK": "", "GCE_METADATA_HOST": f"127.0.0.1:{server.port}"}
        assert headers("https://x.run.app", environ) == {"Authorization": f"Bearer {TOKEN}"}

    def test_key_file_before_gcloud(self, hostile: Hostile, gcloud: dict[str, str], tmp_path: Path):
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        pytest.importorskip("google.auth")
        from google.auth import jwt

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        body = json.dumps({"id_token": "from.key.file"})
        server = _form_server(body)
        try:
            path = tmp_path / "key.json"
            path.write_text(
                json.dumps(
                    {
                        "type": "service_account",
                        "client_email": "ci@p.iam.gserviceaccount.com",
                        "token_uri": f"{server.uri}/token",
                        "private_key_id": "1",
                        "private_key": key.private_bytes(
                            serialization.Encoding.PEM,
                            serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption(),
                        ).decode(),
                    }
                )
            )
            environ = {**gcloud, "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
            found = headers("https://x.run.app", environ)
            assert found == {"Authorization": "Bearer from.key.file"}
            form = parse_qs(server.requests[0].body.decode())
            claims = jwt.decode(form["assertion"][0], verify=False)
            assert claims["target_audience"] == "https://x.run.app"
            assert claims["iss"] == "ci@p.iam.gserviceaccount.com"
            assert not (tmp_path / "calls").exists()
        finally:
            server.close()

    def test_gcloud_last_with_audience_first(self, gcloud: dict[str, str], tmp_path: Path):
        assert headers("https://x.run.app", gcloud) == {"Authorization": f"Bearer {TOKEN}"}
        assert (tmp_path / "calls").read_text().splitlines() == [
            "auth print-identity-token --audiences=https://x.run.app",
            "auth print-identity-token",
        ]

    def test_chosen_audience(self, gcloud: dict[str, str], tmp_path: Path):
        headers("http://h", gcloud, kind="google", google_audience="https://a")
        assert "--audiences=https://a" in (tmp_path / "calls").read_text()

    def test_mlflows_own_login_travels_beside_it(self, gcloud: dict[str, str]):
        found = headers("https://x.run.app", gcloud | ENVIRONMENT_PAIR, kind="google")
        assert found == {"X-Serverless-Authorization": f"Bearer {TOKEN}", **basic("env:env-pw")}

    def test_every_sources_reason_is_given(self, tmp_path: Path):
        path = tmp_path / "user.json"
        path.write_text('{"type": "authorized_user"}')
        environ = {**NO_GOOGLE, "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
        with pytest.raises(CouldNotLook) as raised:
            headers("https://x.run.app", environ)
        assert str(raised.value).startswith(
            "no Google identity token for https://x.run.app (metadata server: switched off by "
            f"NO_GCE_CHECK; GOOGLE_APPLICATION_CREDENTIALS: {path} holds authorized_user, and only "
            "a service account's key gives a token; gcloud: not on PATH): log in with"
        )


class TestAwsSignature:
    """The signature fits the bytes that arrive, computed a second time without botocore."""

    @pytest.fixture(autouse=True)
    def credentials(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        pytest.importorskip("botocore")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI-example-key")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token-of-mine")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        monkeypatch.delenv("AWS_PROFILE", raising=False)

    def test_whole_check_is_signed(self, check: Check, stand_in: StandInMlflow):
        ran = check(stand_in.uri, "--auth", "aws-sigv4", "--aws-region", "eu-west-1")
        assert ran.code == 0, ran.out
        for request in stand_in.requests:
            given = request.headers["authorization"].rpartition("Signature=")[2]
            assert given == _signature(request, "wJalrXUtnFEMI-example-key", "eu-west-1")
            assert request.headers["x-amz-security-token"] == "session-token-of-mine"
        posted = [request for request in stand_in.requests if request.method == "POST"]
        assert {request.headers["content-type"] for request in posted} == {"application/json"}
        assert "session-token-of-mine" not in ran.everything

    @pytest.mark.parametrize(
        ("host", "region"),
        [
            ("abc.execute-api.eu-central-1.amazonaws.com", "eu-central-1"),
            ("x.1.vpc-lattice-svcs.us-west-2.on.aws", "us-west-2"),
        ],
    )
    def test_address_says_region(self, host: str, region: str):
        found = headers(f"https://{host}/prod", {"AWS_REGION": "other"})
        assert f"/{region}/execute-api/aws4_request" in found["Authorization"]

    def test_mlflows_own_switch(self):
        environ = {"MLFLOW_TRACKING_AWS_SIGV4": "true", "AWS_REGION": "eu-west-3"}
        assert "/eu-west-3/execute-api/" in headers("http://h", environ)["Authorization"]


def _signature(request: object, key: str, region: str) -> str:
    """SigV4 by the book: the AWS documentation's recipe, on what a server received."""
    received = request.headers  # type: ignore[attr-defined]
    authorization = received["authorization"]
    signed = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert "host" in signed
    scope = authorization.partition("Credential=")[2].partition(",")[0].split("/", 1)[1]
    assert scope.split("/")[1:] == [region, "execute-api", "aws4_request"]
    url = urlsplit(request.url)  # type: ignore[attr-defined]
    canonical = "\n".join(
        [
            request.method,  # type: ignore[attr-defined]
            url.path,
            "&".join(sorted(url.query.split("&"))),
            *(f"{name}:{' '.join(received[name].split())}" for name in signed),
            "",
            ";".join(signed),
            hashlib.sha256(request.body).hexdigest(),  # type: ignore[attr-defined]
        ]
    )
    to_sign = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            received["x-amz-date"],
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    secret = f"AWS4{key}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    return hmac.new(secret, to_sign.encode(), "sha256").hexdigest()


def _form_server(body: str) -> StandInMlflow:
    """A token endpoint: the stand-in, told to answer one path."""
    from tests.smoke_tests.stand_in_mlflow import Reply

    server = StandInMlflow()
    server.replies["/token"] = [Reply(200, body)]
    return server
