"""The settings of a stack, as its program reads them.

Owns asking the engine for the stack's configuration and handing it to `infra.settings`, which
knows what it means. Passwords are among the answer: the masker learns them first.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infra.settings import PlatformSettings, SettingsError, load_settings
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import as_document, find_text
from smoke_tests.masking import Masker
from smoke_tests.stack_target import PROJECT_DIRECTORY, ask_engine

_PREFIX = "mlflow-platform:"


def read_settings(
    name: str,
    *,
    environ: Mapping[str, str],
    masker: Masker,
    project_directory: Path = PROJECT_DIRECTORY,
) -> PlatformSettings:
    """The settings of a stack, checked and with everything derived.

    Raises:
        CouldNotLook: the engine refuses, or the program would refuse the settings.
    """
    document = ask_engine(
        name,
        "config",
        "--json",
        "--show-secrets",
        environ=environ,
        masker=masker,
        project_directory=project_directory,
    )
    values: dict[str, str] = {}
    for key, entry in document.items():
        value = find_text(as_document(entry), "value")
        if key.startswith(_PREFIX) and value is not None:
            values[key.removeprefix(_PREFIX)] = value
            if (as_document(entry) or {}).get("secret") is True:
                masker.remember(value)
    try:
        settings = load_settings(values, stack=name, environ=environ)
    except SettingsError as error:
        raise CouldNotLook(
            f"the settings of stack {name!r} cannot be read: {masker.foreign(str(error))}"
        ) from None
    masker.remember(settings.database.password, settings.authentication.admin_password)
    return settings
