"""The user information of URLs: `postgresql+psycopg2://***:***@host/mlflow`.

Owns where the user name and password of a URL begin and end. RFC 3986 lets them end at the last `@`
before the path; SQLAlchemy also accepts a password with a slash, a question mark or a space in it
that nobody quoted, and such a password must not survive either.

A database URL that names a user and no password is left as it is. In a web address, a user name
alone is most often a token.
"""

from __future__ import annotations

import re

from mlflow_platform_client.secret_patterns import MASK

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*$")
_LONGEST_SCHEME = 40
_DATABASES = (
    "postgres", "mysql", "mariadb", "mssql", "oracle", "sqlite", "redis", "mongodb", "amqp",
    "cockroachdb", "snowflake", "databricks", "clickhouse",
)  # fmt: skip
_NEXT_URL = re.compile(r"[,;]\s*[A-Za-z][A-Za-z0-9+.-]{0,40}://")
_QUOTED_USER_INFORMATION = re.compile(
    r"(?i)(%3A%2F%2F)((?:(?!%3A|%40|%2F)[^\s&\"'])*)%3A((?:(?!%40|%2F)[^\s&\"'])*)%40"
)


def mask_urls(text: str) -> str:
    """Mask user name and password of every URL in a text."""
    parts: list[str] = []
    position = 0
    while (found := text.find("://", position)) >= 0:
        start = found + 3
        scheme = _SCHEME.search(text, max(position, found - _LONGEST_SCHEME), found)
        end = None if scheme is None else _end_of_user_information(text, scheme, start)
        if scheme is None or end is None:
            parts.append(text[position:start])
            position = start
            continue
        has_password = ":" in text[start:end]
        parts += [text[position:start], f"{MASK}:{MASK}" if has_password else MASK]
        position = end
    text = "".join([*parts, text[position:]])
    return _QUOTED_USER_INFORMATION.sub(rf"\1{MASK}%3A{MASK}%40", text)


def _end_of_user_information(text: str, scheme: re.Match[str], start: int) -> int | None:
    """The index of the `@` behind a URL's user information; None when there is none to mask."""
    is_database = scheme[0].lower().startswith(_DATABASES)
    ends = [_end_of_url(text, scheme.start(), start)]
    if is_database:
        ends.append(_end_of_line(text, start))
    for end in ends:
        body = text[start:end]
        authority = re.split(r"[/?#]", body, maxsplit=1)[0]
        if "@" in authority:
            return _within_authority(text, scheme[0], start, body)
        user, colon, port = authority.partition(":")
        # `u:pa/ss@host`: no port is spelled like that, so the slash belongs to a password.
        is_port = port.isdigit() or not port
        if not colon or re.search(r"[\s\"'<>]", user) or (is_port and not is_database):
            return None
        if "@" in body:
            return start + (body.index("@") if end != ends[0] else body.rindex("@"))
    return None


def _within_authority(text: str, scheme: str, start: int, body: str) -> int | None:
    before_query = body.partition("?")[0]
    at = before_query.rindex("@") if "@" in before_query else body.index("@")
    is_token = "http" in scheme.lower() or scheme.lower() in ("ws", "wss")
    # `http://me@host/people/@name`: behind the path of a web address, an @ is no user information.
    if is_token:
        at = re.split(r"[/?#]", body, maxsplit=1)[0].rindex("@")
    if ":" not in text[start : start + at] and not is_token:
        return None
    return start + at


def _end_of_url(text: str, scheme_start: int, start: int) -> int:
    """A quoted URL ends at its quote, any other at white space or where the next one begins."""
    quote = text[scheme_start - 1 : scheme_start]
    space = re.compile(r"\s").search(text, start)
    end = len(text) if space is None else space.start()
    following = _NEXT_URL.search(text, start, end)
    end = end if following is None else following.start()
    if quote in ('"', "'", "`"):
        closing = text.find(quote, start, end)
        end = closing if closing >= 0 else end
    return end


def _end_of_line(text: str, start: int) -> int:
    """For a password with an unquoted space in it; far enough for any, not for a paragraph."""
    newline = text.find("\n", start, start + 160)
    return min(len(text), start + 160) if newline < 0 else newline
