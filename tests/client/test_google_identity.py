"""Every request carries a token for its server: fresh, from the first source that has one."""

from __future__ import annotations

import base64
import json
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from mlflow.tracking.request_auth.registry import _request_auth_provider_registry, fetch_auth

from mlflow_platform_client import google_identity
from mlflow_platform_client.errors import AuthenticationFailed
from mlflow_platform_client.google_identity import (
    PROVIDER_NAME,
    GoogleIdentityAuth,
    GoogleIdentityProvider,
)
from tests.client.google_endpoints import Google, token

SERVER = "https://mlflow-1.europe-west3.run.app"


def audience_of(header: str) -> str:
    body = header.removeprefix("Bearer ").split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["aud"]


@pytest.fixture
def google() -> Iterator[Google]:
    server = Google()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any source; a test adds the one it is about."""
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.delenv(google_identity.AUDIENCE_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def on_google_cloud(monkeypatch: pytest.MonkeyPatch, google: Google) -> None:
    monkeypatch.delenv("NO_GCE_CHECK")
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"):
        monkeypatch.setenv(name, google.host)
    metadata = pytest.importorskip("google.auth.compute_engine._metadata")
    # Read once, when the module was imported.
    monkeypatch.setattr(metadata, "_GCE_METADATA_HOST", google.host)
    monkeypatch.setattr(metadata, "_get_metadata_ip_root", lambda *_, **__: f"http://{google.host}")
    monkeypatch.setattr(
        metadata, "_get_metadata_root", lambda *_, **__: f"http://{google.host}/computeMetadata/v1/"
    )


def with_key_file(monkeypatch: pytest.MonkeyPatch, google: Google, tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path / "key.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": "trainer@p.iam.gserviceaccount.com",
                "token_uri": f"http://{google.host}/token",
                "private_key": key.decode(),
            }
        )
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


def with_gcloud(tmp_path: Path, script: str) -> None:
    path = tmp_path / "gcloud"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


def header(auth: GoogleIdentityAuth, url: str = f"{SERVER}/api/2.0/mlflow/runs/create") -> str:
    request = requests.Request("POST", url).prepare()
    return auth(request).headers["Authorization"]


class TestSources:
    """Metadata server, key file, gcloud: the first that has a token is the one."""

    def test_metadata_server(self, monkeypatch: pytest.MonkeyPatch, google: Google) -> None:
        on_google_cloud(monkeypatch, google)
        assert audience_of(header(GoogleIdentityAuth())) == SERVER

    def test_key_file(
        self, monkeypatch: pytest.MonkeyPatch, google: Google, tmp_path: Path
    ) -> None:
        with_key_file(monkeypatch, google, tmp_path)
        assert audience_of(header(GoogleIdentityAuth())) == SERVER

    def test_gcloud_as_a_person(self, tmp_path: Path) -> None:
        made = token("gcloud's own")
        with_gcloud(tmp_path, f"[ $# -eq 2 ] && echo {made} || exit 1")
        assert header(GoogleIdentityAuth()) == f"Bearer {made}"

    def test_metadata_server_before_key_file(
        self, monkeypatch: pytest.MonkeyPatch, google: Google, tmp_path: Path
    ) -> None:
        on_google_cloud(monkeypatch, google)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
        assert audience_of(header(GoogleIdentityAuth())) == SERVER

    def test_none(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
        with pytest.raises(AuthenticationFailed) as failed:
            header(GoogleIdentityAuth())
        assert str(failed.value).startswith(
            f"no Google identity token for {SERVER} (metadata server: switched off by "
            f"NO_GCE_CHECK; GOOGLE_APPLICATION_CREDENTIALS: {tmp_path / 'absent.json'}: "
            "No such file or directory; gcloud: not on PATH): log in with `gcloud auth login`"
        )

    def test_key_file_that_is_none(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        path = tmp_path / "key.json"
        path.write_text('{"type": "authorized_user", "refresh_token": "hush-hush"}')
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        with pytest.raises(AuthenticationFailed, match="holds no service account's key") as failed:
            header(GoogleIdentityAuth())
        assert "hush" not in str(failed.value)


class TestTokens:
    """A token is kept for its server while it is good, and renewed before it ends."""

    def test_kept(self, monkeypatch: pytest.MonkeyPatch, google: Google) -> None:
        on_google_cloud(monkeypatch, google)
        auth = GoogleIdentityAuth()
        assert header(auth) == header(auth)
        assert len(google.issued) == 1

    def test_renewed(self, monkeypatch: pytest.MonkeyPatch, google: Google) -> None:
        on_google_cloud(monkeypatch, google)
        google.seconds = google_identity.RENEW_BEFORE_SECONDS - 10
        auth = GoogleIdentityAuth()
        header(auth)
        issued = len(google.issued)
        google.seconds = 3600
        assert header(auth) == f"Bearer {google.issued[-1]}"
        assert len(google.issued) == issued + 1

    def test_each_server_has_its_own(self, monkeypatch: pytest.MonkeyPatch, google: Google) -> None:
        on_google_cloud(monkeypatch, google)
        auth = GoogleIdentityAuth()
        other = "https://other.example"
        assert [audience_of(header(auth)), audience_of(header(auth, f"{other}/x"))] == [
            SERVER,
            other,
        ]

    def test_audience_of_a_proxy(self, monkeypatch: pytest.MonkeyPatch, google: Google) -> None:
        on_google_cloud(monkeypatch, google)
        monkeypatch.setenv(google_identity.AUDIENCE_VARIABLE, "123.apps.googleusercontent.com")
        assert audience_of(header(GoogleIdentityAuth())) == "123.apps.googleusercontent.com"

    def test_refused_renewal(
        self, monkeypatch: pytest.MonkeyPatch, google: Google, tmp_path: Path
    ) -> None:
        with_key_file(monkeypatch, google, tmp_path)
        google.seconds = 10
        auth = GoogleIdentityAuth()
        header(auth)
        google.refuses = True
        with pytest.raises(AuthenticationFailed, match="cannot be renewed"):
            header(auth)


class TestPlugIn:
    """MLflow finds it by the name in MLFLOW_TRACKING_AUTH."""

    def test_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        registered = [*_request_auth_provider_registry._registry, GoogleIdentityProvider()]
        monkeypatch.setattr(_request_auth_provider_registry, "_registry", registered)
        auth = fetch_auth(PROVIDER_NAME)
        assert isinstance(auth, GoogleIdentityAuth)
        assert fetch_auth(PROVIDER_NAME) is auth

    def test_declared_by_the_package(self) -> None:
        import tomllib

        path = Path(__file__).resolve().parents[2] / "client" / "pyproject.toml"
        declared = tomllib.loads(path.read_text())["project"]["entry-points"]
        assert declared["mlflow.request_auth_provider"] == {
            PROVIDER_NAME: "mlflow_platform_client.google_identity:GoogleIdentityProvider"
        }
