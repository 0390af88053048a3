"""`python -m smoke_tests`: parse, look, render, exit.

Owns the order of things: arguments, stack, address, credentials, connection, stages, reports.
Whatever keeps the check from looking ends here in one sentence on stderr and exit code 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO, cast

from smoke_tests.arguments import Arguments, parse_arguments
from smoke_tests.authentication import AuthenticationOptions
from smoke_tests.clean_up import CLEAN_UP
from smoke_tests.connecting import choose_target, open_door
from smoke_tests.errors import CouldNotLook
from smoke_tests.four_stages import FOUR_STAGES
from smoke_tests.masking import Masker
from smoke_tests.retrying import Clock
from smoke_tests.runner import Listener, Report, run_stages
from smoke_tests.target import Target
from smoke_tests.terminal import Terminal
from smoke_tests.text_report import QuietReport, TextReport
from smoke_tests.visit import DEFAULT_EXPERIMENT, begin_visit

if TYPE_CHECKING:
    from infra.outputs import PlatformOutputs

COULD_NOT_LOOK = 2


def main(
    argv: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
    clock: Clock | None = None,
) -> int:
    """Run the command and return its exit code."""
    environ = os.environ if environ is None else environ
    out = cast("TextIO", sys.stdout) if stdout is None else stdout
    errors = Terminal(cast("TextIO", sys.stderr) if stderr is None else stderr, environ)
    masker = Masker()
    try:
        arguments = parse_arguments(sys.argv[1:] if argv is None else argv, environ)
    except CouldNotLook as problem:
        errors.write(f"error: {problem}")
        return COULD_NOT_LOOK
    try:
        text = None if arguments.json else TextReport(Terminal(out, environ), masker)
        result = _look_or_say_why(arguments, environ, clock or Clock(), masker, text)
        if isinstance(result, CouldNotLook):
            errors.write(f"error: {masker.report(str(result))}")
        elif text is not None:
            text.end(result)
        if arguments.json:
            from smoke_tests.machine_reports import to_json

            out.write(to_json(result, masker) + "\n")
            out.flush()
    except KeyboardInterrupt:
        errors.write("Interrupted: the check did not begin.")
        return COULD_NOT_LOOK
    except BrokenPipeError:
        # Whoever read the report went away; Python must not complain about that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return COULD_NOT_LOOK
    if arguments.junit is not None:
        from smoke_tests.machine_reports import write_junit

        try:
            write_junit(result, arguments.junit, masker)
        except OSError as error:
            errors.write(
                f"error: --junit is {str(arguments.junit)!r}: it cannot be written "
                f"({error.strerror}); name a file that this user may write"
            )
            return COULD_NOT_LOOK
    return COULD_NOT_LOOK if isinstance(result, CouldNotLook) else result.exit_code


def look(
    arguments: Arguments,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    masker: Masker,
    text: TextReport | None,
) -> Report:
    """Run the stages as the arguments say; the whole check without its reports at the end.

    Raises:
        CouldNotLook: address or credentials are missing.
    """
    target, stack = _find_target(arguments, environ, masker)
    door = open_door(
        target,
        outputs=stack,
        options=AuthenticationOptions(
            kind=arguments.authentication,
            token_variable=arguments.token_variable,
            google_audience=arguments.google_audience,
            aws_service=arguments.aws_service,
            aws_region=arguments.aws_region,
            stack_username=None if stack is None else stack.auth_admin_username,
            stack_password=None if stack is None else stack.auth_admin_password,
        ),
        patience=arguments.patience,
        environ=environ,
        clock=clock,
        masker=masker,
    )
    listener: Listener = QuietReport() if text is None else text
    server, connection = door.connect(listener.waiting)
    experiment = arguments.experiment or (stack.experiment_name if stack else DEFAULT_EXPERIMENT)
    visit = begin_visit(server, clock=clock, experiment_name=experiment)
    if text is not None:
        text.begin(target.uri)
    try:
        return run_stages(
            visit,
            FOUR_STAGES,
            afterwards=(CLEAN_UP,) if arguments.cleanup else (),
            listener=listener,
            masker=masker,
        )
    finally:
        connection.close()


def _look_or_say_why(
    arguments: Arguments,
    environ: Mapping[str, str],
    clock: Clock,
    masker: Masker,
    text: TextReport | None,
) -> Report | CouldNotLook:
    try:
        return look(arguments, environ=environ, clock=clock, masker=masker, text=text)
    except CouldNotLook as problem:
        return problem


def _find_target(
    arguments: Arguments, environ: Mapping[str, str], masker: Masker
) -> tuple[Target, PlatformOutputs | None]:
    stack = None
    if arguments.stack is not None:
        from smoke_tests.stack_target import read_stack

        stack = read_stack(arguments.stack, environ=environ, masker=masker)
    target = choose_target(
        ("TRACKING_URI", arguments.tracking_uri),
        (f"output trackingUri of stack {arguments.stack}", stack and stack.tracking_uri),
        ("MLFLOW_TRACKING_URI", environ.get("MLFLOW_TRACKING_URI")),
        masker=masker,
        otherwise=CouldNotLook(
            "no tracking URI: give one as an argument, name a stack with --stack, or set "
            "MLFLOW_TRACKING_URI"
        ),
    )
    return target, stack
