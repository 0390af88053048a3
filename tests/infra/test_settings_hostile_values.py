"""Values nobody should write, and somebody will: each ends in settings or in one readable line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import SettingsError, load_settings
from infra.settings_declarations import BY_KEY, DECLARATIONS
from tests.infra.stacks import problems

NUMBERS = [item.key for item in DECLARATIONS if item.kind == "integer"]
LISTS = [item.key for item in DECLARATIONS if item.kind == "array"]
SWITCHES = [item.key for item in DECLARATIONS if item.kind == "boolean"]
NO_NUMBERS = [
    "",
    " 7",
    "7 ",
    "+7",
    "--7",
    "1_000",
    "7.0",
    "1e3",
    "0x10",
    "NaN",
    "inf",
    "\u0667",  # Arabic-Indic seven
    "\uff17",  # full-width seven
    "\u00b2",  # superscript two: a digit to isdigit(), none to int()
    "9" * 5000,
    "-" + "9" * 5000,
    "true",
    "7\n",
]


def refusal(values: dict[str, str]) -> SettingsError | None:
    try:
        load_settings(values, stack="local", environ={"A": "7"}, cores=2, encrypted=set())
    except SettingsError as error:
        return error
    return None


class TestNumbers:
    """A number is written in plain digits; what Python alone would accept is refused."""

    @pytest.mark.parametrize("text", NO_NUMBERS, ids=lambda text: ascii(text)[:20])
    def test_in_every_setting(self, text: str) -> None:
        for key in NUMBERS:
            found = problems({key: text})
            assert len(found) == 1, (key, found)
            assert found[0].startswith(f"mlflow-platform:{key}: ")

    def test_the_bounds_are_in_the_message(self) -> None:
        assert problems(poolSize="0") == [
            "mlflow-platform:poolSize: is 0; write a whole number of 1 or more, or auto"
        ]
        assert problems(serverPort="65536") == [
            "mlflow-platform:serverPort: is 65536; write a whole number from 1 to 65535"
        ]

    def test_a_very_long_value_is_not_repeated_whole(self) -> None:
        for key, text in (
            ("serverPort", "9" * 5000),
            ("target", "x" * 5000),
            ("poolSize", "7x" * 99),
        ):
            (line,) = problems({key: text})
            assert len(line) < 200
            assert "…" in line


class TestLists:
    """A list is a JSON list of texts, as Pulumi hands it over."""

    @pytest.mark.parametrize(
        "text",
        [
            "NaN",
            "null",
            "{}",
            '"a"',
            "1",
            "[1]",
            "[null]",
            "[NaN]",
            '["a", ""]',
            '[" "]',
            '[["a"]]',
            "[",
            "a",
            "['a']",
            "[" * 100_000,
            '["a\\nb"]',
            '["\\ud800"]',
            '["\\u0000"]',
        ],
        ids=lambda text: ascii(text)[:20],
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        for key in LISTS:
            found = problems({key: text})
            assert len(found) == 1, (key, found)
            assert found[0].startswith(f"mlflow-platform:{key}: ")
            assert len(found[0]) < 250

    def test_an_empty_value_is_an_empty_list(self) -> None:
        for key in LISTS:
            assert problems({key: ""}) == problems({key: "[]"}) == []


class TestSwitches:
    """A switch is true or false, in these words."""

    @pytest.mark.parametrize("text", ["", "True", "yes", "1", "on", "NaN", " true", "tru\u00e9"])
    def test_anything_else_is_refused(self, text: str) -> None:
        for key in SWITCHES:
            (line,) = problems({key: text})
            assert line == f"mlflow-platform:{key}: is {text!r}; write true or false"


class TestTexts:
    """A text is one line: it ends up in arguments, URLs, ini and password files."""

    @pytest.mark.parametrize("text", ["a\nb", "a\0b", "\x1b[31m", "a\u2028b", "\ud800", "\u202eb"])
    def test_in_every_setting(self, text: str) -> None:
        for item in DECLARATIONS:
            found = problems({item.key: text})
            assert found, item.key
            assert text not in "".join(found)

    @pytest.mark.parametrize(
        "key",
        [
            item.key
            for item in DECLARATIONS
            if item.kind == "string" and item.default and not item.secret
        ],
    )
    def test_what_has_a_default_cannot_be_empty(self, key: str) -> None:
        assert len(problems({key: ""})) == 1


class TestWhateverIsWritten:
    """No stack ends in a traceback, and every line names a setting that was written."""

    TEXTS = st.one_of(
        st.text(max_size=30),
        st.integers(-5, 70_000).map(str),
        st.sampled_from(
            ["auto", "true", "false", "${A}", "${A:-1}", "$${A}", "[::1]", "http://[", "h:99999"]
        ),
        st.lists(st.text(max_size=10), max_size=3).map(json.dumps),
        st.from_regex(r"(https?|postgresql|sqlite|s3|gs)://[a-z@:/\[\]?#%0-9.]{0,20}"),
    )

    @given(st.dictionaries(st.sampled_from(sorted(BY_KEY)), TEXTS, max_size=6))
    def test_it_loads_or_is_refused(self, values: dict[str, str]) -> None:
        error = refusal(values)
        if error is not None:
            assert len(str(error).splitlines()) == 1 + len(error.problems)
            assert {item.setting.partition(":")[2] for item in error.problems} <= BY_KEY.keys()
