"""One stack's configuration: Pulumi.<stack>.yaml, read and edited.

Owns the values (text, numbers, lists, and `secure:` ciphertexts) and edits that keep the file as a
person wrote it: an edit changes the lines of one key, then the result is read again and compared
with what was meant before it replaces the file. Types and defaults are `project.py`'s; the salt is
written only when the file holds a secret, so that a stack without secrets stays free of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from local_engine.atomic_write import replace_file
from local_engine.errors import EngineError
from local_engine.go_json import go_json, go_number
from local_engine.json_shapes import table
from local_engine.yaml_editor import remove_entry, set_entry
from local_engine.yaml_reader import read_mapping


class Decrypter(Protocol):
    """What turns a ciphertext into text; `passphrase.Crypter` is one."""

    def decrypt(self, ciphertext: str) -> str:
        """Return the plaintext."""
        ...


@dataclass(frozen=True)
class Ciphertext:
    """A `secure:` value, still encrypted."""

    text: str


class ConfigValue:
    """One configuration value; `secret` stays true when it has been decrypted."""

    __slots__ = ("raw", "secret")

    def __init__(self, raw: Any, *, secret: bool | None = None) -> None:
        """Hold a tree of plain values and ciphertexts."""
        self.raw = raw
        self.secret = any(True for _ in _ciphertexts(raw)) if secret is None else secret

    @property
    def encrypted(self) -> bool:
        """Whether a ciphertext is still in it."""
        return any(True for _ in _ciphertexts(self.raw))

    @property
    def is_object(self) -> bool:
        """Whether Pulumi would hand it over as JSON."""
        return not isinstance(self.raw, str | bool | int | float | Ciphertext)

    def decrypted(self, crypter: Decrypter) -> ConfigValue:
        """Return the same value with every ciphertext opened."""
        return ConfigValue(_open(self.raw, crypter), secret=self.secret)

    def blinded(self) -> ConfigValue:
        """Return the same value with every ciphertext replaced by `[secret]`."""
        return ConfigValue(_open(self.raw, _Blind()), secret=self.secret)

    def text(self) -> str:
        """Return the value as a program receives it.

        Raises:
            EngineError: it is still encrypted, or holds a number JSON cannot carry.
        """
        if isinstance(self.raw, str):
            return self.raw
        if isinstance(self.raw, bool):
            return "true" if self.raw else "false"
        if isinstance(self.raw, float):
            return go_number(self.raw)
        return go_json(self.raw)

    def plain(self) -> Any:
        """Return what type checks look at: text, or the list or mapping itself."""
        return self.raw if self.is_object else self.text()

    def __repr__(self) -> str:
        """Show the value, unless it is a secret."""
        return "ConfigValue([secret])" if self.secret else f"ConfigValue({self.raw!r})"


class StackConfig:
    """The content of one Pulumi.<stack>.yaml; missing is the same as empty."""

    def __init__(self, path: Path, namespace: str) -> None:
        """Read `path`; keys without a namespace belong to `namespace`, the project.

        Raises:
            EngineError: not readable, not YAML, or a shape that is no stack configuration.
        """
        self.path = path
        self.namespace = namespace
        try:
            self.text = path.read_text(encoding="utf-8-sig")
            self.exists = True
        except FileNotFoundError:
            self.text = ""
            self.exists = False
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise EngineError(f"{path} could not be read ({reason}).") from None
        self._load(self.text)

    def _load(self, text: str) -> None:
        raw = read_mapping(text, str(self.path))
        config = raw.get("config")
        if config is not None and not isinstance(config, dict):
            raise EngineError(f"`config` in {self.path} must be a mapping of keys to values.")
        if raw.get("environment"):
            raise EngineError(
                f"`environment` in {self.path} imports from Pulumi ESC, which this engine does "
                "not reach: write the values under `config`, or use the Pulumi CLI."
            )
        provider = raw.get("secretsprovider") or "passphrase"
        if provider not in ("passphrase", "default"):
            raise EngineError(
                f"`secretsprovider` in {self.path} is '{provider}': this engine encrypts with a "
                "passphrase only; use the Pulumi CLI for this stack."
            )
        self.salt = str(raw.get("encryptionsalt") or "")
        self.values: dict[str, ConfigValue] = {}
        for key, value in cast("dict[str, Any]", config or {}).items():
            name = _canonical(key if ":" in key else f"{self.namespace}:{key}", self.path)
            # As the CLI has it today: a key without a value is an empty text.
            self.values[name] = ConfigValue("" if value is None else _from_yaml(value))

    def set(self, key: str, value: Any) -> None:
        """Set one key to text, a ciphertext or a tree of them, leaving other lines as they are."""
        text = set_entry(self.text, "config", self._spelling(key), _to_yaml(value))
        self._edit(text, key, ConfigValue(value))

    def remove(self, key: str) -> bool:
        """Take one key out; tells whether it was there."""
        if key not in self.values:
            return False
        self._edit(remove_entry(self.text, "config", self._spelling(key)), key, None)
        return True

    def set_salt(self, salt: str) -> None:
        """Record the salt that the file's secrets are encrypted under."""
        if salt == self.salt:
            return
        before = dict(self.values)
        self.text = set_entry(self.text, None, "encryptionsalt", salt)
        self._load(self.text)
        if self.salt != salt or not _same(self.values, before):
            raise self._not_editable()

    def save(self) -> None:
        """Write the file, atomically."""
        replace_file(self.path, self.text.encode())
        self.exists = True

    def has_secrets(self) -> bool:
        """Whether reading the configuration takes the passphrase."""
        return any(value.encrypted for value in self.values.values())

    def decrypted(self, crypter: Decrypter | None) -> dict[str, ConfigValue]:
        """Return the values with every ciphertext opened."""
        if crypter is None:
            return dict(self.values)
        return {key: value.decrypted(crypter) for key, value in self.values.items()}

    def _spelling(self, key: str) -> str:
        """Return `key` as the file spells it: with its namespace, unless it stands bare there."""
        raw = table(read_mapping(self.text, str(self.path)).get("config"))
        bare = key.removeprefix(f"{self.namespace}:")
        return bare if bare != key and bare in raw else key

    def _edit(self, text: str, key: str, value: ConfigValue | None) -> None:
        wanted = dict(self.values)
        if value is None:
            wanted.pop(key)
        else:
            wanted[key] = value
        old, salt = self.text, self.salt
        try:
            self._load(text)
        except EngineError:
            self._load(old)
            raise self._not_editable() from None
        if not _same(self.values, wanted) or self.salt != salt:
            self._load(old)
            raise self._not_editable()
        self.text = text

    def _not_editable(self) -> EngineError:
        return EngineError(
            f"{self.path} has a form this command cannot change without touching other lines "
            "(anchors, or flow style over several lines): edit the file by hand."
        )


def _same(left: Mapping[str, ConfigValue], right: Mapping[str, ConfigValue]) -> bool:
    return {key: value.raw for key, value in left.items()} == {
        key: value.raw for key, value in right.items()
    }


def _canonical(key: str, path: Path) -> str:
    """Accept `<namespace>:<name>` and the old `<namespace>:config:<name>`, as Pulumi does."""
    parts = key.split(":")
    if len(parts) == 3 and parts[1] == "config":
        parts = [parts[0], parts[2]]
    if len(parts) != 2 or not all(parts):
        raise EngineError(
            f"`{key}` under `config` in {path} is not a configuration key: "
            "write it as <namespace>:<name>."
        )
    return ":".join(parts)


def _from_yaml(value: Any) -> Any:
    if isinstance(value, dict):
        fields = table(cast("object", value))
        if set(fields) == {"secure"}:
            if not isinstance(fields["secure"], str):
                raise EngineError("A `secure:` value must be a ciphertext: set the secret again.")
            return Ciphertext(fields["secure"])
        return {key: _from_yaml(inner) for key, inner in fields.items()}
    if isinstance(value, list):
        return [_from_yaml(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, bytes | set):
        raise EngineError("A YAML set or binary value is no configuration value: write it as text.")
    return value


def _to_yaml(value: Any) -> Any:
    if isinstance(value, Ciphertext):
        return {"secure": value.text}
    if isinstance(value, dict):
        return {key: _to_yaml(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_to_yaml(inner) for inner in cast("list[Any]", value)]
    return value


def _ciphertexts(value: Any) -> Iterator[Ciphertext]:
    if isinstance(value, Ciphertext):
        yield value
    elif isinstance(value, dict):
        for inner in cast("dict[str, Any]", value).values():
            yield from _ciphertexts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _ciphertexts(inner)


def _open(value: Any, crypter: Decrypter) -> Any:
    if isinstance(value, Ciphertext):
        return crypter.decrypt(value.text)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: _open(inner, crypter) for key, inner in fields.items()}
    if isinstance(value, list):
        return [_open(inner, crypter) for inner in cast("list[Any]", value)]
    return value


class _Blind:
    def decrypt(self, ciphertext: str) -> str:  # noqa: ARG002 - the point is not to look
        return "[secret]"


_KEY = re.compile(r"[^:\s]+:[^:\s]+")


def check_key(key: str) -> str:
    """Return `key` if it can be a configuration key.

    Raises:
        EngineError: it cannot.
    """
    if not _KEY.fullmatch(key):
        raise EngineError(f"'{key}' is not a configuration key: write <namespace>:<name>.")
    return key
