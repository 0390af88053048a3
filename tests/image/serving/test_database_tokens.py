"""Passwords made for each connection: signed for RDS, taken from Google, given to every new one."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine

from mlflow_platform_server.database_tokens import (
    AwsTokens,
    GoogleTokens,
    give_each_connection_its_token,
    token_source,
)
from mlflow_platform_server.errors import CannotStart
from tests.image.serving.real_server import Database


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.mark.usefixtures("aws")
class TestAws:
    """A signature for host, port and user, good for fifteen minutes."""

    def test_it_is_for_the_databases_place(self) -> None:
        made = AwsTokens().password_for({"host": "db.internal", "port": "6432", "user": "mlflow"})
        read = urlsplit(f"https://{made}")
        query = parse_qs(read.query)
        assert (read.hostname, read.port) == ("db.internal", 6432)
        assert query["Action"] == ["connect"]
        assert query["DBUser"] == ["mlflow"]
        assert query["X-Amz-Expires"] == ["900"]

    def test_a_place_that_libpqs_variables_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a server in a cloud is given: its database's address comes in the environment."""
        monkeypatch.setenv("PGHOST", "made.later")
        made = AwsTokens().password_for({"user": "mlflow"})
        assert made.startswith("made.later:5432/?")


class Credentials:
    """Google's, as far as it is asked for: a token with an end."""

    def __init__(self) -> None:
        self.token: str | None = None
        self.expiry: datetime.datetime | None = None
        self.refreshed = 0

    def refresh(self, _request: object) -> None:
        self.refreshed += 1
        self.token = f"token-{self.refreshed}"
        self.set_seconds(3600)

    def set_seconds(self, seconds: int) -> None:
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        self.expiry = now + datetime.timedelta(seconds=seconds)


class TestGoogle:
    """One token for all connections, renewed before its end."""

    @pytest.fixture
    def credentials(self, monkeypatch: pytest.MonkeyPatch) -> Credentials:
        made = Credentials()
        asked: list[Any] = []

        def default(scopes: list[str]) -> tuple[Credentials, str]:
            asked.append(scopes)
            return made, "project"

        monkeypatch.setattr("google.auth.default", default)
        return made

    def test_it_is_kept_while_it_lasts(self, credentials: Credentials) -> None:
        tokens = GoogleTokens()
        assert [tokens.password_for({}) for _ in range(3)] == ["token-1"] * 3
        assert credentials.refreshed == 1

    def test_it_is_renewed_before_its_end(self, credentials: Credentials) -> None:
        tokens = GoogleTokens()
        tokens.password_for({})
        credentials.set_seconds(299)
        assert tokens.password_for({}) == "token-2"

    def test_nobody_to_ask(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from google.auth.exceptions import DefaultCredentialsError

        def default(scopes: list[str]) -> None:
            raise DefaultCredentialsError("no credentials were found")

        monkeypatch.setattr("google.auth.default", default)
        with pytest.raises(CannotStart, match=r"^--database-login is google: no credentials were"):
            GoogleTokens()


class TestEveryNewConnection:
    """SQLAlchemy's engines log in with what the source makes at that moment."""

    def test_a_pool_asks_anew_for_each(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        class Source:
            def password_for(self, parameters: Mapping[str, Any]) -> str:
                asked.append(parameters["user"])
                return "correct-horse"

        heard: list[object] = []
        listen = event.listen

        def remember(target: object, name: str, listener: object, **more: object) -> None:
            if name == "do_connect":  # SQLAlchemy listens to itself, too
                heard.append(listener)
            listen(target, name, listener, **more)

        monkeypatch.setattr(event, "listen", remember)
        give_each_connection_its_token(Source())
        try:
            engine = sqlalchemy.create_engine(database.uri("postgres", "locked"), pool_size=2)
            with engine.connect() as one, engine.connect() as two:
                assert one.scalar(sqlalchemy.text("SELECT current_user")) == "locked"
                assert two.scalar(sqlalchemy.text("SELECT current_user")) == "locked"
            engine.dispose()
        finally:
            for listener in heard:
                event.remove(Engine, "do_connect", listener)
        assert asked == ["locked", "locked"]

    def test_a_password_is_libpqs_business(self) -> None:
        assert token_source("password") is None
