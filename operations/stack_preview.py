"""What a stack would consist of: the engine's `preview --json`, asked for or read from a file.

Owns where the document comes from; `policies.engine_documents` knows what it says. A pipeline
that has made a preview hands it over as a file, so that nothing is previewed twice.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from operations.engine_steps import steps_of
from operations.place import Place
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import Document, parse_document
from smoke_tests.stack_target import ask_engine

LONGEST_SECONDS = 900.0
"""A large stack on a cloud is read resource by resource."""


def add_preview_argument(parser: argparse.ArgumentParser) -> None:
    """Let a preview that was already made be named."""
    parser.add_argument(
        "--preview",
        metavar="FILE",
        help="what `preview --json` printed for this stack (default: ask the engine now)",
    )


def read_preview(place: Place, stack: str, file: str | None) -> Document:
    """The preview of a stack.

    Raises:
        CouldNotLook: the engine refuses, or the file holds no preview.
    """
    if file is not None:
        return preview_in(Path(file))
    place.progress(f"previewing {stack}")
    return ask_engine(
        stack,
        "preview",
        "--json",
        "--show-sames",
        environ=place.environ,
        masker=place.masker,
        timeout_seconds=LONGEST_SECONDS,
    )


def read_whole_preview(place: Place, stack: str, file: str | None) -> Document:
    """The preview of a stack, with every resource in it: half of one would look clean.

    Raises:
        CouldNotLook: there is none, it is not whole, or the engine could not end it.
    """
    preview = read_preview(place, stack, file)
    steps = steps_of(preview)
    if steps.problems:
        raise CouldNotLook(
            f"the preview of {stack!r} failed ({place.masker.foreign(steps.problems[0])}): mend "
            "that first"
        )
    if steps.left_out:
        raise CouldNotLook(
            f"the preview of {stack!r} leaves out what stays the same ({steps.left_out} "
            "resources): make it with `pulumi preview --json --show-sames`"
        )
    return preview


def preview_in(path: Path) -> Document:
    """The preview in a file.

    Raises:
        CouldNotLook: there is none.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CouldNotLook(
            f"--preview is {str(path)!r}, and it cannot be read ({error.strerror}): write it with "
            "`pulumi preview --json --show-sames`"
        ) from None
    document = parse_document(content)
    if document is None or not {"steps", "diagnostics"} & document.keys():
        raise CouldNotLook(
            f"--preview is {str(path)!r}, and it holds no preview: write it with "
            "`pulumi preview --json --show-sames`"
        )
    return document
