"""Keeps secrets out of everything the check prints.

Owns what a secret looks like on its way out: the values this process was given (passwords,
tokens, however URLs, JSON, Python or HTML write them), the user information of any URL, and any
JSON web token. Every report passes its text through one `Masker`.

Text that others wrote (a server's answer, an exception) is masked for every known secret. The
report as a whole is masked only for secrets of eight characters or more: a password such as
`test` would otherwise blank out half of the check's own words.
"""

from __future__ import annotations

import base64
import json
import re

MASK = "[secret]"

_USER_INFORMATION = re.compile(r"(?<=://)[^\s\"'<>]*@")
_WEB_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")
_AUTHORIZATION = re.compile(
    r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer)\s+)[^\s\"']+"
)
_HTML = {
    "&": ("&amp;",),
    "<": ("&lt;",),
    ">": ("&gt;",),
    '"': ("&quot;", "&#34;"),
    "'": ("&#x27;", "&#39;"),
}
_LONG_ENOUGH_TO_BE_UNMISTAKABLE = 8


class Masker:
    """Replaces the secrets it was told of, and what plainly is one, by `[secret]`."""

    def __init__(self) -> None:
        """Know no secret yet."""
        self._patterns: dict[str, re.Pattern[str]] = {}

    def remember(self, *secrets: str | None) -> None:
        """Mask these values from now on, in every form they may come back in."""
        for secret in secrets:
            if secret and secret not in self._patterns:
                self._patterns[secret] = re.compile("".join(map(_any_spelling, secret)))

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
        for secret in sorted(self._patterns, key=len, reverse=True):
            if len(secret) >= shortest:
                text = self._patterns[secret].sub(MASK, text)
        text = _AUTHORIZATION.sub(rf"\g<1>{MASK}", text)
        text = _WEB_TOKEN.sub(MASK, text)
        return _USER_INFORMATION.sub(f"{MASK}@", text)


def _any_spelling(character: str) -> str:
    """A pattern for one character as it stands, and as URLs, JSON, Python and HTML write it."""
    spellings = {
        character,
        json.dumps(character)[1:-1],
        json.dumps(character, ensure_ascii=False)[1:-1],
        repr(character)[1:-1],
        repr("'\"" + character)[4:-1],  # as between both kinds of quotes
        *_HTML.get(character, ()),
    }
    if character == " ":
        spellings.add("+")
    alternatives = [re.escape(one) for one in sorted(spellings, key=len, reverse=True)]
    if not character.isalnum() or not character.isascii():
        percent = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
        alternatives.insert(0, f"(?i:{percent})")
    return f"(?:{'|'.join(alternatives)})"
