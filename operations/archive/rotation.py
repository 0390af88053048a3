"""The backups of a stack at one place: which there are, which is the newest, which have to go.

Owns names and their order, and the one rule of rotation: what is deleted is older than as many good
backups as shall be kept, and a good one is whole. Damaged and unfinished ones count for nothing; an
unfinished one goes when it is a day old, since nobody can still be at work on it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime

from operations.archive.errors import BackupDamaged
from operations.archive.reading import SealedBackup
from operations.archive.seal import SEAL, missing_files, read_seal
from operations.archive.stores import Store
from smoke_tests.errors import CouldNotLook

_UNFINISHED_SECONDS = 24 * 3600


def new_name(stack: str, epoch: float) -> str:
    """Sorts by time, to the millisecond: rotation must not take the newest for an older one."""
    moment = datetime.fromtimestamp(epoch, UTC)
    milliseconds = moment.microsecond // 1000
    return f"{stack}-{moment:%Y%m%dT%H%M%S}{milliseconds:03d}Z-{secrets.token_hex(2)}"


def names_of(store: Store, stack: str) -> list[str]:
    """Everything that begins like a backup of the stack, oldest first, finished or not."""
    pattern = re.compile(rf"{re.escape(stack)}-\d{{8}}T\d{{9}}Z-[0-9a-f]{{4}}")
    found: set[str] = set()
    for item in store.list(f"{stack}-"):
        name = item.name.partition("/")[0]
        if pattern.fullmatch(name):
            found.add(name)
    return sorted(found)


def find_backup(store: Store, stack: str, name: str | None) -> SealedBackup:
    """The backup of this name, or the stack's newest complete one.

    Raises:
        BackupDamaged: the named one is not complete.
        CouldNotLook: there is none.
    """
    if name is not None:
        return SealedBackup(store, read_seal(store, name))
    for candidate in reversed(names_of(store, stack)):
        try:
            return SealedBackup(store, read_seal(store, candidate))
        except BackupDamaged:
            continue
    raise CouldNotLook(
        f"{store.uri} has no complete backup of the stack {stack}: check the place, or make one "
        f"with `python -m operations backup --stack {stack} --to {store.uri}`"
    )


def rotate(store: Store, stack: str, keep: int, *, now: float) -> list[str]:
    """Delete what is older than the newest `keep` good backups; their names."""
    removed: list[str] = []
    good = 0
    for name in reversed(names_of(store, stack)):
        complete = _is_whole(store, name)
        if complete and good < keep:
            good += 1
        elif good >= keep if complete else _is_abandoned(store, name, now):
            delete_backup(store, name)
            removed.append(name)
    return removed


def delete_backup(store: Store, name: str) -> None:
    """The seal goes first: what is half deleted is no backup."""
    store.delete(f"{name}/{SEAL}")
    for item in list(_files(store, name)):
        store.delete(item)


def _files(store: Store, name: str) -> Iterator[str]:
    for item in store.list(f"{name}/"):
        yield item.name


def _is_whole(store: Store, name: str) -> bool:
    try:
        return not any(missing_files(store, read_seal(store, name)))
    except BackupDamaged:
        return False


def _is_abandoned(store: Store, name: str, now: float) -> bool:
    """Never finished, and nobody writes to it any more. A damaged one is kept for whoever looks."""
    newest = 0.0
    for item in store.list(f"{name}/"):
        if item.name == f"{name}/{SEAL}":
            return False
        newest = max(newest, item.modified)
    return now - newest > _UNFINISHED_SECONDS
