"""No secret survives in any position, and nothing else is mangled."""

from __future__ import annotations

import base64
import io
import json
import logging
import string
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mlflow_platform_client.errors import TrackingError, mapped
from mlflow_platform_client.masking import (
    MaskingFilter,
    environment_secrets,
    mask,
    mask_document,
    mask_exception,
    mask_handlers,
    mask_setting,
)

# What stands around a secret: words and signs that belong to no pattern themselves.
WORDS = st.lists(
    st.sampled_from(
        [
            "run",
            "loss=0.25",
            "é",
            "(see",
            "log)",
            "epoch:",
            "[3/9]",
            "100%",
            "a@b.example",
            "/tmp/x",
        ]
    ),
    max_size=5,
).map(" ".join)

URL_SECRET = st.text(
    alphabet=string.ascii_letters + string.digits + "@/?#:!$&*+,;=%~.-_", min_size=6, max_size=30
).filter(lambda text: not text.startswith("//"))
QUOTED_SECRET = st.text(min_size=6, max_size=40).filter(lambda text: text.strip() == text)
BARE_SECRET = st.text(
    alphabet=st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Z", "C"]),
    min_size=6,
    max_size=40,
).filter(lambda text: text[0] not in "'\"[({<$%*=>" and text[-1] not in ",;)]}\"'")
ACCESS_KEY = st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16).map(
    lambda text: "AKIA" + text
)
URL_SAFE = st.text(string.ascii_letters + string.digits + "-_", min_size=20, max_size=60)
NAMES = st.sampled_from(
    [
        "password", "PGPASSWORD", "MLFLOW_TRACKING_PASSWORD", "databasePassword", "Passwd",
        "MLFLOW_TRACKING_TOKEN", "api_key", "apiKey", "client_secret", "AWS_SECRET_ACCESS_KEY",
        "aws_session_token", "secretAccessKey", "MYSQL_PASS", "passphrase",
    ]
)  # fmt: skip
DRIVERS = st.sampled_from(
    ["postgresql", "postgresql+psycopg2", "postgresql+psycopg", "mysql+pymysql", "mssql+pyodbc"]
)


class TestDatabaseUrls:
    """User and password of a database URL become `***:***`; host, port, name stay."""

    def test_the_form_of_seed_000(self) -> None:
        text = "postgresql+psycopg2://mlflow_user:s3cret@db.example:5432/mlflow_db?sslmode=require"
        assert mask(text) == (
            "postgresql+psycopg2://***:***@db.example:5432/mlflow_db?sslmode=require"
        )

    @given(before=WORDS, driver=DRIVERS, secret=URL_SECRET, after=WORDS)
    @example(before="", driver="postgresql", secret="p@ss/w:rd", after="")
    @example(before="", driver="postgresql", secret="12345/67", after="")
    @example(before="", driver="postgresql", secret="aaa?bbb", after="")
    def test_no_password_survives_and_nothing_else_changes(
        self, before: str, driver: str, secret: str, after: str
    ) -> None:
        # An @ behind a ? is read as part of the query, by SQLAlchemy as well.
        assume("@" not in secret.partition("?")[2])
        assume("@" not in secret or "?" not in secret)
        text = f"{before} {driver}://mlflow:{secret}@db.example:5432/mlflow {after}"
        assert mask(text) == f"{before} {driver}://***:***@db.example:5432/mlflow {after}"

    @given(driver=DRIVERS, secret=st.text(min_size=6, max_size=30))
    def test_a_quoted_password_does_not_survive(self, driver: str, secret: str) -> None:
        text = f"{driver}://mlflow:{quote(secret, safe='')}@db.example/mlflow"
        assert mask(text) == f"{driver}://***:***@db.example/mlflow"
        assert mask(f'{{"uri":"{text}","mail":"a@b.example"}}') == (
            f'{{"uri":"{driver}://***:***@db.example/mlflow","mail":"a@b.example"}}'
        )

    @pytest.mark.parametrize(
        "text",
        [
            "postgresql+psycopg://mlflow@127.0.0.1:5432/mlflow",
            "postgresql:///mlflow?host=/run/postgresql",
            "sqlite:////data/mlflow.db",
            "http://localhost:5000/api/2.0/mlflow/runs/get?run_id=3",
            "http://host:5000/search?mail=someone@example.com",
            "https://example.com/people/@someone",
            "s3://bucket/path/to/model@3 and gs://bucket/x",
            "http://a.example,http://b.example/x and mail c@d.example",
            "see https://www.mlflow.org/docs: write to a@b.example",
            "abfss://container@account.dfs.core.windows.net/path",
            "git+ssh://git@github.com/mlflow/mlflow",
        ],
    )
    def test_an_address_without_a_password_stays(self, text: str) -> None:
        assert mask(text) == text

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("https://ghp@github.com/x", "https://***@github.com/x"),
            ("http://admin:pass1234@host:5000/", "http://***:***@host:5000/"),
            ("redis://:pass1234@host/0", "redis://***:***@host/0"),
            ("postgresql://u:with space@h/db", "postgresql://***:***@h/db"),
            ("a postgresql://u:p1@h,mysql://v:p2@i", "a postgresql://***:***@h,mysql://***:***@i"),
            ("u=http%3A%2F%2Fme%3Asecret1%40host%2Fx", "u=http%3A%2F%2F***%3A***%40host%2Fx"),
            ("('postgresql://u:a\"b@h/db', 1)", "('postgresql://***:***@h/db', 1)"),
        ],
    )
    def test_other_forms(self, text: str, masked: str) -> None:
        assert mask(text) == masked


class TestNamedSecrets:
    """What stands behind a name that says so is masked, however it is quoted."""

    @given(before=WORDS, name=NAMES, secret=BARE_SECRET, after=WORDS)
    @example(before="", name="password", secret="a,b;c&d)e", after="user=x")
    def test_bare(self, before: str, name: str, secret: str, after: str) -> None:
        for between in ("=", ": ", " = "):
            text = f"{before} {name}{between}{secret} {after}"
            assert mask(text) == f"{before} {name}{between}*** {after}"

    @given(name=NAMES, secret=QUOTED_SECRET, after=WORDS)
    @example(name="password", secret="a\"b'c\\", after="x")
    def test_in_json_and_in_python(self, name: str, secret: str, after: str) -> None:
        document = {"first": 1, name: secret, "last": after}
        assert json.loads(mask(json.dumps(document))) == {**document, name: "***"}
        assert mask(repr(document)) in (
            repr({**document, name: "***"}),
            repr({**document, name: "***"}).replace("'***'", '"***"'),
        )
        # A log line in a log line.
        twice = json.dumps({"message": json.dumps(document)})
        assert json.loads(json.loads(mask(twice))["message"]) == {**document, name: "***"}

    @given(secret=st.text(string.ascii_letters + string.digits + "-._~", min_size=6), after=WORDS)
    def test_in_a_query(self, secret: str, after: str) -> None:
        text = f"postgresql:///db?password={secret}&sslmode=require {after}"
        assert mask(text) == f"postgresql:///db?password=***&sslmode=require {after}"

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("login --password hunter2 --user me", "login --password *** --user me"),
            ("['login', '--token', 'abc', 'x']", "['login', '--token', '***', 'x']"),
            ("ALTER USER m PASSWORD 'it''s'; SELECT 1", "ALTER USER m PASSWORD '***'; SELECT 1"),
            ("Server=db;Pwd=hunter2;x", "Server=db;Pwd=***"),
            ("connect(h, password='a b', port=1)", "connect(h, password='***', port=1)"),
            ("settings(password=abc)", "settings(password=***)"),
            ("GET /x?X-Amz-Signature=0a1b&X-Amz-Date=2", "GET /x?X-Amz-Signature=***&X-Amz-Date=2"),
            ('"token": "cut off in the mid', '"token": "***'),
        ],
    )  # fmt: skip
    def test_other_places(self, text: str, masked: str) -> None:
        assert mask(text) == masked

    @pytest.mark.parametrize(
        "text",
        [
            "password authentication failed for user mlflow",
            "max_tokens=512 tokens: 345 pad_token=<pad> eos_token: </s> next_page_token=abc",
            "tokenizer=gpt2 secrets/ keyword=3 key=value passed: 4 compass: 3 bypass=1",
            "PWD=/root/project PGPASSFILE=/run/passfile password_file=/run/secret",
            "password=None token=null secret='' api_key=${API_KEY} password=***",
            "the bearer token is wrong; basic authentication is required; Bearer authentication",
            'WWW-Authenticate: Basic realm="mlflow"',
            "commit 0a1b2c3d4e5f60718293a4b5c6d7e8f901234567 task-force risk-free desk-3",
            "metric f1=0.93 at step 100, lr=3e-4, https://host/#/experiments/1/runs/abc",
            "",
        ],
    )
    def test_what_only_sounds_like_a_secret_stays(self, text: str) -> None:
        assert mask(text) == text


class TestFormsOfTheirOwn:
    """AWS keys, tokens, headers and private keys are recognised wherever they stand."""

    @given(before=WORDS, key=ACCESS_KEY, after=WORDS)
    def test_an_access_key_keeps_four_characters(self, before: str, key: str, after: str) -> None:
        assert mask(f"{before} {key} {after}") == f"{before} AKIA**************** {after}"
        assert mask(f"x={key}&y") == "x=AKIA****************&y"

    @given(
        key=ACCESS_KEY,
        secret=st.text(string.ascii_letters + string.digits + "/+", min_size=40, max_size=40),
    )
    def test_the_secret_key_beside_it_goes_too(self, key: str, secret: str) -> None:
        kinds = (str.isupper, str.islower, str.isdigit)
        assume(all(any(map(kind, secret)) for kind in kinds))
        assert mask(f"{key} {secret}") == "AKIA**************** ***"
        assert mask(f"AWS_SECRET_ACCESS_KEY={secret}") == "AWS_SECRET_ACCESS_KEY=***"

    @given(before=WORDS, token=URL_SAFE, after=WORDS)
    def test_bearer(self, before: str, token: str, after: str) -> None:
        assume(any(map(str.isdigit, token)))
        for text in (f"Bearer {token}", f"Authorization: Bearer {token}"):
            assert mask(f"{before} {text} {after}") == (
                f"{before} {text.replace(token, '***')} {after}"
            )
        assert mask(f"curl -H 'Authorization: Bearer {token}' x") == (
            "curl -H 'Authorization: Bearer ***' x"
        )

    @given(user=st.text(string.ascii_letters, min_size=1), password=st.text(min_size=1))
    def test_basic(self, user: str, password: str) -> None:
        header = base64.b64encode(f"{user}:{password}".encode()).decode()
        assert mask(f"sent Basic {header} to") == "sent Basic *** to"
        assert mask(f"{{'Authorization': 'Basic {header}', 'x': 1}}") == (
            "{'Authorization': 'Basic ***', 'x': 1}"
        )

    @given(body=URL_SAFE, before=WORDS)
    def test_web_tokens_and_private_keys(self, body: str, before: str) -> None:
        assert mask(f"{before} eyJ{body}.{body}.{body} x") == f"{before} *** x"
        key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body}\n-----END RSA PRIVATE KEY-----"
        assert body not in mask(f"{before}{key}x")

    def test_a_signed_request_keeps_its_scheme_only(self) -> None:
        text = "Authorization: AWS4-HMAC-SHA256 Credential=AKIAABCDEFGHIJKLMNOP/x, Signature=0a\nok"
        assert mask(text) == "Authorization: AWS4-HMAC-SHA256 ***\nok"


class TestKnownSecrets:
    """A secret that is named does not survive in any form it may come back in."""

    @given(before=st.text(), secret=st.text(min_size=4, max_size=30), after=st.text())
    def test_any_text_around_it(self, before: str, secret: str, after: str) -> None:
        assume("*" not in secret)  # else what stands for a secret could show a piece of it
        for form in (secret, quote(secret, safe=""), json.dumps(secret), repr(secret)):
            inside = mask(f"{before}{form}{after}", [secret])
            assert form not in inside

    def test_the_environments_secrets_are_found_by_their_names(self) -> None:
        environ = {
            "MLFLOW_TRACKING_PASSWORD": "correct horse",
            "PWD": "/root/project",
            "A_TOKEN": "x",
        }
        assert environment_secrets(environ) == ("correct horse",)


class TestMaskAsAFunction:
    """Masking is idempotent, leaves harmless text alone and stays fast."""

    @given(st.text())
    @example("password=password=x")
    @example("http://a:b@c:d@e")
    def test_idempotent(self, text: str) -> None:
        assert mask(mask(text)) == mask(text)

    @given(st.text(alphabet=string.digits + " \n\t.,;-+*/()[]{}<>|=é", max_size=200))
    def test_nothing_without_a_sign_of_a_secret_changes(self, text: str) -> None:
        assert mask(text) == text

    @pytest.mark.parametrize(
        "unit",
        ["a", "://", "password", "password='", "eyJ", "@", "\\", "--password ", "a:", "Basic a"],
    )
    def test_a_line_of_a_megabyte_does_not_stop_a_job(self, unit: str) -> None:
        # Quadratic work would take many minutes here, and be noticed.
        text = unit * (200_000 // len(unit))
        assert mask(text).count(unit[:1]) <= len(text)


class TestSettings:
    """A printed setting is judged by its name as well."""

    @pytest.mark.parametrize(
        ("name", "value", "printed"),
        [
            ("MLFLOW_TRACKING_PASSWORD", "x", "***"),
            ("aws_access_key_id", "AKIAABCDEFGHIJKLMNOP", "AKIA****************"),
            ("aws_access_key_id", "minioadmin", "mini******"),
            ("aws_access_key_id", "short", "***"),
            ("backend_store_uri", "postgresql://u:p@h/d", "postgresql://***:***@h/d"),
            ("password", "", ""),
            ("max_tokens", "512", "512"),
        ],
    )
    def test_by_name(self, name: str, value: str, printed: str) -> None:
        assert mask_setting(name, value) == printed

    def test_documents_are_masked_value_by_value(self) -> None:
        document = {"a": {"password": "x"}, "b": ["http://u:p@h"], "c": 1, "d": None}
        assert mask_document(document) == {
            "a": {"password": "***"},
            "b": ["http://***:***@h"],
            "c": 1,
            "d": None,
        }


def raise_from(error: Exception, cause: Exception) -> None:
    raise error from cause


def logged(secrets: tuple[str, ...], log: object) -> str:
    """What a handler with the filter writes for one call of the logger."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(MaskingFilter(secrets))
    logger = logging.Logger("test")
    logger.addHandler(handler)
    log(logger)  # pyright: ignore[reportCallIssue]
    return stream.getvalue()


class TestLogRecords:
    """Message, arguments, traceback and extras of a record are masked."""

    @given(secret=QUOTED_SECRET.filter(lambda text: "\n" not in text))
    def test_a_secret_in_the_arguments(self, secret: str) -> None:
        assume("*" not in secret)
        assert logged(
            (),
            lambda log: log.info(
                "password='%s' for %d", json.dumps(secret)[1:-1].replace("'", "\\'"), 3
            ),
        ) == ("password='***' for 3\n")
        assert secret not in logged((secret,), lambda log: log.info("no sign: %r|", secret))

    def test_an_argument_behind_a_name_in_the_message(self) -> None:
        assert logged((), lambda log: log.info("token=%s n=%d", "abc123", 3)) == "token=*** n=3\n"

    def test_a_dictionary_of_arguments(self) -> None:
        record = logging.LogRecord(
            "n", logging.INFO, "p", 1, "%(user)s", ({"user": "me", "password": "hunter2"},), None
        )
        MaskingFilter(()).filter(record)
        assert record.args == {"user": "me", "password": "***"}

    def test_a_harmless_record_keeps_its_arguments(self) -> None:
        record = logging.LogRecord("n", logging.INFO, "p", 1, "step %d of %d", (3, 9), None)
        assert MaskingFilter(()).filter(record)
        assert (record.msg, record.args) == ("step %d of %d", (3, 9))

    def test_a_traceback(self) -> None:
        inner = ValueError("no answer from postgresql://u:hunter2@h/db")

        def fail(log: logging.Logger) -> None:
            try:
                raise_from(RuntimeError("token=abc123"), inner)
            except RuntimeError:
                log.exception("failed")

        text = logged((), fail)
        assert "hunter2" not in text
        assert "abc123" not in text
        assert "ValueError: no answer from postgresql://***:***@h/db" in text

    def test_the_exception_is_gone_for_other_handlers_too(self) -> None:
        error = ValueError("password=hunter2")
        record = logging.LogRecord("n", 40, "p", 1, "x", (), (ValueError, error, None))
        MaskingFilter(()).filter(record)
        assert record.exc_info is None
        assert record.exc_text == "ValueError: password=***"

    def test_a_harmless_exception_stays(self) -> None:
        error = ValueError("plain")
        record = logging.LogRecord("n", 40, "p", 1, "x", (), (ValueError, error, None))
        MaskingFilter(()).filter(record)
        assert record.exc_info == (ValueError, error, None)

    def test_extras(self) -> None:
        record = logging.makeLogRecord({"msg": "x", "password": "hunter2", "url": "http://u:p@h"})
        MaskingFilter(()).filter(record)
        assert (record.__dict__["password"], record.__dict__["url"]) == ("***", "http://***:***@h")

    def test_bad_arguments_are_still_masked(self) -> None:
        text = logged((), lambda log: log.info("password=hunter2 %d", "x"))
        assert "hunter2" not in text

    def test_handlers_get_one_filter(self) -> None:
        logger = logging.Logger("test")
        logger.addHandler(logging.StreamHandler(io.StringIO()))
        mask_handlers(logger, ())
        mask_handlers(logger, ())
        assert [type(item) for item in logger.handlers[0].filters] == [MaskingFilter]


class TestExceptions:
    """An exception kept as a cause tells no secret, and neither does the error that has it."""

    @given(secret=st.text(string.ascii_letters + string.digits, min_size=8, max_size=30))
    def test_the_gate(self, secret: str) -> None:
        outer = OSError(f"outer {secret} at http://me:{secret}@host")
        with pytest.raises(TrackingError) as caught, mapped("reach it", secrets=(secret,)):
            raise_from(outer, KeyError(f"inner {secret}"))
        error: BaseException | None = caught.value
        while error is not None:
            assert secret not in str(error)
            error = error.__cause__ or error.__context__

    def test_attributes_and_nested_arguments(self) -> None:
        inner = ValueError("password=hunter2")
        error = OSError(2, "no token=abc123", "postgresql://u:hunter2@h")
        error.args = (*error.args, inner)
        mask_exception(error)
        assert "hunter2" not in f"{error} {error.args} {inner} {error.filename}"
        assert "abc123" not in f"{error} {error.strerror}"
