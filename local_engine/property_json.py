"""How property values look in a checkpoint: JSON, with signed objects for what JSON lacks.

Owns secrets (encrypted, and left as they were when nothing changed), unknowns, resource references
and the numbers JSON cannot spell. The values themselves are `property_values.py`'s.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from typing import Any, Protocol, cast

from local_engine.errors import EngineError
from local_engine.property_values import (
    ARCHIVE_SIGNATURE,
    ASSET_SIGNATURE,
    RESOURCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    UNKNOWN,
    UNKNOWN_TEXT,
    ResourceReference,
    Secret,
    Unknown,
)

FLOAT_SIGNATURE = "8ad145fe-0d11-4827-bfd7-1abcbf086f5c"

Path = tuple[str | int, ...]


class Crypter(Protocol):
    """What encrypts single values; `passphrase.Crypter` is one."""

    def encrypt(self, plaintext: str) -> str:
        """Return a ciphertext."""
        ...

    def decrypt(self, ciphertext: str) -> str:
        """Return the plaintext."""
        ...


class CiphertextMemory:
    """The ciphertext each place in the state had, so that an unchanged secret keeps it.

    Encryption takes a fresh nonce each time; without this, every save would rewrite every secret
    and two states could not be compared.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        self._known: dict[Path, tuple[str, str]] = {}

    def learn(self, path: Path, plaintext: str, ciphertext: str) -> None:
        """Remember what stands at `path`."""
        self._known[path] = (plaintext, ciphertext)

    def recall(self, path: Path, plaintext: str) -> str | None:
        """Return the ciphertext of `path` if it still means `plaintext`."""
        known = self._known.get(path)
        return known[1] if known is not None and known[0] == plaintext else None


class PropertyEncoder:
    """Writes property values for a checkpoint."""

    def __init__(self, crypter: Callable[[], Crypter], memory: CiphertextMemory) -> None:
        """Encrypt with what `crypter` returns, asked only when there is a secret."""
        self._crypter = crypter
        self._memory = memory

    def encode(self, value: Any, path: Path) -> Any:
        """Return the JSON form of `value`, which stands at `path` of the state."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, str):
            return value
        if isinstance(value, float):
            return _encode_float(value)
        if isinstance(value, Unknown):
            return UNKNOWN_TEXT
        if isinstance(value, Secret):
            return self._secret(value, path)
        if isinstance(value, ResourceReference):
            return _reference(value)
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {key: self.encode(inner, (*path, key)) for key, inner in sorted(items)}
        if isinstance(value, list | tuple):
            items = enumerate(cast("list[Any]", value))
            return [self.encode(inner, (*path, index)) for index, inner in items]
        raise EngineError(f"A {type(value).__name__} cannot be kept in the state ({_spot(path)}).")

    def _secret(self, secret: Secret, path: Path) -> dict[str, Any]:
        # Inside a secret nothing is encrypted again: inner secrets only keep their mark.
        inner = PropertyEncoder(lambda: _CLEAR, CiphertextMemory()).encode(secret.value, path)
        plaintext = json.dumps(inner, ensure_ascii=False, separators=(",", ":"))
        ciphertext = self._memory.recall(path, plaintext)
        if ciphertext is None:
            ciphertext = self._crypter().encrypt(plaintext)
            self._memory.learn(path, plaintext, ciphertext)
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "ciphertext": ciphertext}


class PropertyDecoder:
    """Reads property values of a checkpoint."""

    def __init__(self, crypter: Callable[[], Crypter], memory: CiphertextMemory | None) -> None:
        """Decrypt with what `crypter` returns; `memory` learns the ciphertexts seen."""
        self._crypter = crypter
        self._memory = memory

    def decode(self, value: Any, path: Path) -> Any:
        """Return the value whose JSON form stands at `path` of the state.

        Raises:
            EngineError: an asset, or a signed object that is not understood or malformed.
        """
        if isinstance(value, str):
            return UNKNOWN if value == UNKNOWN_TEXT else value
        if isinstance(value, float):
            return int(value) if value.is_integer() and abs(value) < 1e21 else value
        if isinstance(value, list):
            items = enumerate(cast("list[Any]", value))
            return [self.decode(inner, (*path, index)) for index, inner in items]
        if not isinstance(value, dict):
            return value
        table = cast("dict[str, Any]", value)
        if SIGNATURE_KEY in table:
            return self._signed(table, path)
        return {key: self.decode(inner, (*path, key)) for key, inner in table.items()}

    def _signed(self, table: dict[str, Any], path: Path) -> Any:
        signature = table[SIGNATURE_KEY]
        if signature == SECRET_SIGNATURE:
            return self._secret(table, path)
        if signature == RESOURCE_SIGNATURE:
            return _dereference(table, path)
        if signature == FLOAT_SIGNATURE:
            return _decode_float(table.get("value"), path)
        if signature in (ASSET_SIGNATURE, ARCHIVE_SIGNATURE):
            raise EngineError(
                f"The state holds an asset or archive ({_spot(path)}), which this engine does "
                "not handle: use the Pulumi CLI for this stack."
            )
        raise EngineError(
            f"The state holds a value with the unknown signature {signature!r} ({_spot(path)}): "
            "use the version of the Pulumi CLI that wrote it."
        )

    def _secret(self, table: dict[str, Any], path: Path) -> Secret:
        ciphertext, plaintext = table.get("ciphertext"), table.get("plaintext")
        if isinstance(ciphertext, str) == isinstance(plaintext, str):
            raise EngineError(
                f"A secret in the state is malformed ({_spot(path)}): exactly one of ciphertext "
                "and plaintext must be there; restore the state from its .bak."
            )
        text = plaintext if isinstance(plaintext, str) else ""
        if isinstance(ciphertext, str):
            text = self._crypter().decrypt(ciphertext)
            if self._memory is not None:
                self._memory.learn(path, text, ciphertext)
        try:
            inner = json.loads(text)
        except ValueError:
            raise EngineError(
                f"A secret in the state does not hold JSON ({_spot(path)}): restore the state "
                "from its .bak."
            ) from None
        return Secret(PropertyDecoder(lambda: _CLEAR, None).decode(inner, path))


class _Clear:
    """Stands in for encryption inside a value that is encrypted as a whole."""

    def encrypt(self, plaintext: str) -> str:
        return plaintext

    def decrypt(self, ciphertext: str) -> str:
        return ciphertext


_CLEAR = _Clear()


def reveal(value: Any, crypter: Callable[[], Crypter]) -> Any:
    """Return raw checkpoint JSON with every ciphertext replaced by its plaintext."""
    if isinstance(value, list):
        return [reveal(item, crypter) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    if table.get(SIGNATURE_KEY) == SECRET_SIGNATURE and isinstance(table.get("ciphertext"), str):
        plaintext = crypter().decrypt(table["ciphertext"])
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "plaintext": plaintext}
    return {key: reveal(inner, crypter) for key, inner in table.items()}


def _reference(reference: ResourceReference) -> dict[str, Any]:
    signed: dict[str, Any] = {
        SIGNATURE_KEY: RESOURCE_SIGNATURE,
        "urn": reference.urn,
        "packageVersion": reference.package_version,
    }
    if reference.id is not None:
        signed["id"] = "" if isinstance(reference.id, Unknown) else reference.id
    return signed


def _dereference(table: dict[str, Any], path: Path) -> ResourceReference:
    urn, identity = table.get("urn"), table.get("id")
    if not isinstance(urn, str):
        raise EngineError(
            f"A resource reference in the state has no urn ({_spot(path)}): restore the state "
            "from its .bak."
        )
    return ResourceReference(
        urn=urn,
        id=UNKNOWN if identity == "" else str(identity) if identity is not None else None,
        package_version=str(table.get("packageVersion") or ""),
    )


def _encode_float(value: float) -> Any:
    if math.isfinite(value):
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    return {SIGNATURE_KEY: FLOAT_SIGNATURE, "value": struct.pack(">d", value).hex()}


def _decode_float(text: object, path: Path) -> float:
    try:
        return float(struct.unpack(">d", bytes.fromhex(str(text)))[0])
    except (ValueError, struct.error):
        raise EngineError(
            f"A number in the state is malformed ({_spot(path)}): restore the state from its .bak."
        ) from None


def _spot(path: Path) -> str:
    """Name a place by resource and property, never by value."""
    return " ".join(str(part) for part in path[:3]) or "top level"
