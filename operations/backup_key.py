"""`backup-key`: a pair of keys for backups, where age itself is not installed.

Owns making it: the secret half into a new file for its owner alone, the public half on the screen.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from operations.archive.encryption import RECIPIENT_VARIABLE, new_identity
from operations.place import Place
from operations.report import ExitCode, Line, Report
from smoke_tests.errors import CouldNotLook


@dataclass(frozen=True, slots=True)
class KeyMade:
    """A pair."""

    file: str
    recipient: str

    @property
    def exit_code(self) -> ExitCode:
        """It is there."""
        return 0

    def document(self) -> dict[str, object]:
        """For a machine."""
        return {"identity_file": self.file, "recipient": self.recipient}

    def lines(self) -> Iterable[Line]:
        """For a person."""
        yield Line(f"{self.recipient}", "green")
        yield Line(f"  encrypts: --recipient, or {RECIPIENT_VARIABLE}; no secret")
        yield Line(f"  {self.file} opens: keep a copy far from the platform and its backups")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where it goes."""
    parser.add_argument("--to", metavar="FILE", required=True, help="a new file for the secret key")


def run(arguments: argparse.Namespace, place: Place) -> Report:
    """Make a pair.

    Raises:
        CouldNotLook: the file is there already, or cannot be made.
    """
    secret, recipient = new_identity()
    place.masker.remember(secret)
    path = Path(arguments.to).expanduser()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"# public key: {recipient}\n{secret}\n")
    except FileExistsError:
        raise CouldNotLook(
            f"--to is {path}, which exists: backups may depend on the key in it; name a new file"
        ) from None
    except OSError as error:
        raise CouldNotLook(
            f"--to is {path}, which cannot be made ({error.strerror}): name a file in a folder "
            "that exists and that you can write to"
        ) from None
    return KeyMade(str(path), recipient)
