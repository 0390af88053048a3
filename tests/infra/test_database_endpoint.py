"""A database's address is written down in one form, and no password fits into it."""

from __future__ import annotations

from dataclasses import fields

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from infra.database_endpoint import DatabaseEndpoint
from tests.infra.stacks import DATABASE, DATABASE_URL

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)


class TestTheUrlOfADatabase:
    """SQLAlchemy reads back what was written, whatever the names are."""

    def test_of_the_local_database(self) -> None:
        assert DATABASE.url() == DATABASE_URL

    def test_tls_is_asked_for_when_the_stack_says_so(self) -> None:
        endpoint = DatabaseEndpoint(
            host="db", port=5432, name="mlflow", user="mlflow", ssl_mode="verify-full"
        )
        assert endpoint.url().endswith("&sslmode=verify-full")

    def test_without_a_word_on_tls_libpq_decides(self) -> None:
        assert "sslmode" not in DATABASE.url()

    def test_a_database_that_is_still_to_be_made_is_named_by_libpqs_variables(self) -> None:
        endpoint = DatabaseEndpoint(host="", port=5432, name="mlflow", user="mlflow")
        assert endpoint.url().startswith("postgresql+psycopg://mlflow@/mlflow?")
        read = make_url(endpoint.url())
        assert (read.host, read.port) == (None, None)

    def test_it_is_given_up_before_a_statement_is(self) -> None:
        """A request that meets a vanished database ends within the 30 s that one statement has."""
        query = make_url(DATABASE.url()).query
        gone = int(str(query["tcp_user_timeout"])) // 1000
        assert gone + int(str(query["connect_timeout"])) < 30

    def test_an_ipv6_address_stands_in_brackets(self) -> None:
        endpoint = DatabaseEndpoint(host="::1", port=5432, name="mlflow", user="mlflow")
        assert "@[::1]:5432/" in endpoint.url()
        assert make_url(endpoint.url()).host == "::1"

    @given(user=NAMES, name=NAMES)
    def test_names_survive(self, user: str, name: str) -> None:
        endpoint = DatabaseEndpoint(host="db", port=5432, name=name, user=user)
        url = make_url(endpoint.url())
        assert (url.username, url.password, url.host, url.port, url.database) == (
            user,
            None,
            "db",
            5432,
            name,
        )

    def test_libpq_knows_every_parameter(self) -> None:
        parameters = dict(make_url(DATABASE.url()).query)
        read = psycopg.conninfo.conninfo_to_dict(
            " ".join(f"{name}={value}" for name, value in parameters.items())
        )
        assert read == parameters


class TestNoPassword:
    """An address is printed, exported and handed on, so it has no place for a secret."""

    @pytest.mark.parametrize("word", ["password", "secret", "token"])
    def test_there_is_no_field_for_one(self, word: str) -> None:
        assert [item.name for item in fields(DatabaseEndpoint) if word in item.name] == []
