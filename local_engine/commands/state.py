"""`state`: change what the state says of a resource, and nothing of the resource itself."""

from __future__ import annotations

import argparse

from local_engine.commands.session import confirm, locked, open_stack, write
from local_engine.errors import EngineError
from local_engine.resource_state import ResourceState, Snapshot
from local_engine.workspace import Stack, StateFile


def unprotect(options: argparse.Namespace) -> int:
    """Take the protection off one resource, or off all.

    Raises:
        EngineError: none is named, or the state does not hold it.
    """
    if bool(options.urn) == options.all:
        raise EngineError("state unprotect needs a URN, or --all: pass one of them.")
    stack = open_stack(options)
    stack.require()
    what = "every resource" if options.all else f"'{options.urn}'"
    confirm(options, f"This will unprotect {what} of stack '{stack.name}'.", stack.name)
    with locked(stack):
        state, snapshot = _load(stack)
        chosen = snapshot.resources if options.all else [_find(snapshot, options.urn)]
        for resource in chosen:
            resource.protect = False
        state.save(snapshot)
    write("All resources unprotected" if options.all else "Resource unprotected")
    return 0


def forget(options: argparse.Namespace) -> int:
    """Take a resource out of the state; what it stands for goes on existing.

    Raises:
        EngineError: it is protected, others depend on it, or the state does not hold it.
    """
    stack = open_stack(options)
    stack.require()
    confirm(options, f"This will take '{options.urn}' out of the state.", stack.name)
    with locked(stack):
        state, snapshot = _load(stack)
        resource = _find(snapshot, options.urn)
        if resource.protect and not options.force:
            raise EngineError(f"'{options.urn}' is protected: unprotect it, or pass --force.")
        dependents = [
            other.urn
            for other in snapshot.resources
            if other is not resource and options.urn in other.depends_on()
        ]
        if dependents:
            raise EngineError(
                f"'{options.urn}' cannot be forgotten before what depends on it: "
                f"{', '.join(dependents)}."
            )
        snapshot.resources = [other for other in snapshot.resources if other is not resource]
        state.save(snapshot)
    write("Resource deleted")
    return 0


def _load(stack: Stack) -> tuple[StateFile, Snapshot]:
    stack.reload()
    state = stack.state_file()
    return state, state.load() or Snapshot()


def _find(snapshot: Snapshot, urn: str) -> ResourceState:
    for resource in snapshot.resources:
        if resource.urn == urn:
            return resource
    raise EngineError(f"No resource '{urn}' in the state: `stack export` shows what it holds.")
