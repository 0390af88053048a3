"""Passwords in the settings: never in a message, never in clear in a file that is committed."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import SettingsError, load_settings

# The beginning occurs nowhere else: Hypothesis tries words of the source as passwords too.
SECRETS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="{}"), max_size=40
).map("~7#Q".__add__)

BROKEN = st.fixed_dictionaries(
    {},
    optional={
        "authentication": st.sampled_from(["off", "basic", "maybe"]),
        "serverPort": st.sampled_from(["abc", "5432"]),
        "poolSiz": st.just("4"),
        "target": st.sampled_from(["aws", "azure"]),
        "databasePort": st.just("5433"),
        "databaseMaxConnections": st.sampled_from(["20", "x"]),
        "trackingUri": st.sampled_from(["./mlruns", "http://[", "http://h:99999"]),
    },
)


def refused(values: dict[str, str], encrypted: set[str] | None = None) -> list[str]:
    try:
        load_settings(values, stack="team", environ={}, cores=2, encrypted=encrypted)
    except SettingsError as error:
        return str(error).splitlines()[1:]
    return []


class TestNoMessageHoldsAPassword:
    """Whatever is wrong with a stack, and with the secret itself, its value is not repeated."""

    @given(secret=SECRETS, values=BROKEN)
    def test_of_the_administrator(self, secret: str, values: dict[str, str]) -> None:
        found = refused({**values, "authAdminPassword": secret}, set())
        assert found
        assert "~7#Q" not in "\n".join(found)

    @given(
        secret=SECRETS,
        values=BROKEN,
        uri=st.sampled_from(
            [
                "postgresql://mlflow:{}@db.internal/mlflow",
                "postgresql://mlflow:{}@db.internal:port/mlflow",
                "mysql+pymysql://user:{}@host/db",
                "postgresql://mlflow:{}@/mlflow",
                "postgresql://mlflow@db.internal/mlflow?password={}",
                "postgresql://mlflow:{}@[db/mlflow",
                "{}",
            ]
        ),
        written=st.sampled_from([str, lambda text: quote(text, safe="")]),
        key=st.sampled_from(["backendStoreUri", "registryStoreUri"]),
    )
    def test_of_a_database(
        self, secret: str, values: dict[str, str], uri: str, written: Any, key: str
    ) -> None:
        found = refused({**values, key: uri.format(written(secret))}, set())
        assert found
        assert "~7#Q" not in "\n".join(found)
        assert "~7%23Q" not in "\n".join(found)

    @pytest.mark.parametrize("key", ["artifactStore", "trackingUri"])
    @pytest.mark.parametrize(
        "uri",
        ["ftp://me:hush-hush@host/x", "https://me:hush-hush@host/x", "s3://me:hush-hush@bucket/x"],
    )
    def test_of_an_address_that_should_have_none(self, key: str, uri: str) -> None:
        found = refused({key: uri})
        assert len(found) == 1
        assert "hush" not in found[0]


class TestNoPasswordStandsInClear:
    """A password comes encrypted or from a variable; anything else is refused."""

    @pytest.mark.parametrize(
        "text",
        [
            "correct horse battery",
            "correct$horse$battery",
            "$${MLFLOW_ADMIN_PASSWORD}",
            "${MLFLOW_ADMIN_PASSWORD:-correct horse battery}",
            "correct-horse-${SUFFIX:-x}",
        ],
    )
    def test_of_the_administrator(self, text: str) -> None:
        found = refused({"authentication": "basic", "authAdminPassword": text}, set())
        assert found[-1] == (
            "  - mlflow-platform:authAdminPassword: holds a password in clear, which a commit "
            "would give away: encrypt it with `python -m local_engine config set --secret "
            "authAdminPassword`, or write ${MLFLOW_ADMIN_PASSWORD}"
        )

    @pytest.mark.parametrize(
        "password",
        ["hush", "${DB_PASSWORD:-hush}", "hush${DB_PASSWORD:-x}", "$${DB_PASSWORD}", "p@ss"],
    )
    @pytest.mark.parametrize("user", ["mlflow", "${DB_USER:-mlflow}"])
    def test_of_the_database(self, user: str, password: str) -> None:
        uri = f"postgresql://{user}:{password}@db.internal/mlflow"
        found = refused({"backendStoreUri": uri}, set())
        assert found[-1] == (
            "  - mlflow-platform:backendStoreUri: holds a password in clear, which a commit would "
            "give away: encrypt it with `python -m local_engine config set --secret "
            "backendStoreUri`, or write ${MLFLOW_DB_PASSWORD} in the password's place"
        )

    @pytest.mark.parametrize(
        "values",
        [
            {"authentication": "basic", "authAdminPassword": "${SECRET}"},
            {"authentication": "basic", "authAdminPassword": "${SECRET}${SECRET}"},
            {"backendStoreUri": "postgresql://mlflow:${SECRET}@db.internal/mlflow"},
            {"backendStoreUri": "postgresql://${USER_NAME}:${SECRET}@${DB_HOST:-db}/mlflow"},
            {"backendStoreUri": "postgresql://mlflow@db.internal/mlflow"},
            {"backendStoreUri": "sqlite:///mlflow.db"},
            {"backendStoreUri": "${URI}"},
            {"authAdminPassword": "", "backendStoreUri": ""},
        ],
    )
    def test_from_variables(self, values: dict[str, str]) -> None:
        environ = {
            "SECRET": "correct-horse",
            "USER_NAME": "me",
            "URI": "postgresql://mlflow:hush@db.internal/mlflow",
        }
        load_settings(values, stack="team", environ=environ, encrypted=set())

    @pytest.mark.parametrize(
        "values",
        [
            {"authentication": "basic", "authAdminPassword": "correct horse battery"},
            {"backendStoreUri": "postgresql://mlflow:hush@db.internal/mlflow"},
        ],
    )
    def test_encrypted(self, values: dict[str, str]) -> None:
        assert refused(values, set(values)) == []

    def test_a_caller_that_cannot_know_lets_them_through(self) -> None:
        values = {"backendStoreUri": "postgresql://mlflow:hush@db.internal/mlflow"}
        assert refused(values, None) == []
