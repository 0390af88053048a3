"""A process that has the embedded engine imported and runs its command line in forks of itself.

Owns nothing but the saving of start-up time: a fork calls the CLI's own `main` with arguments,
environment, working directory and output files of its own, just as a fresh interpreter would.
Requests come as JSON lines on standard input; answers (the exit code) go to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any


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
            print(exit_.code, file=sys.stderr)
            return 1
        return exit_.code or 0


def redirect(source: int, target: int) -> None:
    """Make `target` the file that `source` is."""
    os.dup2(source, target)
    os.close(source)


def main() -> None:
    """Import what every command needs, then serve until standard input ends."""
    import grpc
    import pulumi
    import pulumi.dynamic
    import pulumi.runtime.proto

    import local_engine.cli

    del grpc, pulumi, local_engine
    for line in sys.stdin:
        print(run(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
