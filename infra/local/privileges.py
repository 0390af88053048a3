"""Which user PostgreSQL runs as: it refuses to run as root, and needs to reach its files.

Owns the choice of the user and the command prefix (`setpriv`) that becomes it. An ordinary user
runs PostgreSQL as themselves. Root drops to `localServiceUser`, else `postgres`, else `nobody`.

A checkout often lies where that user may not look (`/root`). The user's folders are never opened
up for it: the process keeps one capability instead, to search folders and read files
(CAP_DAC_READ_SEARCH; CAP_DAC_OVERRIDE where the machine grants only that), and gives up every
other one. Only PostgreSQL is dropped: the MLflow server runs as whoever deploys, because it is
that person's artifacts, credentials and Python environment that it works with.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalPlatformError

CAPABILITIES = ("dac_read_search", "dac_override")
DEFAULT_USERS = ("postgres", "nobody")


@dataclass(frozen=True, kw_only=True, slots=True)
class Privileges:
    """Who a process runs as."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()  # command that becomes that user; empty: the caller's own

    def own(self, path: Path) -> None:
        """Give a file or folder of ours to that user."""
        if self.prefix:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def for_database(service_user: str, must_reach: Sequence[Path]) -> Privileges:
    """Who PostgreSQL runs as, able to reach every path of `must_reach` that exists.

    Raises:
        LocalPlatformError: root, and no way to become a user that reaches its files.
    """
    if os.geteuid() != 0:
        return Privileges(uid=os.geteuid(), gid=os.getegid())
    user = _service_user(service_user)
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise LocalPlatformError(
            "PostgreSQL refuses to run as root and the command `setpriv` (package util-linux), "
            "which drops root's rights, is not installed: install it, or deploy as an ordinary user"
        )
    refused = ""
    for capability in (None, *CAPABILITIES):
        prefix = _prefix(setpriv, user, capability)
        blocked, said = _first_unreachable(prefix, must_reach)
        if blocked is None:
            return Privileges(uid=user.pw_uid, gid=user.pw_gid, prefix=prefix)
        refused = refused or f"{blocked}{said}"
    raise LocalPlatformError(
        f"PostgreSQL refuses to run as root, and the user {user.pw_name} cannot reach {refused}: "
        "deploy as an ordinary user, move the checkout to a folder others may enter, or set "
        "mlflow-platform:localServiceUser to a user that can reach it"
    )


def _service_user(name: str) -> pwd.struct_passwd:
    for candidate in (name,) if name else DEFAULT_USERS:
        try:
            user = pwd.getpwnam(candidate)
        except KeyError:
            continue
        if user.pw_uid != 0:
            return user
    if name:
        raise LocalPlatformError(
            f"mlflow-platform:localServiceUser is {name!r}, which is not a user of this machine "
            "other than root: name an existing ordinary user, or remove the setting"
        )
    raise LocalPlatformError(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody` "
        "to run it as: set mlflow-platform:localServiceUser to an ordinary user of this machine"
    )


def _prefix(setpriv: str, user: pwd.struct_passwd, capability: str | None) -> tuple[str, ...]:
    kept = "-all" if capability is None else f"-all,+{capability}"
    return (
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        f"--bounding-set={kept}",
        f"--inh-caps={kept}",
        f"--ambient-caps={kept}",
        "--no-new-privs",
        "--",
    )


def _first_unreachable(prefix: Sequence[str], paths: Sequence[Path]) -> tuple[Path | None, str]:
    """The first path that the user cannot use although it is there, and what setpriv said.

    A folder must be enterable, and seeing it takes no right on the folder itself: hence its `.`.
    """
    for path in paths:
        if not path.exists():
            continue
        done = subprocess.run(
            [*prefix, "test", "-e", f"{path}/." if path.is_dir() else str(path)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
        )
        if done.returncode != 0:
            said = done.stderr.strip()
            return path, f" ({said})" if said else ""
    return None, ""
