"""`stack`: make, choose, show, export, import and forget stacks."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from local_engine.commands.session import confirm, locked, open_stack, open_workspace, table, write
from local_engine.errors import EngineError
from local_engine.json_shapes import rows
from local_engine.json_shapes import table as as_table
from local_engine.stack_outputs import read_outputs, stack_outputs_text
from local_engine.workspace import Stack

if TYPE_CHECKING:
    from local_engine.resource_state import Snapshot


def show(options: argparse.Namespace) -> int:
    """Print what the stack is made of."""
    stack = open_stack(options)
    stack.require()
    latest = _latest(stack)
    manifest = as_table(latest.get("manifest"))
    write(f"Current stack is {stack.name}:")
    write(f"    State: {stack.backend.stack_file(stack.project.name, stack.name)}")
    write(f"    Last updated: {manifest.get('time', 'never')}")
    write(f"    Engine version used: {manifest.get('version', 'unknown')}")
    resources = rows(latest.get("resources"))
    write(f"Current stack resources ({len(resources)}):")
    parts = ((str(raw.get("type")), str(raw.get("urn")).rpartition("::")[2]) for raw in resources)
    table(("TYPE", "NAME"), parts, indent=4)
    write("")
    return _print_outputs(stack, show_secrets=False)


def init(options: argparse.Namespace) -> int:
    """Make an empty stack and select it.

    Raises:
        EngineError: there is one of that name.
    """
    stack = open_stack(options)
    if stack.exists:
        raise EngineError(f"stack '{stack.name}' already exists: select it with `stack select`.")
    create_stack(stack)
    stack.workspace.select(stack.name)
    write(f"Created stack '{stack.name}'")
    return 0


def create_stack(stack: Stack) -> None:
    """Write the state of a stack without resources, as `pulumi stack init` does."""
    from local_engine.resource_state import Snapshot

    with locked(stack):
        stack.reload()
        if not stack.exists:  # another command may have made and deployed it while we waited
            stack.state_file().save(Snapshot())
    stack.reload()


def listing(options: argparse.Namespace) -> int:
    """Print the project's stacks."""
    workspace = open_workspace(options)
    selected = workspace.selected()
    stacks = workspace.backend.stacks(workspace.project.name)
    if options.json:
        entries: list[dict[str, Any]] = []
        for entry in stacks:
            shown: dict[str, Any] = {"name": entry.name, "current": entry.name == selected}
            if entry.last_update:
                shown["lastUpdate"] = entry.last_update
            if entry.resource_count is not None:
                shown["resourceCount"] = entry.resource_count
            entries.append(shown)
        write(json.dumps(entries, indent=2))
        return 0
    table(
        ("NAME", "LAST UPDATE", "RESOURCE COUNT"),
        (
            (
                entry.name + ("*" if entry.name == selected else ""),
                entry.last_update or "n/a",
                "n/a" if entry.resource_count is None else str(entry.resource_count),
            )
            for entry in stacks
        ),
    )
    return 0


def select(options: argparse.Namespace) -> int:
    """Choose the stack that is meant when none is named.

    Raises:
        EngineError: it does not exist and --create was not given.
    """
    stack = open_stack(options)
    if not stack.exists and options.create:
        create_stack(stack)
        write(f"Created stack '{stack.name}'")
    stack.require()
    stack.workspace.select(stack.name)
    return 0


def output(options: argparse.Namespace) -> int:
    """Print all outputs, or one."""
    stack = open_stack(options)
    stack.require()
    if options.output_name is None and not options.json:
        return _print_outputs(stack, show_secrets=options.show_secrets)
    outputs = read_outputs(stack, show_secrets=options.show_secrets)
    if options.output_name is None:
        write(json.dumps(outputs, indent=2, ensure_ascii=False))
        return 0
    if options.output_name not in outputs:
        names = ", ".join(sorted(outputs)) or "none"
        raise EngineError(
            f"current stack does not have output property '{options.output_name}': it has {names}."
        )
    value = outputs[options.output_name]
    write(
        json.dumps(value, indent=2, ensure_ascii=False)
        if options.json
        else stack_outputs_text(value)
    )
    return 0


def export(options: argparse.Namespace) -> int:
    """Print the deployment as `stack import` takes it, secrets encrypted unless asked for."""
    stack = open_stack(options)
    stack.require()
    latest: Any = _latest(stack)
    if options.show_secrets:
        from local_engine.property_json import reveal

        latest = reveal(latest, lambda: stack.unlock(stack.state_salt()))
    document = as_table(stack.document)
    exported = {"version": document.get("version", 3)}
    if document.get("features"):
        exported["features"] = document["features"]
    text = json.dumps({**exported, "deployment": latest}, indent=4, ensure_ascii=False)
    if options.file is None:
        write(text)
        return 0
    from local_engine.atomic_write import replace_file

    # An export may hold secrets in clear: nobody else needs to read it.
    replace_file(Path(options.file), f"{text}\n".encode(), mode=0o600)
    return 0


def import_(options: argparse.Namespace) -> int:
    """Replace the stack's deployment by an exported one, after checking it.

    Raises:
        EngineError: not a deployment, of another stack, or not intact.
    """
    from local_engine.checkpoint import check_version

    stack = open_stack(options)
    stack.require()
    source = options.file or "standard input"
    document = _read_json(options.file, source)
    check_version(document, source)
    deployment = document.get("deployment")
    if not isinstance(deployment, dict):
        raise EngineError(f"{source} has no `deployment`: pass what `stack export` printed.")
    with locked(stack):
        stack.reload()
        state = stack.state_file()
        snapshot = state.parse_deployment(cast("dict[str, Any]", deployment), source)
        if not options.force:
            _check_belongs(snapshot, stack, source)
        # As with Pulumi, to import is to vouch for the state: what was under way is settled.
        for operation in snapshot.pending_operations:
            sys.stderr.write(
                f"warning: removing pending operation '{operation.kind}' on "
                f"'{operation.resource.urn}' from snapshot\n"
            )
        state.save(replace(snapshot, pending_operations=[]))
    write("Import complete.")
    return 0


def remove(options: argparse.Namespace) -> int:
    """Forget a stack without resources, and its configuration.

    Raises:
        EngineError: it still has resources, or nobody confirmed.
    """
    stack = open_stack(options)
    stack.require()
    resources = rows(_latest(stack).get("resources"))
    alive = [raw for raw in resources if not _is_furniture(str(raw.get("type")))]
    if alive and not options.force:
        raise EngineError(
            f"'{stack.name}' still has {len(alive)} resources: run `destroy --stack {stack.name}` "
            "first, or pass --force to forget them and leave them running."
        )
    confirm(options, f"This will permanently remove the '{stack.name}' stack!", stack.name)
    forget_stack(stack, preserve_config=options.preserve_config)
    write(f"Stack '{stack.name}' has been removed!")
    return 0


def forget_stack(stack: Stack, *, preserve_config: bool) -> None:
    """Remove the stack's state and, unless told otherwise, its YAML."""
    with locked(stack):
        stack.backend.remove(stack.project.name, stack.name)
    if not preserve_config:
        with contextlib.suppress(FileNotFoundError):
            stack.config.path.unlink()
    if stack.workspace.selected() == stack.name:
        stack.workspace.select("")


def _latest(stack: Stack) -> dict[str, Any]:
    return as_table(as_table(as_table(stack.document).get("checkpoint")).get("latest"))


def _is_furniture(type_: str) -> bool:
    """Whether a resource is only the engine's own: the stack, or a provider's configuration."""
    return type_ == "pulumi:pulumi:Stack" or type_.startswith("pulumi:providers:")


def _print_outputs(stack: Stack, *, show_secrets: bool) -> int:
    outputs = read_outputs(stack, show_secrets=show_secrets)
    write(f"Current stack outputs ({len(outputs)}):")
    if not outputs:
        write("    No output values currently in this stack")
        return 0
    parts = ((name, stack_outputs_text(outputs[name])) for name in sorted(outputs))
    table(("OUTPUT", "VALUE"), parts, indent=4)
    return 0


def _read_json(file: str | None, source: str) -> dict[str, Any]:
    try:
        text = Path(file).read_text(encoding="utf-8") if file else sys.stdin.read()
        document: object = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise EngineError(f"{source} is not readable JSON: {error}.") from None
    if not isinstance(document, dict):
        raise EngineError(f"{source} must be a JSON object: pass what `stack export` printed.")
    return cast("dict[str, Any]", document)


def _check_belongs(snapshot: Snapshot, stack: Stack, source: str) -> None:
    from local_engine.snapshot_integrity import check_integrity

    wanted = f"urn:pulumi:{stack.name}::{stack.project.name}::"
    foreign = [state.urn for state in snapshot.resources if not state.urn.startswith(wanted)]
    if foreign:
        raise EngineError(
            f"{source} holds '{foreign[0]}', which is not of stack '{stack.name}' of project "
            f"'{stack.project.name}': import it there, or pass --force."
        )
    check_integrity(snapshot, source)
