"""The command line of the control plane: build, up, down, status."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from simulated_cloud.kubernetes import RELEASE, schema_extract
from simulated_cloud.kubernetes.control_plane import ControlPlane, ControlPlaneError
from simulated_cloud.kubernetes.control_plane_build import (
    BuildError,
    build,
    is_built,
    programs_folder,
)

STATE = Path(".state/kubernetes")

_DESCRIPTION = f"""\
A real Kubernetes {RELEASE} control plane on this machine: API server, controllers, scheduler and
etcd, built from their Go modules; nodes and pods are simulated by kwok. Exit 0: done, or it runs.
1: it does not run (status). 2: it cannot be had here, or did not start.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _parser().parse_args(arguments)
    plane = ControlPlane(options.state.resolve())
    try:
        return int(options.run(plane, options))
    except (BuildError, ControlPlaneError) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _build(plane: ControlPlane, options: argparse.Namespace) -> int:
    del plane, options
    programs = programs_folder()
    if not is_built(programs):
        _say(f"Building Kubernetes {RELEASE}, etcd and kwok (about six minutes on two cores)")
        started = time.monotonic()
        build(programs)
        _say(f"Built in {time.monotonic() - started:.0f} s")
    return 0


def _up(plane: ControlPlane, options: argparse.Namespace) -> int:
    _build(plane, options)
    started = time.monotonic()
    was_up = plane.is_up()
    plane.start()
    how = "runs already" if was_up else f"started in {time.monotonic() - started:.1f} s"
    memory = sum(plane.memory_mib().values())
    _say(
        f"Kubernetes {RELEASE} {how}, {memory} MiB; "
        "`python -m simulated_cloud.kubernetes down` ends it"
    )
    sys.stdout.write(f"export SIMULATED_KUBECONFIG={plane.kubeconfig}\n")
    return 0


def _down(plane: ControlPlane, options: argparse.Namespace) -> int:
    del options
    _say("stopped" if plane.stop() else "was not running")
    return 0


def _status(plane: ControlPlane, options: argparse.Namespace) -> int:
    up = plane.is_up()
    memory = plane.memory_mib()
    if options.json:
        document = {
            "up": up,
            "release": RELEASE,
            "kubeconfig": str(plane.kubeconfig) if up else None,
            "memory_mib": memory,
        }
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        sys.stdout.write(f"Kubernetes {RELEASE} {'is up' if up else 'is not up'}\n")
        for name, mib in memory.items():
            sys.stdout.write(f"  {name:<24} {mib:>5} MiB\n")
    return 0 if up else 1


def _schemas(plane: ControlPlane, options: argparse.Namespace) -> int:
    del plane
    schema_extract.write(options.swagger)
    _say(f"wrote {schema_extract.SCHEMAS}")
    return 0


def _say(line: str) -> None:
    # Not on standard output: that is for the shell to evaluate.
    sys.stderr.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulated_cloud.kubernetes",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    for name, run, words in (
        ("build", _build, "build the programs, unless they are built"),
        ("up", _up, "build and start it, and print the variable that leads the provider to it"),
        ("down", _down, "stop it; everything in it is gone"),
        ("status", _status, "say whether it runs; exit 1 when it does not"),
        ("schemas", _schemas, "cut the provider's schemas out of Kubernetes' swagger.json anew"),
    ):
        verb = verbs.add_parser(name, help=words, description=f"{words}.")
        verb.set_defaults(run=run)
        verb.add_argument(
            "--state", type=Path, default=STATE, metavar="DIR", help=f"its folder ({STATE})"
        )
        if name == "schemas":
            verb.add_argument("swagger", type=Path, metavar="FILE", help="the swagger.json")
        if name == "status":
            verb.add_argument("--json", action="store_true", help="print JSON")
    return parser
