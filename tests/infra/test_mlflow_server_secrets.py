"""No password stands in the server's definition, whatever it is and however the server runs."""

from __future__ import annotations

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from infra.mlflow_server import MlflowServer, render
from infra.settings import PlatformSettings
from tests.infra.stacks import stack, wiring

# The beginning occurs nowhere else: Hypothesis tries words of the source as passwords too.
PASSWORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="{}"),
    min_size=8,
    max_size=40,
).map("~7#Q".__add__)


def definitions(settings: PlatformSettings) -> list[MlflowServer]:
    """The server in a place with a password file and in one without."""
    return [
        render(settings, wiring()),
        render(settings, wiring(password_file=None)),
        render(settings, wiring(backend_store="sqlite:////srv/mlflow.db")),
    ]


class TestNoPasswordIsRendered:
    """Neither of the database nor of the administrator: targets supply them by other ways."""

    @given(
        database=PASSWORDS, administrator=PASSWORDS, kind=st.sampled_from(["uvicorn", "gunicorn"])
    )
    def test_in_command_environment_and_file(
        self, database: str, administrator: str, kind: str
    ) -> None:
        written = quote(database, safe="")
        settings = stack(
            backendStoreUri=f"postgresql://mlflow:{written}@db.internal/mlflow",
            databaseMaxConnections="1000",
            authentication="basic",
            authAdminPassword=administrator,
            serverKind=kind,
        )
        assert settings.database.password == database
        for rendered in definitions(settings):
            for password in (database, written, administrator):
                assert password not in repr(rendered)

    @given(PASSWORDS)
    def test_in_the_settings_own_representation(self, password: str) -> None:
        settings = stack(
            backendStoreUri=f"postgresql://mlflow:{quote(password, safe='')}@db.internal/mlflow",
            databaseMaxConnections="1000",
            authentication="basic",
            authAdminPassword=password,
        )
        assert password not in repr(settings)
        assert quote(password, safe="") not in repr(settings)


class TestSecretsAreNamed:
    """A definition says which secrets its target has to supply."""

    def test_a_place_without_a_password_file_supplies_the_password(self) -> None:
        rendered = render(stack(), wiring(password_file=None))
        assert rendered.secret_environment == ("PGPASSWORD",)
        assert "PGPASSFILE" not in rendered.environment

    def test_no_secret_is_a_plain_variable_as_well(self) -> None:
        rendered = render(stack(authentication="basic"), wiring(password_file=None))
        assert rendered.environment.keys() & set(rendered.secret_environment) == set()
        assert rendered.secret_environment == (
            "PGPASSWORD",
            "MLFLOW_FLASK_SERVER_SECRET_KEY",
            "MLFLOW_AUTH_ADMIN_PASSWORD",
        )
