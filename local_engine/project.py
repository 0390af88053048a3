"""The project: Pulumi.yaml with its typed `config:` declarations.

Owns finding the file, checking it, and merging its defaults into a stack's configuration with the
rules and the words of Pulumi's CLI, so that a configuration one engine takes is taken by the other.
What the settings mean to the platform is `infra.settings`' business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from local_engine.errors import EngineError
from local_engine.json_shapes import table
from local_engine.stack_config import ConfigValue
from local_engine.yaml_reader import read_mapping

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_TYPES = ("string", "integer", "boolean", "array", "object")


@dataclass(frozen=True)
class ConfigDeclaration:
    """One key under `config:` of Pulumi.yaml."""

    key: str  # as the user wrote it
    type: str | None = None
    items: Mapping[str, Any] | None = None
    default: Any = None
    value: Any = None
    secret: bool = False
    description: str = ""

    @property
    def type_name(self) -> str:
        """The type as Pulumi prints it, such as `array<string>`."""
        return _full_type_name(self.type or "", self.items)


@dataclass(frozen=True)
class Project:
    """What the engine needs from Pulumi.yaml."""

    name: str
    root: Path
    runtime: str
    description: str = ""
    config: tuple[ConfigDeclaration, ...] = ()
    backend_url: str = ""
    stack_config_dir: str = ""
    runtime_options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def file(self) -> Path:
        """Where the project was read from."""
        return self.root / "Pulumi.yaml"

    def stack_file(self, stack: str) -> Path:
        """Where the configuration of `stack` stands."""
        return self.root / self.stack_config_dir / f"Pulumi.{stack}.yaml"

    def qualify(self, key: str) -> str:
        """Return `key` with the project's name as its namespace, unless it has one."""
        return key if ":" in key else f"{self.name}:{key}"


def find_project(start: Path) -> Project:
    """Read the Pulumi.yaml of `start` or of the nearest folder above it."""
    start = start.resolve()
    for folder in (start, *start.parents):
        for name in ("Pulumi.yaml", "Pulumi.yml"):
            if (folder / name).is_file():
                return load_project(folder / name)
    raise EngineError(
        f"No Pulumi.yaml in {start} or a folder above it: run the command inside the project, "
        "or name its folder with --cwd."
    )


def load_project(file: Path) -> Project:
    """Read and check one Pulumi.yaml."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"{file} could not be read: {error}.") from None
    raw = read_mapping(text, str(file))
    name = raw.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise EngineError(
            f"`name` in {file} is {name!r}: it must be text of letters, digits, '-', '_' and '.'."
        )
    runtime, options = _runtime(raw.get("runtime"), file)
    if raw.get("main"):
        raise EngineError(
            f"`main` in {file} is set: this engine runs __main__.py of the project folder alone; "
            "remove it, or use the Pulumi CLI."
        )
    declared = raw.get("config")
    # `config: <folder>` is how stackConfigDir was spelled once; Pulumi still takes it.
    config_dir = declared if isinstance(declared, str) else raw.get("stackConfigDir") or ""
    if declared is not None and not isinstance(declared, str | dict):
        raise EngineError(f"`config` in {file} must be a mapping of keys to declarations.")
    return Project(
        name=name,
        root=file.parent,
        runtime=runtime,
        description=str(raw.get("description") or ""),
        config=tuple(
            _declaration(name, key, value, file) for key, value in table(declared).items()
        ),
        backend_url=str(table(raw.get("backend")).get("url") or ""),
        stack_config_dir=str(config_dir),
        runtime_options=options,
    )


def merge_project_config(
    project: Project, stack: str, values: Mapping[str, ConfigValue], *, validate: bool = True
) -> dict[str, ConfigValue]:
    """Return the stack's configuration with the project's defaults, checked against its types.

    Raises:
        EngineError: a declared key has no value, or one of another type; Pulumi's own sentence.
    """
    merged = dict(values)
    missing: list[str] = []
    for declaration in sorted(project.config, key=lambda entry: entry.key):
        key = project.qualify(declaration.key)
        if key in merged:
            continue
        given = declaration.default if declaration.default is not None else declaration.value
        if given is not None:
            merged[key] = ConfigValue(given)
        elif key.startswith(f"{project.name}:"):
            missing.append(declaration.key)
    if not validate:
        return merged
    if missing:
        word = "value" if len(missing) == 1 else "values"
        raise EngineError(
            f"Stack '{stack}' is missing configuration {word} {_listed(missing)}: "
            f"set it in {project.stack_file(stack).name}."
        )
    for declaration in sorted(project.config, key=lambda entry: entry.key):
        if declaration.type is None:
            continue
        value = merged[project.qualify(declaration.key)]
        if declaration.secret and not value.secret:
            raise EngineError(
                f"Stack '{stack}' with configuration key '{declaration.key}' must be encrypted as "
                f"it's secret: run `config set --secret {declaration.key}`."
            )
        if not fits(declaration.type, declaration.items, value.plain()):
            raise EngineError(
                f"Stack '{stack}' with configuration key '{declaration.key}' must be of type "
                f"'{declaration.type_name}': correct it in {project.stack_file(stack).name}."
            )
    return merged


def fits(type_name: str, items: Mapping[str, Any] | None, value: Any) -> bool:
    """Tell whether `value` is of a declared type; text that reads as one is, as in Pulumi."""
    if type_name == "string":
        return isinstance(value, str)
    if type_name == "integer":
        if isinstance(value, bool):
            return False
        if isinstance(value, str):
            return re.fullmatch(r"[-+]?[0-9]+", value) is not None
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if type_name == "boolean":
        return isinstance(value, bool) or value in ("true", "false")
    if type_name == "object":
        return isinstance(value, dict)
    if not isinstance(value, list) or items is None:
        return False
    inner = cast("Mapping[str, Any] | None", items.get("items"))
    return all(fits(str(items.get("type")), inner, item) for item in cast("list[Any]", value))


def _runtime(raw: object, file: Path) -> tuple[str, dict[str, Any]]:
    options: dict[str, Any] = {}
    name: object = raw
    if isinstance(raw, dict):
        name = table(raw).get("name")
        options = table(table(raw).get("options"))
    if name != "python":
        raise EngineError(
            f"`runtime` in {file} is {name!r}: this engine runs Python programs only; "
            "use the Pulumi CLI for others."
        )
    return "python", options


def _declaration(project: str, key: str, raw: Any, file: Path) -> ConfigDeclaration:
    own = ":" not in key or key.startswith(f"{project}:")
    if isinstance(raw, str | int | bool | list):
        raw = {"default" if own else "value": cast("Any", raw)}
    if raw is not None and not isinstance(raw, dict):
        raise EngineError(f"`config.{key}` in {file} must be a mapping such as `type: string`.")
    given = table(raw)
    unknown = sorted(set(given) - {"type", "description", "items", "default", "value", "secret"})
    if unknown:
        raise EngineError(
            f"`config.{key}` in {file} has the unknown attribute '{unknown[0]}': "
            "type, description, items, default, value and secret are allowed."
        )
    declaration = ConfigDeclaration(
        key=key,
        type=given.get("type"),
        items=given.get("items"),
        default=given.get("default"),
        value=given.get("value"),
        secret=bool(given.get("secret", False)),
        description=str(given.get("description") or ""),
    )
    problem = _problem(declaration, own=own)
    if problem:
        raise EngineError(f"`config.{key}` in {file} {problem}.")
    return declaration


def _problem(entry: ConfigDeclaration, *, own: bool) -> str:
    """Return what Pulumi's CLI would refuse in a declaration, or nothing."""
    if entry.default is not None and entry.value is not None:
        return "cannot have both a 'default' and a 'value'"
    if not own:
        if entry.type is not None:
            return "is not namespaced by the project and should not define a type"
        if entry.default is not None:
            return "is not namespaced by the project: use 'value' instead of 'default'"
        return "" if entry.value is not None else "is namespaced and must provide a 'value'"
    if entry.type is None:
        return ""
    if entry.type not in _TYPES:
        return f"has the type '{entry.type}': {', '.join(_TYPES)} are allowed"
    if entry.type == "array" and entry.items is None:
        return "is an array and must say of what, with 'items'"
    if entry.default is not None and not fits(entry.type, entry.items, entry.default):
        return f"has a default that is not of the type '{entry.type_name}'"
    return ""


def _full_type_name(name: str, items: Mapping[str, Any] | None) -> str:
    if items is None:
        return name
    return f"array<{_full_type_name(str(items.get('type')), items.get('items'))}>"


def _listed(keys: list[str]) -> str:
    quoted = [f"'{key}'" for key in keys]
    if len(quoted) == 1:
        return quoted[0]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def config_strings(values: Mapping[str, ConfigValue]) -> dict[str, str]:
    """Return the configuration as the program receives it: text, objects as JSON."""
    return {key: value.text() for key, value in values.items()}
