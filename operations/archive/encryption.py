"""age, as a stream in and a stream out.

Owns keys (where they are given, what they look like) and turning one readable stream into another.
age's library pulls from one end and pushes into the other; a thread and a pipe make that a stream
to read from, whose memory is the pipe's. Identities (the secret half) come from a file or the
environment, never from the command line, and the masker learns them.

https://age-encryption.org: a backup opens with `age --decrypt` as well, without this program.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from operations.archive.errors import BackupDamaged, WrongKey
from operations.archive.streams import Readable
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker

RECIPIENT_VARIABLE = "MLFLOW_PLATFORM_BACKUP_RECIPIENT"
IDENTITY_FILE_VARIABLE = "MLFLOW_PLATFORM_BACKUP_IDENTITY_FILE"
IDENTITY_VARIABLE = "MLFLOW_PLATFORM_BACKUP_IDENTITY"


@dataclass(frozen=True, slots=True)
class Recipients:
    """Whom a backup is encrypted for: age's public keys."""

    keys: tuple[Any, ...]

    @classmethod
    def given(
        cls,
        written: Sequence[str],
        environ: Mapping[str, str],
        *,
        otherwise: Recipients | None = None,
    ) -> Recipients:
        """The ones on the command line, else the environment's (separated by spaces or commas).

        Raises:
            CouldNotLook: none is given, or one is no public key of age.
        """
        named = list(written) or environ.get(RECIPIENT_VARIABLE, "").replace(",", " ").split()
        if not named and otherwise is not None:
            return otherwise
        if not named:
            raise CouldNotLook(
                "no key is given that the backup shall be encrypted for: give age's public key "
                f"with --recipient age1… or {RECIPIENT_VARIABLE}; `python -m operations "
                "backup-key --to FILE` makes a pair"
            )
        return cls(tuple(_recipient(one) for one in named))


@dataclass(frozen=True, slots=True)
class Identities:
    """Who opens a backup: age's secret keys."""

    keys: tuple[Any, ...] = field(repr=False)

    @classmethod
    def given(cls, file: str | None, environ: Mapping[str, str], masker: Masker) -> Identities:
        """Those in a file (`--identity-file`, else the environment's), else in the environment.

        Raises:
            CouldNotLook: none is given, the file cannot be read, or it holds no key of age.
        """
        file = file or environ.get(IDENTITY_FILE_VARIABLE) or None
        if file is not None:
            try:
                text = Path(file).expanduser().read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise CouldNotLook(
                    f"the identity file {file} cannot be read ({type(error).__name__}): give the "
                    "file with age's secret key (AGE-SECRET-KEY-1…) with --identity-file"
                ) from None
            where = f"the identity file {file}"
        else:
            text, where = environ.get(IDENTITY_VARIABLE, ""), IDENTITY_VARIABLE
        if not text.strip():
            raise CouldNotLook(
                "the key that opens the backup is not given: name the file with age's secret key "
                f"with --identity-file or {IDENTITY_FILE_VARIABLE} (`make backup` made "
                f".state/backup-key), or put the key itself into {IDENTITY_VARIABLE}"
            )
        lines = [line.strip() for line in text.splitlines()]
        written = [line for line in lines if line and not line.startswith("#")]
        masker.remember(*written)
        return cls(tuple(_identity(line, where) for line in written))

    @property
    def recipients(self) -> Recipients:
        """Their public halves."""
        return Recipients(tuple(key.to_public() for key in self.keys))


def new_identity() -> tuple[str, str]:
    """A new pair: the secret key and the public one, as age writes them."""
    identity = _age().x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def identities_of(secret_key: str, masker: Masker) -> Identities:
    """One secret key that this process made itself."""
    masker.remember(secret_key)
    return Identities((_identity(secret_key, "the new key"),))


@contextlib.contextmanager
def encrypted(source: Readable, recipients: Recipients) -> Generator[Readable]:
    """`source`, encrypted while it is read."""
    age = _age()

    def pump(read: Readable, write: BinaryIO) -> None:
        age.encrypt_io(read, write, list(recipients.keys))

    with _Pumped(source, pump) as stream:
        yield stream


@contextlib.contextmanager
def decrypted(source: Readable, identities: Identities, *, name: str) -> Generator[Readable]:
    """`source`, decrypted while it is read; `name` is what problems call it.

    Reading raises BackupDamaged where bytes were changed or are missing, and WrongKey where
    `source` was encrypted for others.
    """
    age = _age()

    def pump(read: Readable, write: BinaryIO) -> None:
        try:
            age.decrypt_io(read, write, list(identities.keys))
        except age.DecryptError as error:
            if "No matching keys" in str(error):
                raise WrongKey(
                    f"{name} is encrypted for another key than the one given: give the identity "
                    "that belongs to the recipient of this backup with --identity-file"
                ) from None
            raise BackupDamaged(_damaged(name)) from None
        except OSError as error:
            if isinstance(error, BrokenPipeError) or "decrypt" not in str(error):
                raise
            raise BackupDamaged(_damaged(name)) from None

    with _Pumped(source, pump) as stream:
        yield stream


def _age() -> Any:
    """age's library, which comes without types."""
    return import_module("pyrage")


def _damaged(name: str) -> str:
    return f"{name} is damaged: bytes were changed or are missing, so it cannot be decrypted"


_PATIENCE_SECONDS = 60


class _Pumped:
    """A stream made by a thread that reads `source` and writes into a pipe."""

    def __init__(self, source: Readable, pump: Callable[[Readable, BinaryIO], None]) -> None:
        self._source = source
        self._pump = pump
        self._problem: BaseException | None = None
        self._source_problem: BaseException | None = None

    def __enter__(self) -> _Pumped:
        reading, writing = os.pipe()
        self._reading = os.fdopen(reading, "rb")
        self._thread = threading.Thread(target=self._work, args=(writing,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_more: object) -> None:
        # A thread that still writes gets an error from the closed pipe, and ends. One that waits
        # for a source (a stuck pg_dump) ends with the source, which is closed after this.
        self._reading.close()
        self._thread.join(timeout=_PATIENCE_SECONDS if kind is None else 0.2)

    def read(self, size: int, /) -> bytes:
        piece = self._reading.read(size)
        if len(piece) < size:  # the end: was it a good one?
            self._thread.join()
            # The library turns what its source raises into an error of its own.
            problem = self._source_problem or self._problem
            if problem is not None:
                raise problem
        return piece

    def _work(self, writing: int) -> None:
        try:
            with os.fdopen(writing, "wb", buffering=0) as write:
                self._pump(_Remembering(self._source, self._remember), write)
        except BaseException as problem:  # raised where the stream is read
            self._problem = problem

    def _remember(self, problem: BaseException) -> None:
        self._source_problem = problem


class _Remembering:
    def __init__(self, source: Readable, remember: Callable[[BaseException], None]) -> None:
        self._source = source
        self._remember = remember

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as problem:
            self._remember(problem)
            raise


def _recipient(written: str) -> Any:
    age = _age()
    try:
        return age.x25519.Recipient.from_str(written)
    except age.RecipientError:
        # Not shown: by mistake it may be the secret key.
        raise CouldNotLook(
            "--recipient is no public key of age (age1…): give the line that `python -m "
            "operations backup-key` or `age-keygen -y` prints"
        ) from None


def _identity(written: str, where: str) -> Any:
    age = _age()
    try:
        return age.x25519.Identity.from_str(written)
    except age.IdentityError:
        raise CouldNotLook(
            f"{where} holds no secret key of age (a line AGE-SECRET-KEY-1…): name the file that "
            "`python -m operations backup-key` or `age-keygen` wrote"
        ) from None
