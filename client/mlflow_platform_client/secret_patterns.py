"""What a secret looks like in a text, apart from URLs.

Owns the secrets that are recognised by the name they stand behind (`password=…`, `"token": "…"`,
`--password …`, `Authorization: …`) and those recognised by their own form (AWS keys, JSON web
tokens, private keys, the tokens of well-known services). User information of URLs is
`secret_urls`' subject.
"""

from __future__ import annotations

import base64
import binascii
import re

MASK = "***"

_TRIGGER = re.compile(
    r"(?i)://|%3A%2F%2F|pass|pwd|secret|key|signature|token|authorization|bearer|basic|eyJ|AKIA|ASIA"
    r"|gh[pousr]_|github_pat_|glpat-|hf_|xox|sk-|ya29\.|AIza|dapi"
)
_SECRET_WORD = re.compile(
    r"(?i)password|passwd|passphrase|pwd|pass|secret[_-]?access[_-]?key|secret[_-]?key|secret"
    r"|(?:api|private|account)[_-]?key|access[_-]?key[_-]?id|access[_-]?key|signature|token"
    r"|authorization"
)
# A model's vocabulary has tokens too, and everybody may read those.
_HARMLESS_TOKENS = frozenset({
    "bos", "eos", "pad", "unk", "mask", "sep", "cls", "special", "vocab", "decoder", "encoder",
    "image", "page", "next", "prev", "num", "max", "min", "per", "first", "last", "new", "added",
    "start", "end", "stop",
})  # fmt: skip
_LAST_WORD = re.compile(r"([A-Z]?[a-z]+|[A-Z]+)[_\- ]?$")
_FLAG = re.compile(r"--[\w-]*$")
_QUERY = re.compile(r"[?&][\w.%-]*$")

_AFTER_NAME = re.compile(r"(\\*[\"'])?\]?[ \t]*(?:=>|:=|==?|:(?!//|:))[ \t]*")
_AFTER_FLAG = re.compile(r"(?:\\*[\"'],[ \t]*(?=\\*[\"'])|[ \t]+(?!-))")
_BEFORE_QUOTED = re.compile(r"[ \t]+(?=\\*[\"'])")

_OPENING = re.compile(r"[bru]{0,2}(\\*)([\"'])")
_STRUCTURE = (*" \t\r\n,;:)]}>&\"'\\`", "")
_BARE = re.compile(r"\S*")
_QUERY_VALUE = re.compile(r"[^\s&#\"'<>]*")
_CLOSING = ",;)]}\"'"
_NO_SECRET = re.compile(r"(?i)none|null|true|false|\*\*\*|\[secret\]|\$\{[a-z_]\w*\}|%s|%r|\{\}|")
_SCHEME = re.compile(r"(?i)(basic|bearer|token|digest|negotiate|[a-z]\w*-hmac-sha\d+)[ \t]+")

_FORMS = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{20,}"
    r"|xox[a-z]-[\w-]{10,}|(?<![A-Za-z0-9])sk-[\w-]{20,}|ya29\.[\w-]{16,}|AIza[\w-]{30,}"
    r"|dapi[0-9a-f]{32}(?:-\d)?"
)
_DOTTED = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]++)++")
_ACCESS_KEY = re.compile(r"(AKIA|ASIA)([A-Z0-9]{16,})")
_SECRET_ACCESS_KEY = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_BEARER = re.compile(r"(?i)(\bbearer[ \t]+)([\w.~+/-]{6,}=*)")
_BEARER_PROSE = re.compile(r"(?i)(?:authenticat|authori[sz]at|credential)[a-z]*$")
_BASIC = re.compile(r"(?i)(\bbasic[ \t]+)([A-Za-z0-9+/]{4,}={0,2})")
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----)(.*?)(-----END [A-Z ]{0,20}PRIVATE KEY-----|\Z)",
    re.DOTALL,
)


def contains_no_trigger(text: str) -> bool:
    """Whether nothing in a text can be a secret: most log lines end here."""
    return _TRIGGER.search(text) is None


def is_secret_name(name: str) -> bool:
    """Whether a setting or variable of this name holds a secret: its last word decides."""
    return any(
        match.end() == len(name) and _is_secret_word(name, match) and not is_access_key_name(name)
        for match in _SECRET_WORD.finditer(name)
    )


def is_access_key_name(name: str) -> bool:
    """Whether this is the public half of an AWS key, of which four characters may be seen."""
    return re.search(r"(?i)access[_-]?key[_-]?id$", name) is not None


def mask_access_key(value: str) -> str:
    """The first four characters tell which kind of key it is."""
    return value[:4] + "*" * (len(value) - 4) if len(value) > 8 else MASK


def mask_named(text: str) -> str:
    """Mask what stands behind a name that says so."""
    parts: list[str] = []
    position = 0
    while (match := _SECRET_WORD.search(text, position)) is not None:
        span = _value_span(text, match) if _is_secret_word(text, match) else None
        if span is None:
            parts.append(text[position : match.end()])
            position = match.end()
            continue
        value = text[slice(*span)]
        safe = value if _NO_SECRET.fullmatch(value) else MASK
        if safe is MASK and is_access_key_name(match[0]):
            safe = mask_access_key(value)
        parts += [text[position : span[0]], safe]
        position = span[1]
    return "".join([*parts, text[position:]])


def mask_forms(text: str) -> str:
    """Mask what is a secret by its own form, wherever it stands."""
    text = _PRIVATE_KEY.sub(rf"\1{MASK}\3", text)
    if _ACCESS_KEY.search(text):
        # The other half often stands beside it, without a name.
        text = _SECRET_ACCESS_KEY.sub(_unless_plain, text)
        text = _ACCESS_KEY.sub(lambda match: match[1] + "*" * len(match[2]), text)
    text = _BEARER.sub(_bearer, text)
    text = _BASIC.sub(_basic, text)
    text = _DOTTED.sub(_web_token, text) if "eyJ" in text else text
    return _FORMS.sub(MASK, text)


def _is_secret_word(text: str, match: re.Match[str]) -> bool:
    word, before = match[0].lower(), text[max(0, match.start() - 40) : match.start()]
    match word:
        case "pwd":  # `PWD` is the working directory
            return before.endswith(("_", ";"))
        case "pass":
            return before.endswith("_")
        case "signature":
            return before.lower().endswith(("x-amz-", "x-goog-"))
        case "token":
            last = _LAST_WORD.search(before)
            return last is None or last[1].lower() not in _HARMLESS_TOKENS
        case _:
            return True


def _value_span(text: str, name: re.Match[str]) -> tuple[int, int] | None:
    """Where the value behind a name begins and ends; None when there is no value."""
    before = text[max(0, name.start() - 80) : name.start()]
    separator = _AFTER_NAME.match(text, name.end())
    if separator is None and _FLAG.search(before):
        separator = _AFTER_FLAG.match(text, name.end())
    if separator is None and name[0].lower().startswith("pass"):
        separator = _BEFORE_QUOTED.match(text, name.end())  # SQL: PASSWORD 'x'
    if separator is None:
        return None
    start = separator.end()
    opening = _OPENING.match(text, start)
    if opening is not None:
        return _skip_scheme(text, name, opening.end(), _closing_quote(text, opening))
    if name[0].lower() == "authorization":
        return _header_value(text, start)
    pattern = _QUERY_VALUE if _QUERY.search(before) else _BARE
    end = _end(pattern.match(text, start), start)
    if _NO_SECRET.fullmatch(text, start, end):
        return start, end
    end = start + len(text[start:end].rstrip(_CLOSING))
    return (start, end) if end > start else None


def _closing_quote(text: str, opening: re.Match[str]) -> int:
    """Where a quoted value ends: JSON in JSON, and a repr of JSON, escape their quotes further."""
    depth, quote = len(opening[1]), opening[2]
    position = opening.end()
    while (position := text.find(quote, position)) >= 0:
        escapes = _backslashes_before(text, position, opening.end())
        following = text[position + 1 : position + 2]
        if escapes == depth and not (
            depth == 0 and following == quote and _goes_on(text, position)
        ):
            return position - depth
        # A value that ends in a backslash; or an escaped quote in it, which more text follows.
        excess = escapes - depth
        if excess > 0 and excess % (2 * (depth + 1)) == 0 and following in _STRUCTURE:
            return position - depth
        position += 2 if following == quote and escapes == depth == 0 else 1
    # Cut off before its closing quote: nobody knows where it ends but at the end of the line.
    newline = text.find("\n", opening.end())
    return len(text) if newline < 0 else newline


def _goes_on(text: str, position: int) -> bool:
    """SQL doubles a quote inside a value; `''` with nothing behind it is an empty value."""
    following = text[position + 2 : position + 3]
    return bool(following) and following not in _STRUCTURE


def _backslashes_before(text: str, position: int, start: int) -> int:
    end = position
    while position > start and text[position - 1] == "\\":
        position -= 1
    return end - position


def _header_value(text: str, start: int) -> tuple[int, int] | None:
    scheme = _SCHEME.match(text, start)
    if scheme is None or scheme[1].lower() in ("basic", "bearer", "token"):
        begin = start if scheme is None else scheme.end()
        end = _end(_BARE.match(text, begin), begin)
        end = begin + len(text[begin:end].rstrip(_CLOSING))
    else:  # a list of parameters, up to the end of the header
        begin = scheme.end()
        end = _end(re.compile(r"[^\r\n]*").match(text, begin), begin)
    return (begin, end) if end > begin else None


def _skip_scheme(text: str, name: re.Match[str], start: int, end: int) -> tuple[int, int]:
    if name[0].lower() == "authorization":
        scheme = _SCHEME.match(text, start, end)
        return (start if scheme is None else scheme.end(), end)
    return start, end


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return otherwise if match is None else match.end()


def _unless_plain(match: re.Match[str]) -> str:
    """A secret access key has capitals, small letters and digits; a checksum or a path does not."""
    value = match[0]
    kinds = (str.isupper, str.islower, str.isdigit)
    return MASK if all(any(kind(c) for c in value) for kind in kinds) else value


def _web_token(match: re.Match[str]) -> str:
    """A JSON web token is two or three parts; the first begins with `{"` in base64."""
    parts = match[0].split(".")
    for index, part in enumerate(parts[:-1]):
        begin = part.find("eyJ")
        if begin >= 0 and len(part) - begin > 10:
            return ".".join([*parts[:index], part[:begin] + MASK, *parts[index + 3 :]])
    return match[0]


def _bearer(match: re.Match[str]) -> str:
    token = match[2]
    is_word = token.isalpha() and (len(token) < 16 or _BEARER_PROSE.match(token))
    return match[0] if is_word else match[1] + MASK


def _basic(match: re.Match[str]) -> str:
    """The header of basic authentication is base64 of `user:password`; nothing else is masked."""
    value = match[2]
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return match[0]
    return match[1] + MASK if b":" in decoded else match[0]
