"""Secrets that stand in clear in a stack's file.

Owns the one question whether a password was written down where it would be committed. It may come
encrypted (`config set --secret`) or from a variable (`${MLFLOW_DB_PASSWORD}`). Pulumi's own
`secret: true` cannot ask it: that demands even an empty default encrypted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from infra.settings_declarations import BY_KEY
from infra.settings_interpolation import literal_part
from infra.settings_parsing import Problem, command_to_encrypt, problem

_VARIABLE = {
    "authAdminPassword": "${MLFLOW_ADMIN_PASSWORD}",
    "backendStoreUri": "${MLFLOW_DB_PASSWORD} in the password's place",
    "oidcClientSecret": "${OIDC_CLIENT_SECRET}",
}


def secrets_in_clear(values: Mapping[str, str], encrypted: Collection[str]) -> Iterator[Problem]:
    """Passwords that are neither encrypted nor taken from a variable; never shown."""
    target = values.get("target", str(BY_KEY["target"].default))
    for key in sorted(values.keys() & BY_KEY.keys()):
        if key in encrypted or not BY_KEY[key].secret:
            continue
        if _holds_a_password(key, values[key]):
            yield problem(
                key,
                "holds a password in clear, which a commit would give away: encrypt it with "
                f"{command_to_encrypt(key, target)}, or write {_VARIABLE[key]}",
            )


def _holds_a_password(key: str, text: str) -> bool:
    written = literal_part(text)
    if key != "backendStoreUri":
        return bool(written)
    user_and_password = written.partition("://")[2].rpartition("@")[0]
    return bool(user_and_password.partition(":")[2])
