"""Loading settings in a test: a small machine, no environment, problems as lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from infra.settings import PlatformSettings, SettingsError, load_settings

CORES = 2


def load(
    *,
    stack: str = "local",
    environ: Mapping[str, str] | None = None,
    cores: int = CORES,
    encrypted: Collection[str] | None = None,
    **values: str,
) -> PlatformSettings:
    """The settings of a stack with these values."""
    return load_settings(
        values, stack=stack, environ=environ or {}, cores=cores, encrypted=encrypted
    )


def problems(
    *,
    stack: str = "local",
    environ: Mapping[str, str] | None = None,
    encrypted: Collection[str] | None = None,
    **values: str,
) -> list[str]:
    """What is wrong with these values; nothing when they load."""
    try:
        load(stack=stack, environ=environ, encrypted=encrypted, **values)
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []
