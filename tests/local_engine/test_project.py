"""Pulumi.yaml and the merge of its defaults, by Pulumi's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local_engine.errors import EngineError
from local_engine.project import Project, find_project, fits, load_project, merge_project_config
from local_engine.stack_config import Ciphertext, ConfigValue

DECLARED = """\
name: shelf
runtime: {name: python, options: {virtualenv: .venv}}
config:
  size: {type: integer, default: 3}
  open: {type: boolean, default: true}
  tags: {type: array, items: {type: string}, default: [a, b]}
  label: {type: string}
  short: hello
  aws:region: eu-west-1
"""


def project(folder: Path, text: str) -> Project:
    (folder / "Pulumi.yaml").write_text(text)
    return find_project(folder)


class TestFinding:
    """The project is that of the folder or of the nearest one above."""

    def test_from_below(self, tmp_path: Path) -> None:
        project(tmp_path, DECLARED)
        (tmp_path / "a" / "b").mkdir(parents=True)
        found = find_project(tmp_path / "a" / "b")
        assert (found.name, found.root) == ("shelf", tmp_path.resolve())
        assert found.stack_file("dev") == tmp_path.resolve() / "Pulumi.dev.yaml"

    def test_nowhere(self, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match=r"No Pulumi\.yaml in .* or a folder above it"):
            find_project(tmp_path)


class TestDefaults:
    """A key the stack does not set gets the project's value; text is what the program sees."""

    def test_merge(self, tmp_path: Path) -> None:
        merged = merge_project_config(
            project(tmp_path, DECLARED), "dev", {"shelf:label": ConfigValue("x")}
        )
        assert {key: value.text() for key, value in merged.items()} == {
            "shelf:size": "3",
            "shelf:open": "true",
            "shelf:tags": '["a","b"]',
            "shelf:label": "x",
            "shelf:short": "hello",
            "aws:region": "eu-west-1",
        }

    def test_missing_values_are_named_together(self, tmp_path: Path) -> None:
        text = "name: p\nruntime: python\nconfig: {a: {type: string}, b: {type: string}, c: {}}\n"
        with pytest.raises(EngineError) as caught:
            merge_project_config(project(tmp_path, text), "dev", {})
        assert str(caught.value) == (
            "Stack 'dev' is missing configuration values 'a', 'b' and 'c': "
            "set it in Pulumi.dev.yaml."
        )

    def test_wrong_type(self, tmp_path: Path) -> None:
        given = {"shelf:label": ConfigValue("x"), "shelf:tags": ConfigValue([1])}
        with pytest.raises(EngineError) as caught:
            merge_project_config(project(tmp_path, DECLARED), "dev", given)
        assert str(caught.value) == (
            "Stack 'dev' with configuration key 'tags' must be of type 'array<string>': "
            "correct it in Pulumi.dev.yaml."
        )

    def test_secret_must_be_encrypted(self, tmp_path: Path) -> None:
        text = "name: p\nruntime: python\nconfig: {token: {type: string, secret: true}}\n"
        declared = project(tmp_path, text)
        with pytest.raises(EngineError, match="must be encrypted as it's secret"):
            merge_project_config(declared, "dev", {"p:token": ConfigValue("clear")})
        sealed = ConfigValue(Ciphertext("v1:a:b"))
        opened = ConfigValue("clear", secret=sealed.secret)
        merged = merge_project_config(declared, "dev", {"p:token": opened})
        assert merged["p:token"].secret


@pytest.mark.parametrize(
    ("type_name", "value", "expected"),
    [
        ("string", "x", True),
        ("string", 1, False),
        ("integer", "12", True),
        ("integer", "-007", True),
        ("integer", "1.0", False),
        ("integer", 2.0, True),
        ("integer", 2.5, False),
        ("integer", True, False),
        ("boolean", "true", True),
        ("boolean", "True", False),
        ("boolean", False, True),
        ("object", {}, True),
        ("object", [], False),
        ("array", [], False),  # without `items` nothing fits
    ],
)
def test_types_fit_as_in_pulumi(type_name: str, value: Any, expected: bool) -> None:
    assert fits(type_name, None, value) is expected


class TestRefusals:
    """A Pulumi.yaml that cannot be used is refused in one sentence."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("runtime: python", "`name` in FILE is None"),
            ("name: a b\nruntime: python", "`name` in FILE is 'a b'"),
            ("name: p\nruntime: nodejs", "`runtime` in FILE is 'nodejs': this engine runs Python"),
            ("name: p\nruntime: python\nmain: src", "`main` in FILE is set"),
            ("name: p\nruntime: python\nconfig: [a]", "`config` in FILE must be a mapping"),
            (
                "name: p\nruntime: python\nconfig: {a: {typ: string}}",
                "`config.a` in FILE has the unknown attribute 'typ'",
            ),
            (
                "name: p\nruntime: python\nconfig: {a: {type: number}}",
                "`config.a` in FILE has the type 'number'",
            ),
            (
                "name: p\nruntime: python\nconfig: {a: {type: array}}",
                "`config.a` in FILE is an array and must say of what",
            ),
            (
                "name: p\nruntime: python\nconfig: {a: {type: integer, default: x}}",
                "`config.a` in FILE has a default that is not of the type 'integer'",
            ),
            (
                "name: p\nruntime: python\nconfig: {'aws:a': {type: string}}",
                "`config.aws:a` in FILE is not namespaced by the project",
            ),
        ],
    )
    def test_one_sentence(self, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "Pulumi.yaml"
        file.write_text(text)
        with pytest.raises(EngineError) as caught:
            load_project(file)
        assert str(caught.value).replace(str(file), "FILE").startswith(message)
