"""Pulumi.yaml says exactly what the program reads."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import pytest
import yaml

from infra.settings import PlatformSettings
from infra.settings_declarations import BY_KEY, DECLARATIONS, NAMESPACE, Declaration
from infra.settings_derivation import derive
from infra.settings_parsing import parse
from tests.infra.settings.loading import load

ROOT = Path(__file__).resolve().parents[3]
PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))


def as_pulumi(default: object) -> str:
    """The text in which Pulumi hands a default to the program."""
    return default if isinstance(default, str) else json.dumps(default)


class TestProjectFile:
    """Every setting is declared in Pulumi.yaml with the type, default and meaning it has."""

    def test_name_and_runtime(self) -> None:
        assert PROJECT["name"] == NAMESPACE
        assert PROJECT["runtime"] == {"name": "python"}
        assert "main" not in PROJECT

    def test_same_settings_in_the_same_order(self) -> None:
        assert list(PROJECT["config"]) == [declaration.key for declaration in DECLARATIONS]

    @pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda item: item.key)
    def test_type_default_and_description(self, declaration: Declaration) -> None:
        expected: dict[str, Any] = {
            "type": declaration.pulumi_type,
            "default": declaration.pulumi_default,
            "description": declaration.description,
        }
        if declaration.kind == "array":
            expected["items"] = {"type": "string"}
        declared = PROJECT["config"][declaration.key]
        assert declared == expected
        assert type(declared["default"]) is type(expected["default"])

    def test_every_key_has_a_default(self) -> None:
        """Pulumi refuses a stack that leaves out a declared key without one."""
        assert [key for key, value in PROJECT["config"].items() if "default" not in value] == []

    def test_no_key_is_a_declared_secret(self) -> None:
        """Pulumi wants a declared secret encrypted even when it is an empty default."""
        assert [key for key, value in PROJECT["config"].items() if "secret" in value] == []

    def test_descriptions_are_one_sentence_that_says_something(self) -> None:
        texts = [declaration.description for declaration in DECLARATIONS]
        assert [text for text in texts if not text.endswith(".") or len(text) < 20] == []
        assert len(set(texts)) == len(texts)


class TestDefaults:
    """A stack that says nothing gets what Pulumi.yaml says."""

    def test_defaults_of_the_project_file_load_to_the_same_settings(self) -> None:
        """Pulumi hands every default over as text; the program has the same ones."""
        texts = {key: as_pulumi(value["default"]) for key, value in PROJECT["config"].items()}
        assert load(**texts) == load()

    def test_no_default_is_refused_or_remarked_upon(self) -> None:
        assert load().notices == ()

    def test_keys_are_unique(self) -> None:
        assert len(BY_KEY) == len(DECLARATIONS)


class TestEverySettingIsRead:
    """No declared setting is dropped on its way to the typed settings."""

    OTHER: ClassVar = {
        "target": "aws",
        "environment": "other",
        "serverKind": "gunicorn",
        "authentication": "basic",
        "backendStoreUri": "postgresql://me@db.example/runs",
        "artifactStore": "s3://bucket/path",
        "trackingUri": "http://mlflow.example:5000",
        "registryStoreUri": "postgresql://me@db.example/registry",
        "serverThreads": "7",
        "serverMemoryMib": "777",
        "serverStaticPrefix": "/mlflow",
        "authAdminPassword": "correct horse battery",
        "poolTimeoutSeconds": "31",
        "databaseMaxConnections": "77",
        "secretSource": "external-secrets",
        "kmsKeyDeletionDays": "7",
        "databaseMonitoringIntervalSeconds": "5",
        "databaseMaintenanceDay": "1",
        "serveArtifacts": "false",
    }

    @staticmethod
    def another(declaration: Declaration) -> str:
        match declaration.kind:
            case "integer":
                return "3" if declaration.derived else str(int(str(declaration.default)) + 1)
            case "boolean":
                return "false" if declaration.default else "true"
            case "array":
                return '["other"]'
            case "string" if declaration.choices:
                return next(c for c in reversed(declaration.choices) if c != declaration.default)
            case "string":
                return "other"

    @pytest.mark.parametrize("declaration", DECLARATIONS, ids=lambda item: item.key)
    def test_another_value_changes_the_settings(self, declaration: Declaration) -> None:
        def settings(**values: str) -> PlatformSettings:
            return derive(parse(values, {}), stack="local", cores=2)[0]

        text = self.OTHER.get(declaration.key) or self.another(declaration)
        assert settings(**{declaration.key: text}) != settings()


class TestTypedSettings:
    """The typed settings are plain values that nobody can change."""

    def test_frozen_slotted_and_of_named_types(self) -> None:
        for name, hint in get_type_hints(PlatformSettings).items():
            if not dataclasses.is_dataclass(hint):
                continue
            part = getattr(load(), name)
            assert not hasattr(part, "__dict__")
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(part, dataclasses.fields(part)[0].name, None)

    def test_no_password_in_the_representation(self) -> None:
        settings = load(
            backendStoreUri="postgresql://me:hush-hush-hush@db.example/runs",
            authentication="basic",
            authAdminPassword="correct horse battery",
            serverKind="gunicorn",
        )
        assert settings.database.password == "hush-hush-hush"
        assert settings.authentication.admin_password == "correct horse battery"
        assert "hush" not in repr(settings)
        assert "horse" not in repr(settings)
