"""Passwords that nobody needs to know, generated once and kept as secrets of the stack.

Owns their generation. They are encrypted in the stack's state like every Pulumi secret, and
reach processes only through private files. The administrator's is kept beside the data as well:
MLflow stores it in the database at its first start and takes no other one later, so it must live
as long as the data does, which outlives the stack's state (`make down`).
"""

from __future__ import annotations

import secrets
from pathlib import Path

import pulumi
from pulumi.dynamic import Resource

from infra.local.layout import private_directory, write_private_file
from infra.local.provider import LocalProvider, Properties

PASSWORD_BYTES = 32


class PasswordProvider(LocalProvider):
    """Draws a password from the system's randomness."""

    replace_on = frozenset({"purpose"})
    computed = frozenset({"value"})

    def make(self, props: Properties) -> tuple[str, Properties]:
        """A new password, or the one kept with the data that it opens.

        Letters, digits, `-` and `_` only, so that no format needs quoting.
        """
        value = kept_password(props.get("kept_in"))
        if value is None:
            value = secrets.token_urlsafe(PASSWORD_BYTES)
            _keep(props, value)
        return str(props["purpose"]), {"value": value}

    def change(self, olds: Properties, news: Properties) -> Properties:
        """The password stays; where it is kept may change."""
        _keep(news, str(olds["value"]))
        return {"value": olds["value"]}

    def remove(self, props: Properties) -> None:
        """What is kept with the data goes with the data."""
        if props.get("kept_in") and props.get("purge"):
            Path(props["kept_in"]).unlink(missing_ok=True)


def kept_password(file: str | Path | None) -> str | None:
    """The password kept in `file`; None when there is none."""
    if not file:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _keep(props: Properties, value: str) -> None:
    if props.get("kept_in"):
        path = Path(props["kept_in"])
        private_directory(path.parent)
        write_private_file(path, f"{value}\n")


class Password(Resource, module="local", name="Password"):
    """One generated password."""

    value: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        purpose: str,
        opts: pulumi.ResourceOptions,
        kept_in: Path | None = None,
        purge: bool = False,
    ) -> None:
        """Declare a password; `purpose` says in the state what it opens.

        One that is `kept_in` a file is found there again after the stack was destroyed, unless
        `purge` says that the data goes too.
        """
        kept = {"kept_in": str(kept_in), "purge": purge} if kept_in else {}
        super().__init__(
            PasswordProvider(),
            name,
            {"purpose": purpose, "value": None, **kept},
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["value"])
            ),
        )
