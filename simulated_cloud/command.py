"""The command line of the simulated cloud.

Owns `serve` (in the foreground, until it is told to stop), `run` (one command with a cloud around
it), and `start` and `stop` (in the background, for a shell that runs several). Whoever is to work
on the cloud gets its environment explicitly: nothing is written where an engine would find it by
itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulated_cloud import background

_DESCRIPTION = """\
Clouds on this machine that both Pulumi engines deploy to: AWS (on a moto server), random values.
Everything in them is in memory and ends with the process. No real cloud can be reached from here.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except background.NotRunningError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _serve(options: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    from simulated_cloud.service import running

    with running(options.state) as cloud, background.announced(options.state, cloud.environment):
        _print(cloud.environment, as_json=options.json)
        if not options.json:
            _say(f"The simulated cloud runs until Ctrl-C (process {os.getpid()}).")
        stop.wait()
    return 0


def _run(options: argparse.Namespace) -> int:
    command: list[str] = options.command
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        sys.stderr.write("run needs a command: `… run --state DIR -- pulumi preview`\n")
        return 2
    from simulated_cloud.service import running

    with running(options.state) as cloud:
        environment = {**os.environ, **cloud.environment}
        return subprocess.run(command, env=environment, check=False).returncode


def _start(options: argparse.Namespace) -> int:
    _print(background.start(options.state), as_json=options.json)
    return 0


def _stop(options: argparse.Namespace) -> int:
    _say("stopped" if background.stop(options.state) else "was not running")
    return 0


def _print(environment: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(environment, indent=1) + "\n")
    else:
        for key, value in environment.items():
            sys.stdout.write(f"export {key}={shlex.quote(value)}\n")
    sys.stdout.flush()


def _say(line: str) -> None:
    # Not on standard output: that is for the shell to evaluate.
    sys.stderr.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulated_cloud",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    for name, run, words in (
        ("serve", _serve, "run in the foreground and print the environment that reaches it"),
        ("start", _start, "run in the background (unless it does) and print that environment"),
        ("stop", _stop, "end what `start` started; everything in it is gone"),
        ("run", _run, "run one command with a cloud of its own; exit with the command's code"),
    ):
        verb = verbs.add_parser(name, help=words, description=f"{words}.")
        verb.set_defaults(run=run)
        verb.add_argument(
            "--state", type=Path, required=True, metavar="DIR", help="folder for its files"
        )
        if name in ("serve", "start"):
            verb.add_argument(
                "--json", action="store_true", help="print JSON in place of shell assignments"
            )
        if name == "run":
            verb.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser
