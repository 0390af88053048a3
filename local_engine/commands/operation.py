"""`up`, `preview`, `refresh` and `destroy`: consent, lock, engine, display, state.

Owns the order in which those meet. A preview changes nothing and takes no lock; everything else
holds the stack's lock from before its preview until its history is written.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from local_engine.commands.session import can_ask, locked, open_stack, write
from local_engine.commands.stack import create_stack, forget_stack
from local_engine.errors import EngineError
from local_engine.interruption import cancellable
from local_engine.project import config_strings, merge_project_config
from local_engine.providers_process import start_early
from local_engine.stack_config import ConfigValue
from local_engine.update_history import update_record
from local_engine.workspace import Stack

if TYPE_CHECKING:
    from local_engine.deployment import Kind
    from local_engine.display.progress import Display
    from local_engine.events import Event, UpdateFinished

_NOT_CHANGES = {"same", "read", "discard", "read-replacement"}
_PULUMI_KINDS = {"up": "update", "refresh": "refresh", "destroy": "destroy"}


def up(options: argparse.Namespace) -> int:
    """Deploy the program; a stack that has a YAML and no state yet is made."""
    stack = open_stack(options)
    _require_known(stack)
    return _change(options, stack, "up")


def preview(options: argparse.Namespace) -> int:
    """Show what `up` would do; nothing is written, the stack need not exist."""
    stack = open_stack(options)
    _require_known(stack)
    return _engine(options, stack, "preview", dry=True)


def refresh(options: argparse.Namespace) -> int:
    """Read the resources' real state into the stack's, or only compare."""
    stack = open_stack(options)
    stack.require()
    if options.preview_only:
        return _engine(options, stack, "refresh", dry=True)
    return _change(options, stack, "refresh")


def destroy(options: argparse.Namespace) -> int:
    """Delete the stack's resources."""
    stack = open_stack(options)
    stack.require()
    if options.preview_only:
        return _engine(options, stack, "destroy", dry=True)
    code = _change(options, stack, "destroy")
    if code == 0 and options.remove:
        forget_stack(stack, preserve_config=False)
        write(f"Stack '{stack.name}' has been removed!")
    elif code == 0:
        write(
            f"The resources in the stack have been deleted; to forget the stack itself, run "
            f"`python -m local_engine stack rm {stack.name}`."
        )
    return code


def _require_known(stack: Stack) -> None:
    if not stack.exists and not stack.config.exists:
        raise EngineError(
            f"No stack named '{stack.name}': neither {stack.config.path} nor a state in "
            f"{stack.backend.url} exists; write that file, or run `stack init {stack.name}`."
        )


def _change(options: argparse.Namespace, stack: Stack, kind: Kind) -> int:
    """Run an update under the stack's lock, after the preview and the question it leads to."""
    if not options.yes and not options.skip_preview and not can_ask(options):
        raise EngineError(
            "--yes or --skip-preview or --preview-only must be passed in to proceed when running "
            "in non-interactive mode."
        )
    stack.merged_config(validate=kind == "up")  # a mistake there is told before anything starts
    if not stack.exists:
        create_stack(stack)
        write(f"Created stack '{stack.name}'")
    with locked(stack):
        stack.reload()
        if not options.skip_preview:
            code = _engine(options, stack, kind, dry=True)
            if code != 0:
                return code
            if not options.yes and not _agreed(options, stack, kind):
                write("Confirmation declined: nothing was changed.")
                return 1
        return _engine(options, stack, kind, dry=False)


def _agreed(options: argparse.Namespace, stack: Stack, kind: Kind) -> bool:
    """Ask as Pulumi does; `details` shows the preview again with every property."""
    word = _PULUMI_KINDS[kind]
    while True:
        sys.stdout.write(f"\nDo you want to perform this {word}? [yes/no/details] ")
        sys.stdout.flush()
        answer = sys.stdin.readline().strip().lower()
        if answer in ("y", "yes"):
            return True
        if answer != "details":
            return False
        _engine(_with_details(options), stack, kind, dry=True)


def _with_details(options: argparse.Namespace) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(options), "diff": True})


def _engine(options: argparse.Namespace, stack: Stack, kind: Kind, *, dry: bool) -> int:
    """Load the state, run the engine, show what it does, write the history."""
    # The provider's process takes as long to import Pulumi as the engine does: side by side.
    start_early(stack.project.name, stack.project.root)
    # Deriving the key takes a third of a second and so does importing the engine: do both at once.
    stack.unlock_early()
    # gRPC's own log speaks of connections that end as they should; it must be told before import.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from local_engine import deployment

    merged = stack.merged_config(validate=kind in ("up", "preview"))

    state = stack.state_file()
    request = deployment.UpdateRequest(
        kind=kind,
        dry_run=dry,
        project=stack.project.name,
        stack=stack.name,
        config=config_strings(merged),
        secret_keys={key for key, value in merged.items() if value.secret},
        snapshot=state.load(),
        program_dir=stack.project.root,
        refresh=bool(getattr(options, "refresh", False)),
        parallel=options.parallel or min(32, 4 * (os.cpu_count() or 1)),
    )
    display = _display(options, stack, kind, merged, dry=dry)
    watch = _Watch(display)
    began = time.time()
    failure: EngineError | None = None
    with cancellable(display) as cancel:
        try:
            deployment.run(request, sink=watch, save=state.save, cancel=cancel)
        except EngineError as error:
            failure = error
        finally:
            display.close()
    finished = watch.finished
    succeeded = failure is None and finished is not None and finished.succeeded
    changes = finished.changes if finished is not None else {}
    if not dry and (watch.stepped or succeeded):
        stack.backend.record(
            stack.project.name,
            stack.name,
            update_record(
                stack,
                _PULUMI_KINDS[kind],
                message=options.message,
                began=began,
                changes=changes,
                succeeded=succeeded,
            ),
        )
    if failure is not None:
        sys.stderr.write(f"error: {failure}\n")
        return 1 if watch.stepped else 2
    if not succeeded:
        return 1
    return _expectation(options, changes, dry=dry)


def _expectation(options: argparse.Namespace, changes: Mapping[str, int], *, dry: bool) -> int:
    changed = any(count for op, count in changes.items() if op not in _NOT_CHANGES)
    if not changed or not getattr(options, "expect_no_changes", False):
        return 0
    what = "proposed" if dry else "made"
    sys.stderr.write(f"error: no changes were expected but changes were {what}\n")
    return 1


class _Watch:
    """Passes events on and remembers what the exit code depends on."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self.finished: UpdateFinished | None = None
        self.stepped = False

    def __call__(self, event: Event) -> None:
        from local_engine.events import StepStarted, UpdateFinished

        if isinstance(event, UpdateFinished):
            self.finished = event
        self.stepped = self.stepped or isinstance(event, StepStarted)
        self._display(event)


def _display(
    options: argparse.Namespace,
    stack: Stack,
    kind: Kind,
    merged: Mapping[str, ConfigValue],
    *,
    dry: bool,
) -> Display:
    if getattr(options, "json", False):
        if not dry:
            raise EngineError("--json prints a preview: pass --preview-only with it.")
        from local_engine.preview_json import PreviewDigest

        blind = _blinded(stack, merged)
        return PreviewDigest(
            sys.stdout,
            blind,
            refresh=kind == "refresh",
            suppress_outputs=options.suppress_outputs,
            show_sames=bool(getattr(options, "show_sames", False)),
        )
    from local_engine.display.progress import DiffDisplay, DisplayOptions, PlainDisplay
    from local_engine.display.terminal import Terminal

    shown = DisplayOptions(
        kind=kind,
        stack=stack.name,
        preview=dry,
        suppress_outputs=options.suppress_outputs,
        suppress_progress=options.suppress_progress,
        debug=options.debug,
    )
    terminal = Terminal(
        sys.stdout, os.environ, color=options.color, interactive=not options.non_interactive
    )
    if options.diff:
        return DiffDisplay(shown, terminal)
    if not terminal.live or options.suppress_progress:
        return PlainDisplay(shown, terminal)
    from local_engine.display.tree import TreeDisplay

    return TreeDisplay(shown, terminal)


def _blinded(stack: Stack, merged: Mapping[str, ConfigValue]) -> dict[str, str]:
    """Return the configuration with its secrets hidden, as the digest shows it."""
    encrypted = merge_project_config(stack.project, stack.name, stack.config.values, validate=False)
    return {key: encrypted[key].blinded().text() for key in sorted(merged)}
