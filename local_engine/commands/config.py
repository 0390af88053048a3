"""`config`: read and change Pulumi.<stack>.yaml."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from typing import Any

from local_engine.commands.session import can_ask, open_stack, table, write
from local_engine.config_path import Part, coerce, part_of, split_path, with_part, without_part
from local_engine.errors import EngineError
from local_engine.project import merge_project_config
from local_engine.stack_config import Ciphertext, ConfigValue, check_key
from local_engine.workspace import Stack


def show(options: argparse.Namespace) -> int:
    """Print every value, with the project's defaults."""
    stack = open_stack(options)
    values = stack.decrypted_config() if options.show_secrets else stack.config.values
    merged = merge_project_config(stack.project, stack.name, values, validate=False)
    if options.json:
        shown = {key: _json(merged[key], reveal=options.show_secrets) for key in sorted(merged)}
        write(json.dumps(shown, indent=2, ensure_ascii=False))
        return 0
    prefix = f"{stack.project.name}:"
    table(
        ("KEY", "VALUE"),
        ((key.removeprefix(prefix), merged[key].blinded().text()) for key in sorted(merged)),
    )
    return 0


def get(options: argparse.Namespace) -> int:
    """Print one value, decrypted.

    Raises:
        EngineError: the stack and the project do not set it.
    """
    stack = open_stack(options)
    key, path = _key(options, stack)
    merged = merge_project_config(stack.project, stack.name, stack.config.values, validate=False)
    try:
        part = ConfigValue(part_of(merged[key].raw, path))
    except KeyError:
        raise EngineError(
            f"configuration key '{options.key}' not found for stack '{stack.name}': "
            f"set it with `config set {options.key} VALUE --stack {stack.name}`."
        ) from None
    value = part
    if part.encrypted:
        opened = stack.decrypted_config()[key]
        value = ConfigValue(part_of(opened.raw, path), secret=True)
    write(json.dumps(_json(value, reveal=True), indent=2) if options.json else value.text())
    return 0


def change(options: argparse.Namespace) -> int:
    """Set one value; a secret is encrypted before it touches the disk.

    Raises:
        EngineError: --secret with --plaintext, or no value and nobody to ask.
    """
    if options.secret and options.plaintext:
        raise EngineError("--secret and --plaintext contradict each other: pass one of them.")
    stack = open_stack(options)
    key, path = _key(options, stack)
    value = options.value if options.value is not None else _read_value(options)
    if _looks_secret(stack, key) and not options.secret and not options.plaintext:
        raise EngineError(
            f"'{options.key}' is declared secret in Pulumi.yaml: pass --secret to encrypt it."
        )
    config = stack.config
    part = coerce(value) if options.path else value
    if options.secret:
        crypter = stack.crypter()
        part = Ciphertext(crypter.encrypt(value))
        config.set_salt(crypter.salt)
    before = config.values[key].raw if key in config.values else None
    config.set(key, with_part(before, path, part))
    config.save()
    return 0


def remove(options: argparse.Namespace) -> int:
    """Remove one value; one that is not there is as good as removed."""
    stack = open_stack(options)
    key, path = _key(options, stack)
    config = stack.config
    if not path:
        config.remove(key)
    elif key in config.values:
        try:
            config.set(key, without_part(config.values[key].raw, path))
        except KeyError:
            return 0
    config.save()
    return 0


def _key(options: argparse.Namespace, stack: Stack) -> tuple[str, list[Part]]:
    """Return the key that is meant and, with --path, the way to a part of its value."""
    key, path = split_path(options.key) if options.path else (options.key, [])
    return check_key(stack.project.qualify(key)), path


def _read_value(options: argparse.Namespace) -> str:
    """Read the value where nobody sees it: a secret has no place in an argument list."""
    if can_ask(options):
        return getpass.getpass("value: ") if options.secret else input("value: ")
    if sys.stdin.isatty():
        raise EngineError("config set needs a VALUE, or one on standard input: none was given.")
    return sys.stdin.read().removesuffix("\n").removesuffix("\r")


def _looks_secret(stack: Stack, key: str) -> bool:
    return any(
        entry.secret and stack.project.qualify(entry.key) == key for entry in stack.project.config
    )


def _json(value: ConfigValue, *, reveal: bool) -> dict[str, Any]:
    """Return a value as `pulumi config --json` prints it; a hidden secret has no value at all."""
    if value.secret and not reveal:
        return {"secret": True}
    shown: dict[str, Any] = {"value": value.text()}
    if value.is_object:
        shown["objectValue"] = json.loads(value.text())
    return {**shown, "secret": value.secret}
