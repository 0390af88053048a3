"""The bundle holds what a pass saw, and no secret wherever one was planted."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.doctor.bundle import hide, without_secrets
from smoke_tests.masking import Masker
from tests.infra.stacks import stack
from tests.operations.conftest import Operate
from tests.operations.doctor.conftest import Examine, outputs_of

DATABASE = "the-database-password"
ADMIN = "the-admin-password"
EXTERNAL = "an-external-password-äöü"
OTHERS = {
    "in a URL": "postgresql://someone:zq-others-1@db.example/mlflow",
    "an assignment": "export API_KEY=zq-others-2",
    "JSON": '{"client_secret": "zq-others-3 with spaces", "port": 5432}',
    "JSON in JSON": '{"said": "{\\"password\\": \\"zq-others-4\\"}"}',
    "a header": "Authorization: Bearer zq-others-5",
    "a cookie": "Set-Cookie: session=zq-others-6; HttpOnly",
    "an access key": "AKIAZQOTHERS00000007 was used",
    "a signed URL": "GET https://s3/x?X-Amz-Signature=zq-others-8&x=1",
    "a private key": "-----BEGIN PRIVATE KEY-----\nzq-others-9\n-----END PRIVATE KEY-----",
    "a Google token": "token ya29.zq-others-10-abcdefghij",
    "libpq": "host=db password=zq-others-11 user=mlflow",
    "YAML": "databasePassword: zq-others-12",
    "Python": "{'AWS_SECRET_ACCESS_KEY': 'zq-others-13'}",
}
"""Secrets of others, which nobody told the command."""


def files_of(path: Path) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {
            member.name: archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A stack's folder whose logs have every secret there is."""
    folder = tmp_path / "local" / "logs"
    folder.mkdir(parents=True)
    known = [f"connecting with {DATABASE}", f"admin:{ADMIN}@", f"external {EXTERNAL}"]
    (folder / "mlflow.log").write_text("\n".join([*known, *OTHERS.values()]))
    return folder


class TestNoSecretLeaves:
    """Whatever was planted where, no file of the bundle has it, and neither has the report."""

    def test_planted_everywhere(self, examine: Examine, logs: Path, tmp_path: Path) -> None:
        bundle = tmp_path / "doctor.tar.gz"
        outputs = outputs_of(
            tracking_uri="http://127.0.0.1:1",
            log_directory=str(logs),
            database_host="127.0.0.1",
            database_port=1,
            database_password=DATABASE,
            auth_admin_username="admin",
            auth_admin_password=ADMIN,
            client_environment={"MLFLOW_TRACKING_TOKEN": "zq-others-14"},
        )
        settings = stack(
            backendStoreUri=f"postgresql://mlflow:{EXTERNAL}@db.example:5432/mlflow",
            authentication="basic",
            authAdminPassword=ADMIN,
        )
        found = examine(outputs, settings, "--bundle", str(bundle))
        assert found.code == 1
        files = files_of(bundle)
        everything = "\n".join([*files.values(), found.ran.out, found.ran.err])
        for secret in (DATABASE, ADMIN, EXTERNAL, "zq-others", "ZQOTHERS"):
            assert secret not in everything, [
                (name, text[max(0, text.find(secret) - 60) : text.find(secret) + 30])
                for name, text in files.items()
                if secret in text
            ]
        assert set(files) >= {
            "doctor/about.json",
            "doctor/findings.json",
            "doctor/findings.txt",
            "doctor/logs/mlflow.log.txt",
            "doctor/outputs.json",
            "doctor/settings.json",
        }
        assert json.loads(files["doctor/settings.json"])["database"]["password"] == "[secret]"
        assert json.loads(files["doctor/outputs.json"])["database_password"] == "[secret]"
        # What is no secret stays: somebody has to work with it.
        assert json.loads(files["doctor/settings.json"])["database"]["port"] == 5432
        assert "connecting with [secret]" in files["doctor/logs/mlflow.log.txt"]

    def test_its_owner_alone_can_read_it(
        self, examine: Examine, logs: Path, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "doctor.tar.gz"
        found = examine(outputs_of(log_directory=str(logs)), stack(), "--bundle", str(bundle))
        assert found.ran.document["bundle"] == str(bundle)
        assert bundle.stat().st_mode & 0o777 == 0o600

    def test_nor_one_that_was_there_before(
        self, examine: Examine, logs: Path, tmp_path: Path
    ) -> None:
        bundle = tmp_path / "doctor.tar.gz"
        bundle.write_bytes(b"older")
        bundle.chmod(0o644)
        examine(outputs_of(log_directory=str(logs)), stack(), "--bundle", str(bundle))
        assert bundle.stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS.keys())
    def test_each_form(self, text: str) -> None:
        hidden = hide(text, Masker())
        assert "zq-others" not in hidden.lower()
        assert "ZQOTHERS" not in hidden
        assert "[secret]" in hidden

    @pytest.mark.parametrize(
        "text",
        [
            '{"password": null, "port": 5432}',
            "password authentication failed for user mlflow",
            "the tokens are counted",
            "connection refused at db.example:5432",
        ],
    )
    def test_what_is_none_stays(self, text: str) -> None:
        assert hide(text, Masker()) == text

    @given(st.text(min_size=8, max_size=40).filter(lambda text: text.strip() == text))
    def test_a_known_secret_in_json(self, secret: str) -> None:
        masker = Masker()
        masker.remember(secret)
        document: Any = {"a": [secret, f"x{secret}y"], secret: 1}
        for ascii_only in (True, False):
            assert secret not in hide(json.dumps(document, ensure_ascii=ascii_only), masker)


class TestSettings:
    """Fields that are secret are hidden by what they are, not by how they look."""

    def test_short_and_plain_ones_too(self) -> None:
        settings = stack(backendStoreUri="postgresql://mlflow:x@db.example/mlflow")
        assert settings.database.password == "x"
        assert without_secrets(settings)["database"]["password"] == "[secret]"

    def test_none_stays_none(self) -> None:
        assert without_secrets(stack())["database"]["password"] is None


class TestFile:
    """A name that cannot be written is refused before anything is asked."""

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("x.zip", "error: --bundle is 'x.zip': give a name that ends in .tar.gz\n"),
            (
                "/no/x.tar.gz",
                "error: --bundle is '/no/x.tar.gz': its folder does not exist; make it first\n",
            ),
        ],
    )
    def test_refused(self, operate: Operate, name: str, problem: str) -> None:
        ran = operate("doctor", "--url", "http://127.0.0.1:1", "--bundle", name)
        assert (ran.code, ran.out, ran.err) == (2, "", problem)

    def test_it_is_an_archive(self, operate: Operate, tmp_path: Path) -> None:
        path = tmp_path / "x.tar.gz"
        ran = operate("doctor", "--url", "http://127.0.0.1:1", "--bundle", str(path))
        assert ran.code == 1
        assert ran.out.endswith(f"Bundle for escalation, secrets masked: {path}\n")
        tarfile.open(fileobj=io.BytesIO(path.read_bytes())).close()


class TestArguments:
    """Numbers are numbers."""

    @pytest.mark.parametrize("word", ["--log-minutes", "--certificate-days", "--timeout"])
    def test_refused(self, operate: Operate, word: str) -> None:
        ran = operate("doctor", "--url", "http://127.0.0.1:1", word, "soon")
        assert ran.code == 2
        assert ran.err.startswith(f"error: {word} is 'soon': give a whole number from 1 to ")
