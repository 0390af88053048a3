"""`python -m mlflow_platform_client preflight | config | status | spool`: parse, call, print, exit.

Owns arguments and exit codes: 0 clean, 1 something was found, 2 could not look. What the commands
find is data; `printing` and `--json` show it. Everything printed passes through `mask`.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO, cast

from mlflow_platform_client import spool_commands
from mlflow_platform_client.client_settings import ClientSettings, all_settings
from mlflow_platform_client.configuration import resolve_settings
from mlflow_platform_client.errors import ConfigurationError, StatusFileError
from mlflow_platform_client.printing import Printer

CLEAN, FOUND, COULD_NOT_LOOK = 0, 1, 2


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Run one command and return its exit code."""
    environ = os.environ if environ is None else environ
    printer = Printer(cast("TextIO", sys.stdout) if stdout is None else stdout, environ)
    errors = Printer(cast("TextIO", sys.stderr) if stderr is None else stderr, environ)
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace, Mapping[str, str], Printer], int] = arguments.command
    try:
        return command(arguments, environ, printer)
    except ConfigurationError as error:
        for problem in error.problems:
            errors.line(f"error: {problem}")
        return COULD_NOT_LOOK
    except StatusFileError as error:
        errors.line(f"error: {error}")
        return COULD_NOT_LOOK
    except KeyboardInterrupt:
        errors.line("interrupted")
        return COULD_NOT_LOOK
    except BrokenPipeError:
        # Whoever read the report went away; Python must not complain about that at exit.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT_LOOK


def preflight_command(
    arguments: argparse.Namespace, environ: Mapping[str, str], printer: Printer
) -> int:
    """Rehearse what a training job would do first."""
    from mlflow_platform_client.training_preflight import check_is_a_server, run_preflight

    settings = _settings(arguments, environ)
    check_is_a_server(settings)
    if not arguments.json:
        printer.line(f"Preflight of {settings.tracking_uri}")
    report = run_preflight(
        settings,
        run_name=arguments.run_name,
        restore_deleted_experiment=arguments.restore_deleted_experiment,
        is_rehearsal=True,
        on_finding=(lambda _: None) if arguments.json else printer.finding,
    )
    if arguments.json:
        printer.document(report.as_dict())
    else:
        printer.verdict(report)
    return CLEAN if report.passed else FOUND


def config_show_command(
    arguments: argparse.Namespace, environ: Mapping[str, str], printer: Printer
) -> int:
    """Print each value and where it came from."""
    from mlflow_platform_client.configuration_mlflow import without_a_switch

    settings = _settings(arguments, environ)
    notes = without_a_switch(settings, environ)
    if arguments.json:
        printer.document(_settings_document(settings, notes))
    else:
        printer.settings(settings, notes)
    return CLEAN


def status_show_command(
    arguments: argparse.Namespace, environ: Mapping[str, str], printer: Printer
) -> int:
    """Say what became of a job's tracking."""
    del environ
    from mlflow_platform_client.status_reading import read_tracking_status

    status = read_tracking_status(arguments.path)
    if arguments.json:
        printer.document(status.as_dict())
    else:
        printer.status(status)
    return CLEAN if status.is_tracked else FOUND


def spool_command(
    arguments: argparse.Namespace, environ: Mapping[str, str], printer: Printer
) -> int:
    """What still waits on this machine's disk; `spool_commands` owns it."""
    del environ, printer
    return spool_commands.run(arguments)


def _settings(arguments: argparse.Namespace, environ: Mapping[str, str]) -> ClientSettings:
    chosen: dict[str, object] = {
        "tracking_uri": arguments.tracking_uri,
        "experiment_name": arguments.experiment_name,
    }
    for item in arguments.set:
        name, separator, value = item.partition("=")
        if not separator:
            raise ConfigurationError(f"--set is {item!r}: write --set name=value")
        chosen[_known_setting(name.strip().replace("-", "_"))] = value
    return resolve_settings(
        settings_file=arguments.settings_file,
        stack_outputs=arguments.stack_outputs,
        environ=environ,
        **chosen,
    )


def _known_setting(name: str) -> str:
    names = [item.name for item in all_settings()]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        advice = f"did you mean {near[0]}?" if near else "`config show` lists what there is"
        raise ConfigurationError(f"--set names {name!r}, which is no setting: {advice}")
    return name


def _settings_document(settings: ClientSettings, notes: Sequence[str]) -> dict[str, object]:
    values = {
        item.name: {
            "value": settings.printed(item.name),
            "source": settings.source_of(item.name).origin.value,
            "name_there": settings.source_of(item.name).name,
            "variable": item.variable,
        }
        for item in all_settings()
    }
    return {"schema_version": 1, "settings": values, "notes": list(notes)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mlflow_platform_client", description="Track training jobs reliably."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    preflight = commands.add_parser(
        "preflight",
        help="prove that a training job here would be tracked",
        description="Do what a training job does first, and take the run away again. "
        "Exit 0: training may begin. 1: it must not. 2: could not look.",
    )
    _add_settings(preflight)
    preflight.add_argument("--run-name", help="name of the rehearsal's run", default="preflight")
    preflight.add_argument(
        "--restore-deleted-experiment",
        action="store_true",
        help="bring a deleted experiment of this name back",
    )
    preflight.set_defaults(command=preflight_command)

    config = commands.add_parser("config", help="look at the settings")
    config_commands = config.add_subparsers(required=True, metavar="COMMAND")
    show = config_commands.add_parser("show", help="each value and where it came from")
    _add_settings(show)
    show.set_defaults(command=config_show_command)

    status = commands.add_parser("status", help="look at a job's status files")
    status_commands = status.add_subparsers(required=True, metavar="COMMAND")
    show = status_commands.add_parser("show", help="what became of a job's tracking")
    show.add_argument("path", help="the folder, gs:// or s3:// prefix the job wrote to")
    show.add_argument("--json", action="store_true", help="print JSON")
    show.set_defaults(command=status_show_command)

    spool = commands.add_parser("spool", help="what still waits on this machine's disk")
    spool_commands.add_arguments(spool)
    spool.set_defaults(command=spool_command)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tracking-uri", help="the tracking server's address")
    parser.add_argument("--experiment-name", help="the experiment to write to")
    parser.add_argument(
        "--settings-file", metavar="FILE", help="settings.yaml, as docs/client.md shows it"
    )
    parser.add_argument(
        "--stack-outputs", metavar="FILE", help="JSON of `pulumi stack output --json`"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any other setting"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
