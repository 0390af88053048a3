"""Passwords: taken out of addresses, refused in clear, shown nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings_database import parse_backend_store
from tests.infra.settings.loading import load, problems

PASSWORD = "correct-horse-battery"


class TestBackendStoreUri:
    """The password leaves the address on loading (docs/decisions/0003)."""

    @pytest.mark.parametrize(
        "scheme", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"]
    )
    def test_taken_apart(self, scheme: str) -> None:
        database = load(
            backendStoreUri=f"{scheme}://me:{PASSWORD}@db.internal:5433/runs?sslmode=require"
        ).database
        assert database.backend_store_uri == "postgresql://me@db.internal:5433/runs"
        assert (database.host, database.port) == ("db.internal", 5433)
        assert (database.name, database.user) == ("runs", "me")
        assert (database.password, database.ssl_mode) == (PASSWORD, "require")

    def test_from_variables_as_guides_write_it(self) -> None:
        database = load(
            backendStoreUri="postgresql://${DB_USER:-mlflow}:${DB_PASSWORD}@${DB_HOST:-localhost}/db",
            environ={"DB_PASSWORD": PASSWORD},
            encrypted=(),
        ).database
        assert database.backend_store_uri == "postgresql://mlflow@localhost:5432/db"
        assert database.password == PASSWORD

    @pytest.mark.parametrize(
        ("uri", "words"),
        [
            ("mysql+pymysql://me:hush@h/d", "begins with 'mysql+pymysql'; supported are"),
            ("./mlruns", "begins with 'no scheme'; supported are"),
            ("postgresql://h/d", "names no user"),
            ("postgresql://me:hush@h:port/d", "cannot be read as a URI"),
            ("postgresql://me:hush@/d", "names no host"),
            ("postgresql://me:hush@h", "names no database"),
            ("postgresql://me:hush@h/d?connect_timeout=3", "has the parameter 'connect_timeout'"),
            ("postgresql://me:hush@h/d?sslmode=yes", "has an sslmode that libpq does not know"),
            ("<<MANAGED_BY_CONNECTION_POOL>>", "is a placeholder for a managed connection pool"),
        ],
    )
    def test_refused_without_showing_it(self, uri: str, words: str) -> None:
        (found,) = problems(backendStoreUri=uri)
        assert found.startswith(f"mlflow-platform:backendStoreUri: {words}")
        assert "hush" not in found

    def test_names_that_need_quoting_survive(self) -> None:
        store = parse_backend_store("postgresql://me%40server:hush@[::1]/my%2Fruns")
        assert (store.user, store.host, store.name) == ("me@server", "::1", "my/runs")
        assert store.uri == "postgresql://me%40server@[::1]:5432/my%2Fruns"

    @given(password=st.text(alphabet=st.characters(categories=["L", "N"]), min_size=20))
    def test_no_password_survives_in_the_address(self, password: str) -> None:
        store = parse_backend_store(f"postgresql://me:{password}@db.example/runs")
        assert store.password == password
        assert store.uri == "postgresql://me@db.example:5432/runs"


class TestInClear:
    """A password that a commit would give away is refused; how it came is known to the engine."""

    def test_in_an_address(self) -> None:
        (found,) = problems(backendStoreUri=f"postgresql://me:{PASSWORD}@h/d", encrypted=())
        assert found == (
            "mlflow-platform:backendStoreUri: holds a password in clear, which a commit would give "
            "away: encrypt it with `python -m local_engine config set --secret "
            "backendStoreUri`, or write ${MLFLOW_DB_PASSWORD} in the password's place"
        )

    def test_the_administrators(self) -> None:
        (found,) = problems(authentication="basic", authAdminPassword=PASSWORD, encrypted=())
        assert found.startswith("mlflow-platform:authAdminPassword: holds a password in clear")
        assert PASSWORD not in found

    @pytest.mark.parametrize(
        "values",
        [
            {"backendStoreUri": "postgresql://me@h/d"},
            {"backendStoreUri": "postgresql://me:${P}@h/d"},
            {"backendStoreUri": "sqlite:///a.db"},
            {"authentication": "basic", "authAdminPassword": "${P}"},
            {"authentication": "basic", "authAdminPassword": ""},
        ],
    )
    def test_nothing_in_clear(self, values: dict[str, str]) -> None:
        assert problems(environ={"P": PASSWORD}, encrypted=(), **values) == []

    def test_encrypted(self) -> None:
        uri = f"postgresql://me:{PASSWORD}@h/d"
        assert problems(backendStoreUri=uri, encrypted={"backendStoreUri"}) == []
