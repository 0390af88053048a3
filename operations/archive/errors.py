"""Why a backup cannot be made, or cannot be used.

Owns the sentences' kinds. All of them end a command in one line; a damaged backup is also what the
verification of backups reports as found.
"""

from __future__ import annotations

from smoke_tests.errors import CouldNotLook


class StoreProblem(CouldNotLook):
    """A place for artifacts or backups does not let itself be listed, read or written."""


class ObjectGone(StoreProblem):
    """It was listed and is not there any more."""


class ObjectChanged(StoreProblem):
    """It was written to while it was being read."""


class BackupDamaged(CouldNotLook):
    """A backup that lacks something or holds other bytes than its manifest says."""


class WrongKey(CouldNotLook):
    """The backup is encrypted for other keys than the ones given."""
