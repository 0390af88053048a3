"""Reading one value at a time: variables, kinds, bounds, unknown keys, all problems at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import SettingsError, load_settings
from infra.settings_declarations import BY_KEY
from infra.settings_guide_names import READ_BY_NOTHING
from infra.settings_interpolation import (
    MalformedReferenceError,
    UnsetVariableError,
    interpolate,
    literal_part,
)
from tests.infra.settings.loading import load, problems

ROOT = Path(__file__).resolve().parents[3]


class TestVariables:
    """`${VAR}` and `${VAR:-default}` work in every setting, as in a shell."""

    @pytest.mark.parametrize(
        ("text", "environ", "result"),
        [
            ("plain", {}, "plain"),
            ("${A}", {"A": "x"}, "x"),
            ("${A:-y}", {}, "y"),
            ("${A:-y}", {"A": ""}, "y"),
            ("${A:-y}", {"A": "x"}, "x"),
            ("${A:-}", {}, ""),
            (
                "s3://mlflow/${ENVIRONMENT}/${PROJECT:-p}/",
                {"ENVIRONMENT": "dev"},
                "s3://mlflow/dev/p/",
            ),
            ("${A}", {"A": "${B}"}, "${B}"),
            ("pa$$word$1", {}, "pa$$word$1"),
            ("$${A}", {"A": "x"}, "${A}"),
        ],
    )
    def test_replaced(self, text: str, environ: dict[str, str], result: str) -> None:
        assert interpolate(text, environ) == result

    @pytest.mark.parametrize(
        "text", ["${}", "${A", "${A-b}", "${A:?b}", "${databases.main.user}", "${A:-${B}}", "${1A}"]
    )
    def test_what_is_no_reference_is_refused(self, text: str) -> None:
        """Left alone, it would end up in an address or a name."""
        with pytest.raises(MalformedReferenceError):
            interpolate(text, {"A": "a"})

    def test_every_unset_variable_is_named(self) -> None:
        with pytest.raises(UnsetVariableError) as caught:
            interpolate("${A}:${B}@${A}${C:-c}", {})
        assert caught.value.names == ("A", "B")

    @given(text=st.text(alphabet=st.characters(blacklist_characters="$")))
    def test_text_without_a_dollar_is_left_alone(self, text: str) -> None:
        assert interpolate(text, {}) == text

    @given(value=st.text(min_size=1))
    def test_what_a_variable_holds_is_taken_as_it_is(self, value: str) -> None:
        assert interpolate("<${V}>", {"V": value}) == f"<{value}>"

    def test_what_does_not_come_from_the_environment(self) -> None:
        assert literal_part("${A}${B:-}") == ""
        assert literal_part("a${B:-c}$${D} $E") == "ac${D} $E"

    def test_in_numbers_and_switches(self) -> None:
        settings = load(
            databasePort="${MLFLOW_DB_PORT:-5433}",
            prometheusEnabled="${PROMETHEUS_ENABLED:-true}",
            cloudwatchEnabled="${CLOUDWATCH_ENABLED:-false}",
            poolSize="${POOL}",
            environ={"POOL": "33", "PROMETHEUS_ENABLED": "false"},
        )
        assert settings.database.port == 5433
        assert settings.telemetry.prometheus is False
        assert settings.pool.size == 33

    @pytest.mark.parametrize(
        "key", ["databasePort", "prometheusEnabled", "datadogEnabled", "cloudwatchEnabled"]
    )
    def test_pulumi_lets_variables_through_where_guides_write_them(self, key: str) -> None:
        """Pulumi checks the type before the program sees the value."""
        assert BY_KEY[key].pulumi_type == "string"

    def test_the_message_names_the_setting_and_the_way_out(self) -> None:
        assert problems(trackingUri="${MLFLOW_URI}") == [
            (
                "mlflow-platform:trackingUri: names the environment variable MLFLOW_URI, which is "
                "not set: set it, or give a default with ${MLFLOW_URI:-default}"
            )
        ]


class TestValues:
    """A value that cannot be read is shown, with what is allowed."""

    @pytest.mark.parametrize(
        ("key", "text", "message"),
        [
            ("serverPort", "abc", "is 'abc'; write a whole number from 1 to 65535"),
            ("serverPort", "0", "is 0; write a whole number from 1 to 65535"),
            ("serverPort", "5_000", "is '5_000'; write a whole number from 1 to 65535"),
            ("serverWorkers", "many", "is 'many'; write a whole number from 1 to 64, or auto"),
            ("serveArtifacts", "yes", "is 'yes'; write true or false"),
            ("target", "azure", "is 'azure'; allowed are local or aws or gcp"),
            ("authentication", "false", "is 'false'; allowed are off or basic or oidc"),
            ("allowedHosts", "a,b", "is 'a,b'; write a list of texts"),
            (
                "allowedHosts",
                '["a", 1]',
                "is '[\"a\", 1]'; every item must be a text of one line that is not empty",
            ),
            ("healthCheckTimeoutSeconds", "11", "is 11; write a whole number from 1 to 10"),
            (
                "experimentName",
                "two\nlines",
                "has a line break or an unprintable character; write one line",
            ),
        ],
    )
    def test_refused(self, key: str, text: str, message: str) -> None:
        assert problems(**{key: text}) == [f"mlflow-platform:{key}: {message}"]

    def test_blanks_around_a_name_are_not_part_of_it(self) -> None:
        assert load(experimentName=" mine ").experiment.name == "mine"

    def test_a_password_keeps_its_blanks(self) -> None:
        settings = load(authentication="basic", authAdminPassword=" a long password ")
        assert settings.authentication.admin_password == " a long password "

    @given(values=st.dictionaries(st.sampled_from(sorted(BY_KEY)), st.text(), max_size=4))
    def test_any_text_loads_or_is_refused(self, values: dict[str, str]) -> None:
        """No value, however strange, ends in anything but settings or `SettingsError`."""
        try:
            load_settings(values, stack="local", environ={}, encrypted=())
        except SettingsError as error:
            assert str(error)  # noqa: PT017 - either outcome is fine


class TestUnknownKeys:
    """A key that is no setting is an error that names the one that was meant."""

    @pytest.mark.parametrize(
        ("key", "advice"),
        [
            ("poolSiz", "did you mean mlflow-platform:poolSize?"),
            ("pool_size", "did you mean mlflow-platform:poolSize?"),
            ("PoolSize", "did you mean mlflow-platform:poolSize?"),
            ("max_overflow", "did you mean mlflow-platform:poolMaxOverflow?"),
            ("backend_store_uri", "did you mean mlflow-platform:backendStoreUri?"),
            ("artifact_store", "did you mean mlflow-platform:artifactStore?"),
            ("default_artifact_root", "did you mean mlflow-platform:artifactStore?"),
            ("pool_acquisition_timeout", "did you mean mlflow-platform:poolTimeoutSeconds?"),
            ("workers", "did you mean mlflow-platform:serverWorkers?"),
            ("MLFLOW_TRACKING_URI", "did you mean mlflow-platform:trackingUri?"),
            (
                "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE",
                "did you mean mlflow-platform:poolSize?",
            ),
            (
                "auth",
                (
                    "settings are flat, without sections: mlflow-platform:authentication, "
                    "mlflow-platform:authAdminUsername, mlflow-platform:authAdminPassword, …"
                ),
            ),
            (
                "gateway",
                "this platform serves no models: run MLflow's gateway as a service of its own",
            ),
            ("zzz", "docs/settings.md lists them all"),
        ],
    )
    def test_advice(self, key: str, advice: str) -> None:
        assert problems(**{key: "x"}) == [f"mlflow-platform:{key}: is not a setting; {advice}"]

    @pytest.mark.parametrize(("variable", "key"), sorted(READ_BY_NOTHING.items()))
    def test_a_variable_that_nothing_reads(self, variable: str, key: str) -> None:
        assert problems(environ={variable: "10"}) == [
            (
                f"{variable}: is set in the environment, but no version of MLflow reads it: unset "
                f"it and set mlflow-platform:{key} in the stack's configuration"
            )
        ]

    @pytest.mark.parametrize("variable", sorted(READ_BY_NOTHING))
    def test_the_same_name_as_a_key(self, variable: str) -> None:
        found = problems(**{variable: "10"})
        assert found == [
            (
                f"mlflow-platform:{variable}: is not a setting; did you mean "
                f"mlflow-platform:{READ_BY_NOTHING[variable]}?"
            )
        ]

    @given(key=st.sampled_from(sorted(BY_KEY)), data=st.data())
    def test_one_letter_missing_still_finds_the_key(self, key: str, data: st.DataObject) -> None:
        index = data.draw(st.integers(1, len(key) - 1))
        found = problems(**{key[:index] + key[index + 1 :]: "x"})
        assert f"did you mean mlflow-platform:{key}?" in found[0]


class TestAllAtOnce:
    """Whoever has five mistakes reads five sentences, once."""

    def test_every_kind_of_problem_in_one_error(self) -> None:
        values = {
            "serverPort": "abc",
            "trackingUri": "${NOWHERE}",
            "poolSiz": "4",
            "serverStaticPrefix": "mlflow/",
            "poolPrePing": "false",
        }
        with pytest.raises(SettingsError) as caught:
            load_settings(values, stack="team", environ={})
        assert [item.setting for item in caught.value.problems] == [
            "mlflow-platform:poolSiz",
            "mlflow-platform:serverPort",
            "mlflow-platform:trackingUri",
            "mlflow-platform:serverStaticPrefix",
            "mlflow-platform:poolPrePing",
        ]
        first, *lines = str(caught.value).splitlines()
        assert first == "5 problems in the settings of Pulumi.team.yaml:"
        assert all(line.startswith("  - mlflow-platform:") for line in lines)

    def test_no_rule_judges_the_default_that_replaced_an_unreadable_value(self) -> None:
        """The port that could not be read is not 5000, and does not clash with the database's."""
        assert problems(serverPort="abc", databasePort="5000") == [
            "mlflow-platform:serverPort: is 'abc'; write a whole number from 1 to 65535"
        ]


class TestLight:
    """Reading settings loads neither Pulumi nor a cloud SDK, nor opens a connection."""

    def test_what_is_imported(self) -> None:
        script = (
            "import sys\n"
            "from infra.settings import load_settings\n"
            "load_settings({}, stack='local', environ={})\n"
            "heavy = ('pulumi', 'grpc', 'yaml', 'mlflow', 'sqlalchemy', 'boto3', 'socket')\n"
            "print([name for name in heavy if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]"
