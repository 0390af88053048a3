"""A process that has the embedded engine imported and runs its command line in forks of itself.

Owns nothing but the saving of start-up time: a fork calls the CLI's own `main` with arguments,
environment, working directory and output files of its own, just as a fresh interpreter would.
Requests come as JSON lines on standard input; answers (the exit code) go to standard output.
"""

from __future__ import annotations

import base64
import functools
import gc
import hashlib
import importlib
import json
import os
import pkgutil
import sys
import traceback
from typing import Any

import pulumi.dynamic

import local_engine
from tests.local_engine.conformance.engines import ENCRYPTION_SALT, PASSPHRASE

del pulumi

LATE_IMPORTS = (
    "cryptography.hazmat.primitives.ciphers.aead",
    "grpc._channel",
    "grpc._interceptor",
    "grpc._server",
    "grpc._simple_stubs",
    "grpc.experimental",
)
"""What a command would import only when it needs it."""


def run(request: dict[str, Any]) -> int:
    """Run one command in a fork and return its exit code."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)
    code = 70
    try:
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        redirect(os.open(os.devnull, os.O_RDONLY), 0)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        redirect(os.open(request["stdout"], flags, 0o600), 1)
        redirect(os.open(request["stderr"], flags, 0o600), 2)
        sys.argv = ["local_engine", *request["arguments"]]
        sys.path[0] = request["cwd"]
        code = call_main()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def call_main() -> int:
    """Call the command line as `python -m local_engine` does."""
    from local_engine.cli import main

    try:
        return main() or 0
    except SystemExit as exit_:
        if isinstance(exit_.code, str):
            sys.stderr.write(f"{exit_.code}\n")
            return 1
        return exit_.code or 0


def remember_derived_keys() -> None:
    """Derive the key of the suite's stacks once: a million rounds give the same each time."""
    derive = functools.cache(hashlib.pbkdf2_hmac)
    salt = base64.b64decode(ENCRYPTION_SALT.split(":")[1])
    derive("sha256", PASSPHRASE.encode(), salt, 1_000_000, 32)
    hashlib.pbkdf2_hmac = derive


def redirect(source: int, target: int) -> None:
    """Make `target` the file that `source` is."""
    os.dup2(source, target)
    os.close(source)


def main() -> None:
    """Import what commands and programs need, then serve until standard input ends."""
    for module in pkgutil.walk_packages(local_engine.__path__, "local_engine."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for late in LATE_IMPORTS:
        importlib.import_module(late)
    remember_derived_keys()
    gc.freeze()
    for line in sys.stdin:
        sys.stdout.write(f"{run(json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
