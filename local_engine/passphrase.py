"""Pulumi's passphrase secrets provider, bit for bit: what encrypts secrets in state and config.

Owns the cipher (PBKDF2-SHA256 with a million rounds, AES-256-GCM) and where the passphrase comes
from. A stack carries a *salt*, `v1:<salt>:v1:<nonce>:<check>`, whose last part is the word
`pulumi` encrypted: that is how a wrong passphrase is told from corrupt state. Which salt a stack
uses is decided elsewhere (`workspace.py`), because it may stand in the state or in the stack's
YAML.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from local_engine.errors import EngineError

_ROUNDS = 1_000_000
_KEY_BYTES = 32
_NONCE_BYTES = 12
_SALT_BYTES = 8
_CHECK = "pulumi"


class WrongPassphraseError(EngineError):
    """The passphrase at hand is not the one the secrets were encrypted with."""


class CiphertextError(EngineError):
    """A value that should be a ciphertext of ours is not one, or was altered."""


class Crypter:
    """Encrypts and decrypts single values under one key; holds the key and nothing else."""

    __slots__ = ("_key", "salt")

    def __init__(self, key: bytes, salt: str) -> None:
        """Use `key`; `salt` is the text that state and config store to find it again."""
        self._key = key
        self.salt = salt

    @classmethod
    def unlock(cls, passphrase: str, salt: str) -> Crypter:
        """Derive the key of an existing salt and prove the passphrase on it.

        Raises:
            WrongPassphraseError: the salt belongs to another passphrase.
            CiphertextError: the salt is no salt of Pulumi's passphrase provider.
        """
        version, _, rest = salt.partition(":")
        encoded, _, check = rest.partition(":")
        if version != "v1" or not check:
            raise CiphertextError(
                "The stack's encryption salt does not have the form v1:<salt>:v1:<nonce>:<check>: "
                "restore the line `encryptionsalt` of the stack's YAML, or the state's .bak file."
            )
        crypter = cls(_derive(passphrase, _decode(encoded)), salt)
        try:
            proven = crypter.decrypt(check) == _CHECK
        except CiphertextError:
            proven = False
        if not proven:
            raise WrongPassphraseError(
                "The passphrase does not open this stack's secrets: set PULUMI_CONFIG_PASSPHRASE, "
                "or PULUMI_CONFIG_PASSPHRASE_FILE, to the one the stack was deployed with."
            )
        return crypter

    @classmethod
    def create(cls, passphrase: str) -> Crypter:
        """Make a new random salt for `passphrase`."""
        raw = secrets.token_bytes(_SALT_BYTES)
        crypter = cls(_derive(passphrase, raw), "")
        crypter.salt = f"v1:{base64.b64encode(raw).decode()}:{crypter.encrypt(_CHECK)}"
        return crypter

    def encrypt(self, plaintext: str) -> str:
        """Return `v1:<nonce>:<ciphertext>`; a fresh nonce each time, as GCM demands."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        # surrogatepass: Pulumi's strings are bytes, and a lone surrogate must survive the trip.
        data = plaintext.encode("utf-8", "surrogatepass")
        sealed = _aes(self._key).encrypt(nonce, data, None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, ciphertext: str) -> str:
        """Return the plaintext of `v1:<nonce>:<ciphertext>`.

        Raises:
            CiphertextError: not such a value, altered, or encrypted under another key.
        """
        from cryptography.exceptions import InvalidTag

        parts = ciphertext.split(":")
        if len(parts) != 3 or parts[0] != "v1":
            raise CiphertextError(_NOT_OURS)
        nonce, sealed = _decode(parts[1]), _decode(parts[2])
        if len(nonce) != _NONCE_BYTES:
            raise CiphertextError(_NOT_OURS)
        try:
            data = _aes(self._key).decrypt(nonce, sealed, None)
            return data.decode("utf-8", "surrogatepass")
        except (InvalidTag, UnicodeDecodeError, ValueError):
            # No cause attached: its text could carry the value.
            raise CiphertextError(_NOT_OURS) from None

    def __repr__(self) -> str:
        """Never show the key, not even by accident in a log."""
        return "Crypter(…)"


_NOT_OURS = (
    "A secret is not a value this passphrase encrypted (v1:<nonce>:<ciphertext>), or it was "
    "altered: restore the file it stands in from its .bak, or set the secret again."
)


def find_passphrase(environ: Mapping[str, str], default_file: Path) -> str:
    """Return the passphrase from Pulumi's own variables, else from `default_file`.

    `default_file` is made on first use, readable by its owner alone, so that nothing prompts.

    Raises:
        EngineError: a file named by the user cannot be read, or holds nothing.
    """
    if "PULUMI_CONFIG_PASSPHRASE" in environ:
        return environ["PULUMI_CONFIG_PASSPHRASE"]
    named = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE", "")
    if named:
        return _read(Path(named), "PULUMI_CONFIG_PASSPHRASE_FILE names")
    if not default_file.exists():
        _generate(default_file)
    passphrase = _read(default_file, "The passphrase is kept in")
    if not passphrase:
        raise EngineError(
            f"The passphrase file {default_file} is empty: write the stack's passphrase into it, "
            "or delete it if no stack was deployed with it yet."
        )
    return passphrase


def _read(path: Path, introduction: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise EngineError(
            f"{introduction} {path}, which could not be read ({reason}): "
            "make it readable for this user, or set PULUMI_CONFIG_PASSPHRASE."
        ) from None


def _generate(path: Path) -> None:
    """Write a new passphrase, unless another process was first: then its file is the one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and does not replace what is already there.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as error:
        raise EngineError(
            f"A passphrase for this checkout could not be kept in {path} ({error.strerror}): "
            "make the folder writable, or set PULUMI_CONFIG_PASSPHRASE."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _derive(passphrase: str, salt: bytes) -> bytes:
    data = passphrase.encode("utf-8", "surrogateescape")
    return hashlib.pbkdf2_hmac("sha256", data, salt, _ROUNDS, _KEY_BYTES)


def _aes(key: bytes):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CiphertextError(_NOT_OURS) from None
