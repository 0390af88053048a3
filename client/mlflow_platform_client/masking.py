"""Keeps secrets out of log records, exceptions and printed settings.

Owns `mask`, the one function everything passes through, and its three doors: `MaskingFilter` for
log records, `mask_exception` for foreign exceptions, `mask_setting` for settings. What a secret
looks like stands in `secret_patterns` and `secret_urls`.

A secret is recognised by where it stands (the user information of a URL, behind `password=`, in an
`Authorization` header) or by its own form (an AWS key, a JSON web token, a private key). One that
has neither, such as a password quoted in a sentence, is recognised only when it is named: pass it
in `secrets`. Where it is ambiguous how far a secret reaches, more is masked rather than less.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import traceback
from collections.abc import Iterable, Mapping
from typing import cast
from urllib.parse import quote, quote_plus

from mlflow_platform_client.secret_patterns import (
    MASK,
    contains_no_trigger,
    is_access_key_name,
    is_secret_name,
    mask_access_key,
    mask_forms,
    mask_named,
)
from mlflow_platform_client.secret_urls import mask_urls

_SHORTEST_KNOWN_SECRET = 4
_SHORTEST_ENVIRONMENT_SECRET = 8  # `DEBUG_TOKEN=on` must not blank out every "on"
_DEEPEST = 6


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without its secrets: `postgresql+psycopg2://***:***@host`, `AKIA****************`.

    `secrets` are values known to be secret; they are masked in every form they come back in
    (URL-quoted, JSON-escaped, base64 of the basic authentication header).
    """
    for form in _forms(secrets):
        if form in text:
            text = text.replace(form, MASK)
    return text if contains_no_trigger(text) else mask_forms(mask_named(mask_urls(text)))


def mask_setting(name: str, value: object, secrets: Iterable[str] = ()) -> str:
    """A setting's value as it may be printed, judged by its name as well as by its form."""
    text = str(value)
    if not text:
        return text
    if is_access_key_name(name):
        return mask_access_key(text)
    if is_secret_name(name):
        return MASK
    return mask(text, secrets)


def mask_exception(error: BaseException, secrets: Iterable[str] = ()) -> BaseException:
    """Mask the texts of an exception and of what caused it, in place, and return it.

    For exceptions caught at this package's gate only: they are about to be kept as a cause, and a
    printed traceback would show them in full.
    """
    known = tuple(secrets)
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.args = tuple(_masked(argument, known) for argument in current.args)
        for name in ("message", "reason", "strerror", "filename", "url"):
            value = getattr(current, name, None)
            if isinstance(value, str) and (safe := mask(value, known)) != value:
                setattr(current, name, safe)
        waiting += [current.__cause__, current.__context__]
        waiting += [argument for argument in current.args if isinstance(argument, BaseException)]
    return error


class MaskingFilter(logging.Filter):
    """Masks what a log record says, carries and was raised by. Attach it to handlers.

    A record whose text held a secret keeps the masked text alone: neither arguments nor the
    exception object remain from which another handler could print it.
    """

    def __init__(self, secrets: Iterable[str] | None = None) -> None:
        """Know these secrets; by default those in this process's environment."""
        super().__init__()
        self._secrets = tuple(environment_secrets() if secrets is None else secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place; every record passes."""
        self._mask_message(record)
        self._mask_traceback(record)
        if record.stack_info:
            record.stack_info = mask(record.stack_info, self._secrets)
        for name, value in record.__dict__.items():
            if name not in _STANDARD_ATTRIBUTES:
                record.__dict__[name] = _masked(value, self._secrets, name)
        return True

    def _mask_message(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception as error:  # logging itself reports it; secrets must not
            record.msg = f"{mask(str(record.msg), self._secrets)} [bad arguments: {error}]"
            record.args = None
            return
        # Only the finished sentence shows that what fills `password=%s` is a password.
        masked = mask(message, self._secrets)
        if masked != message:
            record.msg, record.args = masked, None
        elif isinstance(record.args, Mapping):
            record.args = {
                key: _masked(value, self._secrets, str(key)) for key, value in record.args.items()
            }

    def _mask_traceback(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
            masked = mask(text, self._secrets)
            if masked != text:
                record.exc_text, record.exc_info = masked, None
        elif record.exc_text:
            record.exc_text = mask(record.exc_text, self._secrets)


def mask_document(document: Mapping[str, object], secrets: Iterable[str] = ()) -> object:
    """A document for JSON with every text in it masked, by its name and by its form."""
    return _masked(dict(document), tuple(secrets))


def mask_handlers(
    logger: logging.Logger | None = None, secrets: Iterable[str] | None = None
) -> None:
    """Put a `MaskingFilter` on every handler of a logger, by default the root's; once is enough."""
    for handler in (logger or logging.getLogger()).handlers:
        if not any(isinstance(item, MaskingFilter) for item in handler.filters):
            handler.addFilter(MaskingFilter(secrets))


def environment_secrets(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Values of this process's environment whose names say that they are secret."""
    environ = os.environ if environ is None else environ
    return tuple(
        value
        for name, value in environ.items()
        if is_secret_name(name) and len(value) >= _SHORTEST_ENVIRONMENT_SECRET
    )


_STANDARD_ATTRIBUTES = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"}
)


def _masked(value: object, secrets: tuple[str, ...], name: str = "", depth: int = 0) -> object:
    """A value of any kind with the strings in it masked; other objects stay as they are."""
    if isinstance(value, str):
        return mask_setting(name, value, secrets)
    if depth >= _DEEPEST:
        return value
    if type(value) is dict:
        items = cast("dict[object, object]", value)
        return {key: _masked(item, secrets, str(key), depth + 1) for key, item in items.items()}
    if type(value) in (list, tuple):
        members: Iterable[object] = value  # pyright: ignore[reportAssignmentType]
        changed = [_masked(item, secrets, name, depth + 1) for item in members]
        return tuple(changed) if isinstance(value, tuple) else changed
    return value


def _forms(secrets: Iterable[str]) -> list[str]:
    """Every way a known secret may be written, longest first: one may contain another."""
    forms: set[str] = set()
    for secret in secrets:
        if len(secret) >= _SHORTEST_KNOWN_SECRET:
            forms |= {
                secret,
                quote(secret, safe=""),
                quote(secret),
                quote_plus(secret),
                json.dumps(secret)[1:-1],
                repr(secret)[1:-1],
                base64.b64encode(secret.encode()).decode(),
            }
    return sorted(forms, key=len, reverse=True)
