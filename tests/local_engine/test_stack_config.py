"""Pulumi.<stack>.yaml: read as Pulumi reads it, edited as a person would."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_engine.errors import EngineError
from local_engine.passphrase import Crypter
from local_engine.stack_config import Ciphertext, ConfigValue, StackConfig
from local_engine.yaml_reader import read_mapping

WRITTEN = """\
# The stack of the reading room.
encryptionsalt: v1:AAAA:v1:BBBB:CCCC # do not lose this
config:
    # how many books fit
    shelf:size: "5"   # a trailing remark
    label: 'it''s ours'
    shelf:token:
        secure: v1:aaaa:bbbb   # rotated in May
    shelf:list:
    - a
    - b

    shelf:text: |
        two
        lines
# the end
"""


def config(folder: Path, text: str) -> StackConfig:
    file = folder / "Pulumi.dev.yaml"
    file.write_text(text, encoding="utf-8")
    return StackConfig(file, "shelf")


class TestReading:
    """Values arrive as the CLI hands them to a program."""

    @pytest.mark.parametrize(
        ("written", "text"),
        [
            ("5", "5"),
            ("05", "5"),
            ("010", "8"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("1e21", "1e+21"),
            ("0.0000001", "1e-7"),
            ("true", "true"),
            ("yes", "yes"),
            ("on", "on"),
            ("12:30", "12:30"),
            ("2024-05-06", "2024-05-06 00:00:00 +0000 UTC"),
            ("'007'", "007"),
            ("[b, 1, {z: 1, a: <&>}]", '["b",1,{"a":"\\u003c\\u0026\\u003e","z":1}]'),
            ("", ""),
        ],
    )
    def test_scalars_follow_the_rules_of_the_cli(
        self, tmp_path: Path, written: str, text: str
    ) -> None:
        values = config(tmp_path, f"config:\n  shelf:key: {written}\n").values
        assert values["shelf:key"].text() == text

    def test_keys_get_the_projects_namespace(self, tmp_path: Path) -> None:
        values = config(tmp_path, "config:\n  a: 1\n  aws:region: x\n  other:config:b: 2\n").values
        assert sorted(values) == ["aws:region", "other:b", "shelf:a"]

    def test_missing_file_is_an_empty_configuration(self, tmp_path: Path) -> None:
        missing = StackConfig(tmp_path / "Pulumi.dev.yaml", "shelf")
        assert (missing.exists, missing.values, missing.salt) == (False, {}, "")

    def test_secret_shows_neither_in_repr_nor_when_blinded(self) -> None:
        value = ConfigValue({"user": "ann", "password": Ciphertext("v1:a:b")})
        assert (value.secret, repr(value)) == (True, "ConfigValue([secret])")
        assert value.blinded().text() == '{"password":"[secret]","user":"ann"}'

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("config: [a]", "`config` in FILE must be a mapping of keys to values."),
            ("config: {a: 1", "FILE is not valid YAML: "),
            ("config:\n  a: 1\n  a: 2\n", "FILE is not valid YAML: 'a' is set twice (line 3)."),
            (
                "config:\n  1: a\n",
                "FILE has the key 1, which YAML reads as a int: put it in quotes.",
            ),
            ("config:\n  a:b:c:d: 1\n", "`a:b:c:d` under `config` in FILE is not a configuration"),
            ("- a", "FILE must be a mapping of keys to values, but it is a list"),
            ("secretsprovider: awskms://x", "`secretsprovider` in FILE is 'awskms://x'"),
            ("environment: [prod]", "`environment` in FILE imports from Pulumi ESC"),
            ("config:\n  a: !!python/object:os.system x\n", "FILE is not valid YAML: "),
        ],
    )
    def test_refusals_are_one_sentence(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(EngineError) as caught:
            config(tmp_path, text)
        said = str(caught.value).replace(str(tmp_path / "Pulumi.dev.yaml"), "FILE")
        assert said.startswith(message)
        assert "\n" not in said

    @given(st.text(max_size=60))
    @settings(max_examples=200)
    def test_hostile_text_is_read_or_refused(self, text: str) -> None:
        try:
            assert isinstance(read_mapping(text, "x.yaml"), dict)
        except EngineError as error:
            assert str(error).startswith("x.yaml ")  # noqa: PT017


class TestEditing:
    """An edit touches the lines of one key and nothing else."""

    def test_replacing_a_value_keeps_everything_around_it(self, tmp_path: Path) -> None:
        stack = config(tmp_path, WRITTEN)
        stack.set("shelf:size", "6")
        assert stack.text == WRITTEN.replace('"5"', '"6"')

    def test_bare_key_keeps_its_spelling(self, tmp_path: Path) -> None:
        stack = config(tmp_path, WRITTEN)
        stack.set("shelf:label", "yours")
        assert stack.text == WRITTEN.replace("'it''s ours'", "yours")

    def test_secret_replaces_text_and_text_a_secret(self, tmp_path: Path) -> None:
        stack = config(tmp_path, WRITTEN)
        stack.set("shelf:token", Ciphertext("v1:cccc:dddd"))
        assert stack.text == WRITTEN.replace("v1:aaaa:bbbb", "v1:cccc:dddd").replace(
            "        secure", "      secure"
        )
        stack.set("shelf:token", "open")
        assert "    shelf:token: open   # rotated in May\n" in stack.text

    @pytest.mark.parametrize("key", ["shelf:list", "shelf:text"])
    def test_lists_and_blocks_can_be_replaced(self, tmp_path: Path, key: str) -> None:
        stack = config(tmp_path, WRITTEN)
        stack.set(key, "short")
        assert stack.values[key].text() == "short"
        assert stack.text.startswith("# The stack of the reading room.\n")
        assert stack.text.endswith("# the end\n")

    def test_new_key_stands_at_the_end_of_the_section(self, tmp_path: Path) -> None:
        stack = config(tmp_path, "config:\n  a: 1 # one\nencryptionsalt: x\n")
        stack.set("shelf:b", "2")
        assert stack.text == 'config:\n  a: 1 # one\n  shelf:b: "2"\nencryptionsalt: x\n'

    @pytest.mark.parametrize("text", ["", "# only a remark\n", "config:\n", "config: {}\n"])
    def test_first_key(self, tmp_path: Path, text: str) -> None:
        stack = config(tmp_path, text)
        stack.set("shelf:a", "b")
        assert stack.text.endswith("config:\n  shelf:a: b\n")
        assert stack.text.startswith(text if text.startswith("#") else "config:")

    def test_removing_takes_the_value_and_leaves_the_rest(self, tmp_path: Path) -> None:
        stack = config(tmp_path, WRITTEN)
        assert stack.remove("shelf:token")
        assert stack.text == WRITTEN.replace(
            "    shelf:token:\n        secure: v1:aaaa:bbbb   # rotated in May\n", ""
        )
        assert not stack.remove("shelf:token")

    def test_removing_the_last_key(self, tmp_path: Path) -> None:
        stack = config(tmp_path, "config:\n  a: 1\n# the end\n")
        stack.remove("shelf:a")
        assert stack.text == "config: {}\n# the end\n"

    def test_salt_is_written_only_when_asked_for(self, tmp_path: Path) -> None:
        stack = config(tmp_path, "config:\n  a: 1\n")
        stack.set("shelf:a", "2")
        assert "encryptionsalt" not in stack.text
        stack.set_salt("v1:AA==:v1:BB==:CC==")
        assert stack.text.endswith('a: "2"\nencryptionsalt: v1:AA==:v1:BB==:CC==\n')

    @pytest.mark.parametrize(
        "text",
        ["config: {a: 1, b: 2}\n", "x: &x {p: q}\nconfig:\n  a: *x\n  b: *x\n"],
        ids=["flow style", "alias"],
    )
    def test_what_cannot_be_edited_safely_is_left_alone(self, tmp_path: Path, text: str) -> None:
        stack = config(tmp_path, text)
        with pytest.raises(EngineError, match="edit the file by hand"):
            stack.set("shelf:a", "3")
        assert stack.text == text

    @given(
        key=st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True),
        value=st.text(max_size=40),
        secret=st.booleans(),
    )
    @settings(max_examples=200)
    def test_any_value_comes_back(
        self, tmp_path_factory: pytest.TempPathFactory, key: str, value: str, secret: bool
    ) -> None:
        stack = config(tmp_path_factory.getbasetemp(), WRITTEN)
        before = dict(stack.values)
        crypter = Crypter(bytes(32), "")
        stack.set(f"shelf:{key}", Ciphertext(crypter.encrypt(value)) if secret else value)
        stack.save()
        again = StackConfig(stack.path, "shelf")
        assert again.values[f"shelf:{key}"].decrypted(crypter).text() == value
        assert {name: again.values[name].raw for name in before if name != f"shelf:{key}"} == {
            name: entry.raw for name, entry in before.items() if name != f"shelf:{key}"
        }
