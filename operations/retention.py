"""`retention`: runs older than so many days deleted for good, with their artifacts.

Owns the order: choose, weigh, show; and only when the stack's name is given choose again, archive,
delete, look whether anything is left. Without it nothing is changed.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from datetime import UTC, datetime

from operations.archive.locations import name_below
from operations.archive.stores import Store, open_store
from operations.backup import DatabaseAccess, login_of, platform_of, whole_number
from operations.confirmation import add_confirmation, require_confirmation
from operations.database_login import DatabaseLogin, add_database_arguments
from operations.place import Place
from operations.report import Report
from operations.retention_archive import Archive, PutAway, refuse_overlap
from operations.retention_plan import (
    KEEP_TAG,
    MILLISECONDS_PER_DAY,
    Run,
    Selection,
    read_facts,
    select,
)
from operations.retention_report import RetentionReport, Weight
from smoke_tests.errors import CouldNotLook
from smoke_tests.stack_target import PROJECT_DIRECTORY

DAYS = 90
LONGEST_DAYS = 36_500
AT_ONCE = 200
"""Runs that one process deletes: a failure loses the count of no more."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add("--days", metavar="N", default=str(DAYS), help=f"older than N days (default: {DAYS})")
    add(
        "--archive",
        metavar="PLACE",
        help="first copy each run there and read it back: a path, s3://bucket/… or gs://bucket/…",
    )
    add(
        "--registered-too",
        action="store_true",
        help="take runs, too, that versions of registered models were made from: those versions "
        "can then not be loaded any more",
    )
    add_confirmation(parser)
    add_database_arguments(parser)


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Choose and weigh; with the stack's name, archive and delete.

    Raises:
        CouldNotLook: an argument is not allowed, or the stack cannot be reached.
    """
    days = _days(arguments.days)
    outputs = platform_of(place)
    port = arguments.database_port
    access = DatabaseAccess(
        host=arguments.database_host,
        port=None if port is None else whole_number("--database-port", port, largest=65_535),
    )
    login = login_of(place, access)
    artifacts = open_store(outputs.artifact_root, place.environ, setting="output artifactRoot")
    archive = (
        open_store(arguments.archive, place.environ, setting="--archive")
        if arguments.archive
        else None
    )
    if archive is not None:
        refuse_overlap(archive, artifacts, str(place.stack))
    before = int(place.clock.epoch() * 1000) - days * MILLISECONDS_PER_DAY
    report = _chosen(place, login, artifacts, arguments, days, before)
    if arguments.confirm is None or not report.selection.go:
        return report
    for line in report.plan():
        place.show(line)
    require_confirmation(
        place, arguments.confirm, f"it deletes {len(report.selection.go):,} runs for good"
    )
    # What became true while somebody read the plan speaks for a run, too.
    report = _chosen(place, login, artifacts, arguments, days, before)
    put = _archived(place, login, artifacts, archive, report.selection) if archive else ()
    gone = _removed(place, login, report.selection.go)
    left = _left(artifacts, [run for run in report.selection.go if run.run_id in gone])
    return report.done(gone, put, left)


def _chosen(
    place: Place,
    login: DatabaseLogin,
    artifacts: Store,
    arguments: argparse.Namespace,
    days: int,
    before: int,
) -> RetentionReport:
    place.progress("reading runs")
    facts = read_facts(login, before=before)
    selection = select(facts, before=before, registered_too=arguments.registered_too)
    weights: dict[str, Weight | None] = {}
    for number, one in enumerate(selection.go, start=1):
        place.progress(f"weighing run {number:,} of {len(selection.go):,}")
        weights[one.run_id] = _weigh(artifacts, one)
    return RetentionReport(
        stack=str(place.stack),
        days=days,
        archive=arguments.archive,
        command=_again(place, arguments),
        selection=selection,
        weights=weights,
    )


def _again(place: Place, arguments: argparse.Namespace) -> str:
    """The command that does what was shown: with every option that was given."""
    stack = str(place.stack)
    words = ["python", "-m", "operations", "retention", "--stack", stack, "--days", arguments.days]
    for option in ("archive", "database_host", "database_port"):
        if (value := getattr(arguments, option)) is not None:
            words += [f"--{option.replace('_', '-')}", value]
    words += ["--registered-too"] if arguments.registered_too else []
    return shlex.join([*words, "--confirm", stack])


def _weigh(artifacts: Store, run: Run) -> Weight | None:
    names = [name_below(artifacts.uri, uri) for uri in run.artifact_uris if uri]
    if None in names:
        return None
    sizes = [item.size_bytes for name in names for item in artifacts.list(f"{name}/")]
    return Weight(files=len(sizes), size_bytes=sum(sizes))


def _archived(
    place: Place, login: DatabaseLogin, artifacts: Store, archive: Store, selection: Selection
) -> tuple[PutAway, ...]:
    """Every run in the archive; the first that cannot be put there ends it before any deletion."""
    now = datetime.fromtimestamp(place.clock.epoch(), UTC).isoformat(timespec="seconds")
    shelf = Archive(
        place=archive,
        artifacts=artifacts,
        stack=str(place.stack),
        now=now,
        progress=place.progress,
    )
    with login.asked() as connection:
        return tuple(shelf.put(connection, one) for one in selection.go)


def _removed(place: Place, login: DatabaseLogin, runs: tuple[Run, ...]) -> tuple[str, ...]:
    gone: list[str] = []
    for start in range(0, len(runs), AT_ONCE):
        place.progress(f"deleting runs: {start:,} of {len(runs):,}")
        gone += _remove(place, login, runs[start : start + AT_ONCE])
    return tuple(gone)


def _remove(place: Place, login: DatabaseLogin, runs: tuple[Run, ...]) -> list[str]:
    """One process that deletes some runs; passwords go to it by its environment."""
    asked = {
        "backend": f"postgresql+psycopg://{login.user}@{login.host}:{login.port}/{login.name}",
        "tracking_uri": place.target.uri,
        "run_ids": [run.run_id for run in runs],
        "models": {run.run_id: [model.model_id for model in run.models] for run in runs},
    }
    done = subprocess.run(
        [sys.executable, "-m", "operations.retention_removal"],
        cwd=PROJECT_DIRECTORY,
        env={**os.environ, **place.environ, **login.libpq_environment(), **_server_login(place)},
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=False,
    )
    gone = done.stdout.decode().split()
    if done.returncode != 0:
        said = place.masker.foreign(done.stderr.decode("utf-8", "replace")).strip().splitlines()
        raise CouldNotLook(
            f"MLflow could not delete a run ({said[-1] if said else 'no message'}): {len(gone):,} "
            "of this batch are gone with their artifacts, the others are still there; mend that, "
            "and run the command again"
        )
    return gone


def _server_login(place: Place) -> dict[str, str]:
    """How the process that deletes files through the server signs in there."""
    outputs = place.outputs
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    if outputs and outputs.auth_admin_username and outputs.auth_admin_password:
        environment["MLFLOW_TRACKING_USERNAME"] = outputs.auth_admin_username
        environment["MLFLOW_TRACKING_PASSWORD"] = outputs.auth_admin_password
    return environment


def _left(artifacts: Store, runs: list[Run]) -> tuple[str, ...]:
    """Files of deleted runs that are still there."""
    names = [name_below(artifacts.uri, uri) for run in runs for uri in run.artifact_uris if uri]
    return tuple(item.name for name in names if name for item in artifacts.list(f"{name}/"))


def _days(written: str) -> int:
    if not written.isdecimal() or not 1 <= int(written) <= LONGEST_DAYS:
        raise CouldNotLook(
            f"--days is {written!r}: give a whole number from 1 to {LONGEST_DAYS}; runs that shall "
            f"stay whatever their age get the tag {KEEP_TAG}"
        )
    return int(written)
