"""Pulumi's marks, colours and verbs for each kind of step, so that both engines read the same."""

from __future__ import annotations

from typing import NamedTuple

RESET = "\x1b[0m"
BOLD = "\x1b[1m"
DIM = "\x1b[2m"
RED = "\x1b[31m"
GREEN = "\x1b[32m"
YELLOW = "\x1b[33m"
MAGENTA = "\x1b[35m"
BRIGHT_RED = "\x1b[91m"
BRIGHT_GREEN = "\x1b[92m"
BRIGHT_BLUE = "\x1b[94m"
BRIGHT_MAGENTA = "\x1b[95m"
BRIGHT_CYAN = "\x1b[96m"
HEADLINE = BRIGHT_MAGENTA + BOLD


class Words(NamedTuple):
    """How one kind of step is shown."""

    mark: str
    color: str
    plan: str  # in a preview
    doing: str
    done: str
    counted: str  # in the summary of an update


# In the order of Pulumi's summary.
STEPS: dict[str, Words] = {
    "same": Words("  ", "", "", "", "", "unchanged"),
    "create": Words("+ ", GREEN, "create", "creating", "created", "created"),
    "update": Words("~ ", YELLOW, "update", "updating", "updated", "updated"),
    "delete": Words("- ", RED, "delete", "deleting", "deleted", "deleted"),
    "replace": Words("+-", BRIGHT_MAGENTA, "replace", "replacing", "replaced", "replaced"),
    "create-replacement": Words(
        "++",
        BRIGHT_GREEN,
        "create replacement",
        "creating replacement",
        "created replacement",
        "create-replacementd",  # Pulumi's own spelling: the operation's name and a "d"
    ),
    "delete-replaced": Words(
        "--", BRIGHT_RED, "delete original", "deleting original", "deleted original", "deleted"
    ),
    "read": Words("> ", BRIGHT_CYAN, "read", "reading", "read", "read"),
    "read-replacement": Words(
        ">>", BRIGHT_MAGENTA, "read for replacement", "reading for replacement", "read", "read"
    ),
    "refresh": Words("~ ", YELLOW, "refresh", "refreshing", "refreshed", "refreshed"),
    "discard": Words("< ", RED, "discard", "discarding", "discarded", "discarded"),
    "discard-replaced": Words(
        "<<", RED, "discard original", "discarding original", "discarded original", "discarded"
    ),
    "remove-pending-replace": Words("~ ", "", "", "", "", ""),
    "import": Words("= ", GREEN, "import", "importing", "imported", "imported"),
    "import-replacement": Words(
        "=>", BRIGHT_MAGENTA, "import replacement", "importing replacement", "imported", "imported"
    ),
}
UNCOUNTED = {"same", "read", "discard", "read-replacement"}

KINDS = {
    # verb: headline of the preview, headline of the update, verb in the footer
    "up": ("Previewing update", "Updating", "updating"),
    "preview": ("Previewing update", "Previewing update", "previewing update"),
    "refresh": ("Previewing refresh", "Refreshing", "refreshing"),
    "destroy": ("Previewing destroy", "Destroying", "destroying"),
}


def words(op: str) -> Words:
    """Return how `op` is shown; an unknown one by its own name."""
    return STEPS.get(op) or Words("? ", YELLOW, op, op, op, op)
