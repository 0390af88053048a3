"""`cancel`: remove the lock that an update left behind."""

from __future__ import annotations

import argparse

from local_engine.commands.session import confirm, open_stack, write
from local_engine.errors import EngineError
from local_engine.lock import holders, remove_locks


def cancel(options: argparse.Namespace) -> int:
    """Remove the stack's locks; one of a process that runs on this host only with --force.

    Raises:
        EngineError: the update is alive, or nobody confirmed.
    """
    stack = open_stack(options)
    root, project = stack.backend.root, stack.project.name
    found = holders(root, project, stack.name)
    if not found:
        write(f"Stack '{stack.name}' is not locked: there is nothing to cancel.")
        return 0
    alive = [holder for holder in found if holder.is_on_this_host and not holder.is_dead]
    if alive and not options.force:
        raise EngineError(
            f"Process {alive[0].pid} on this host still updates stack '{stack.name}': stop it "
            f"with Ctrl-C or `kill -INT {alive[0].pid}`, which saves the state; pass --force to "
            "take its lock away all the same."
        )
    who = "; ".join(str(holder) for holder in found)
    dead = all(holder.is_dead for holder in found)
    if not dead:  # the lock of a process known to be gone protects nothing
        confirm(
            options,
            f"This will irreversibly cancel the update of '{stack.name}' by {who}.",
            stack.name,
        )
    remove_locks(root, project, stack.name)
    write(f"The lock of {who} on stack '{stack.name}' is removed.")
    write("If that update was interrupted, the next `up` finishes what it began.")
    return 0
