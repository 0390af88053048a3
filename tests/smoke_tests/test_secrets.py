"""No secret leaves the check: not in reports, not in messages, not in exceptions."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke_tests.masking import MASK, Masker
from tests.smoke_tests.conftest import Check
from tests.smoke_tests.stand_in_mlflow import Reply, StandInMlflow

PASSWORD = "s3cr3t&/\"pass'wörd"
PAIR = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
secrets = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl"]), min_size=8)


class TestMasker:
    """Whatever the secret and whatever surrounds it, the secret is gone."""

    @given(secret=secrets, before=st.text(), after=st.text())
    def test_plain_quoted_and_escaped(self, secret: str, before: str, after: str):
        masker = Masker()
        masker.remember(secret)
        forms = {
            secret,
            quote(secret, safe=""),
            quote(secret),
            quote_plus(secret),
            html.escape(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
        }
        for form in forms | {_lower_case_percent(secret)}:
            assert form not in masker.report(before + form + after).replace(MASK, "\0")

    def test_user_information_of_any_url(self):
        text = "cannot open postgresql://mlflow:p@ss/w@db:5432/mlflow now"
        assert Masker().report(text) == f"cannot open postgresql://{MASK}@db:5432/mlflow now"

    def test_web_tokens_and_authorization_headers(self):
        token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
        assert Masker().report(f"got {token}!") == f"got {MASK}!"
        assert Masker().report("Authorization: Basic abc=") == f"Authorization: Basic {MASK}"

    def test_short_secret_does_not_blank_the_report(self):
        masker = Masker()
        masker.remember("test")
        assert masker.report("Logged metric: test_metric") == "Logged metric: test_metric"
        assert masker.foreign("wrong password test") == f"wrong password {MASK}"

    def test_ordinary_text_is_left_alone(self):
        text = "basic authentication at http://127.0.0.1:5000/a, mail a@b"
        assert Masker().report(text) == text


class TestEverythingPrinted:
    """A server that repeats the credentials it was sent cannot make the check print them."""

    @pytest.mark.parametrize("flags", [(), ("--json",)], ids=["text", "json"])
    def test_echoed_credentials(
        self, check: Check, stand_in: StandInMlflow, tmp_path: Path, flags: tuple[str, ...]
    ):
        stand_in.replies["/health"] = [
            Reply(401, f"bad header Basic {PAIR} for {PASSWORD}, {quote(PASSWORD)}")
        ]
        junit = tmp_path / "report.xml"
        environ = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": PASSWORD}
        ran = check(stand_in.uri, "--junit", str(junit), *flags, environ=environ)
        assert stand_in.requests[0].headers["authorization"] == f"Basic {PAIR}"
        assert ran.code == 1
        assert MASK in ran.out
        for text in (ran.everything, junit.read_text()):
            for secret in (PASSWORD, PAIR, quote(PASSWORD), "s3cr3t"):
                assert secret not in text

    def test_password_in_the_uri(self, check: Check, free_port: int):
        uri = f"http://admin:hunter22-and-more@127.0.0.1:{free_port}"
        ran = check(uri, "--retry-waits", "none")
        assert f"Tracking URI: http://127.0.0.1:{free_port}\n" in ran.out
        assert "hunter22" not in ran.everything

    @pytest.mark.parametrize(
        "uri",
        [
            "http://admin:hunter22@host:port",
            "http://admin:hunter/22@host",
            "postgresql://admin:hunter22@host/db",
            "http://admin:hunter22@host?x",
            "http://admin:hunter22@ho st",
        ],
    )
    def test_password_in_a_refused_uri(self, check: Check, uri: str):
        ran = check(uri)
        assert ran.code == 2
        assert "hunter" not in ran.everything

    def test_token_with_a_line_break(self, check: Check):
        environ = {"MLFLOW_TRACKING_TOKEN": "tok\nen-of-mine"}
        ran = check("http://h", environ=environ)
        assert ran.code == 2
        assert "en-of-mine" not in ran.everything
        assert ran.err.startswith("error: MLFLOW_TRACKING_TOKEN does not hold a token")


def _lower_case_percent(text: str) -> str:
    return re.sub("%..", lambda found: found.group().lower(), quote(text, safe=""))
