"""supervisord's configuration on disk: where its files lie and what stands in them.

Owns the text of `supervisord.conf` and of one file per program, and the place of the socket. It
starts nothing. supervisord expands `%(…)s` and cuts comments at ` ;` and ` #` in every value, so
paths are escaped here, and the few that cannot be are refused with a sentence.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import tempfile
from pathlib import Path

from infra.local.errors import LocalPlatformError
from infra.local.layout import PROJECT_DIRECTORY, Layout, interpreter
from infra.local.program import Program

SOCKET_PATH_LIMIT = 90
"""A Unix socket's path has 107 usable bytes; supervisord first binds `<path>.<process id>`."""

LOG_BYTES = 10 * 1024 * 1024
LOG_BACKUPS = 5


def socket_path(layout: Layout) -> Path:
    """Where supervisord listens: in the stack's folder, or in a short one when that is too long.

    The short folder is named after the long one and lies in `/tmp` rather than in a session's
    runtime directory: that one vanishes when its user logs out, and the platform stays.
    """
    natural = layout.run / "supervisor.sock"
    if len(os.fsencode(natural)) <= SOCKET_PATH_LIMIT:
        return natural
    name = hashlib.sha256(os.fsencode(layout.root)).hexdigest()[:12]
    directory = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())  # noqa: S108 - see require_private
    return directory / f"mlflow-platform-{os.getuid()}-{name}" / "supervisor.sock"


def require_private(directory: Path) -> None:
    """Make the socket's folder; refuse one that another user could have put there.

    Raises:
        LocalPlatformError: it exists and is not this user's alone.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    if not private or found.st_uid != os.getuid():
        raise LocalPlatformError(
            f"{directory} exists and does not belong to you alone, so the supervisor's socket "
            "cannot be put there: remove it, or move the checkout to a shorter path"
        )


def supervisord_text(layout: Layout) -> str:
    """`supervisord.conf` for the stack."""
    user = "user=root\n" if os.getuid() == 0 else ""  # says that it is meant
    return (
        "; Written by `make up`; changes here are overwritten.\n"
        "[unix_http_server]\n"
        f"file={_value(socket_path(layout))}\n"
        "chmod=0700\n"
        "\n"
        "[supervisord]\n"
        f"logfile={_value(layout.logs / 'supervisord.log')}\n"
        f"logfile_maxbytes={LOG_BYTES}\n"
        f"logfile_backups={LOG_BACKUPS}\n"
        f"pidfile={_value(layout.run / 'supervisord.pid')}\n"
        f"childlogdir={_value(layout.logs)}\n"
        "umask=077\n"
        f"{user}"
        "\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        "\n"
        # For a person: `supervisorctl -c <this file> status`.
        "[supervisorctl]\n"
        f"serverurl=unix://{_value(socket_path(layout))}\n"
        "\n"
        "[include]\n"
        # Relative to this file: an absolute path with a space would be two patterns.
        "files=programs/*.conf\n"
    )


def program_text(program: Program, definition: Path, layout: Layout) -> str:
    """The configuration file of one program: how to keep it alive, and nothing it knows."""
    command = shlex.join([interpreter(), "-m", "infra.local.launcher", str(definition)])
    whole_group = "true" if program.signal_whole_group else "false"
    return (
        f"[program:{program.name}]\n"
        f"command={_value(command)}\n"
        f"directory={_value(PROJECT_DIRECTORY)}\n"
        # `up` starts programs in their order, after the database was migrated.
        "autostart=false\n"
        "autorestart=true\n"
        f"startsecs={program.settle_seconds}\n"
        # Never give up: each failed start waits a second longer than the one before.
        "startretries=1000000\n"
        f"stopsignal={program.stop_signal}\n"
        f"stopwaitsecs={program.stop_seconds}\n"
        f"stopasgroup={whole_group}\n"
        f"killasgroup={whole_group}\n"
        "redirect_stderr=true\n"
        # supervisord expands this one value twice.
        f"stdout_logfile={_value(_value(log_path(program.name, layout)))}\n"
        f"stdout_logfile_maxbytes={LOG_BYTES}\n"
        f"stdout_logfile_backups={LOG_BACKUPS}\n"
    )


def log_path(program_name: str, layout: Layout) -> Path:
    """Where a program's output goes."""
    return layout.logs / f"{program_name}.log"


def unusable_path(path: Path) -> str | None:
    """Why supervisord's configuration cannot hold `path`; None when it can."""
    text = str(path)
    for mark in (" ;", " #", "\t;", "\t#", "\n", "\r"):
        if mark in text:
            return f"it contains {mark!r}, which supervisord's configuration cannot hold"
    return None


def _value(value: Path | str) -> str:
    return str(value).replace("%", "%%")
