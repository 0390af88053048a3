"""Keeps secrets out of everything the check prints.

Owns what a secret looks like on its way out: the values this process was given (passwords,
tokens, also in their URL-quoted and JSON-escaped forms), the user information of any URL, and any
JSON web token. Every report passes its text through one `Masker`.

Text that others wrote (a server's answer, an exception) is masked for every known secret. The
report as a whole is masked only for secrets of eight characters or more: a password such as
`test` would otherwise blank out half of the check's own words.
"""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus

MASK = "[secret]"

_USER_INFORMATION = re.compile(r"(?<=://)[^\s\"'<>]*@")
_WEB_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")
_AUTHORIZATION = re.compile(
    r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer)\s+)[^\s\"']+"
)
_LONG_ENOUGH_TO_BE_UNMISTAKABLE = 8


class Masker:
    """Replaces the secrets it was told of, and what plainly is one, by `[secret]`."""

    def __init__(self) -> None:
        """Know no secret yet."""
        self._forms: set[str] = set()

    def remember(self, *secrets: str | None) -> None:
        """Mask these values from now on, in every form they may come back in."""
        for secret in secrets:
            if secret:
                self._forms |= {
                    secret,
                    quote(secret, safe=""),
                    quote_plus(secret),
                    json.dumps(secret)[1:-1],
                    repr(secret)[1:-1],
                }

    def remember_basic(self, username: str, password: str) -> None:
        """Mask a password, also inside the header of HTTP basic authentication."""
        self.remember(password, base64.b64encode(f"{username}:{password}".encode()).decode())

    def foreign(self, text: str) -> str:
        """Mask text that somebody else wrote: an answer, an exception, another program's output."""
        return self._mask(text, shortest=1)

    def report(self, text: str) -> str:
        """Mask a line of the check's own report."""
        return self._mask(text, shortest=_LONG_ENOUGH_TO_BE_UNMISTAKABLE)

    def _mask(self, text: str, *, shortest: int) -> str:
        # Longest first: a secret may contain another one.
        for form in sorted(self._forms, key=len, reverse=True):
            if len(form) >= shortest:
                text = text.replace(form, MASK)
        text = _AUTHORIZATION.sub(rf"\g<1>{MASK}", text)
        text = _WEB_TOKEN.sub(MASK, text)
        return _USER_INFORMATION.sub(f"{MASK}@", text)
