"""Passwords that nobody needs to know, generated once and kept as secrets of the stack.

Owns their generation. They are encrypted in the stack's state like every Pulumi secret, and
reach processes only through private files.
"""

from __future__ import annotations

import secrets

import pulumi
from pulumi.dynamic import Resource

from infra.local.provider import LocalProvider, Properties

PASSWORD_BYTES = 32


class PasswordProvider(LocalProvider):
    """Draws a password from the system's randomness."""

    replace_on = frozenset({"purpose"})
    computed = frozenset({"value"})

    def make(self, props: Properties) -> tuple[str, Properties]:
        """A new password; letters, digits, `-` and `_` only, so that no format needs quoting."""
        return str(props["purpose"]), {"value": secrets.token_urlsafe(PASSWORD_BYTES)}

    def change(self, olds: Properties, news: Properties) -> Properties:
        """Nothing of a password changes in place."""
        del news
        return {"value": olds["value"]}


class Password(Resource, module="local", name="Password"):
    """One generated password."""

    value: pulumi.Output[str]

    def __init__(self, name: str, *, purpose: str, opts: pulumi.ResourceOptions) -> None:
        """Declare a password; `purpose` says in the state what it opens."""
        super().__init__(
            PasswordProvider(),
            name,
            {"purpose": purpose, "value": None},
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["value"])
            ),
        )
