"""Passwords that the platform makes on Google Cloud.

Owns their length and characters. Where they are kept for people and containers is `secret`'s.
"""

from __future__ import annotations

import pulumi
import pulumi_random as random

PASSWORD_LENGTH = 32
"""Letters and digits: 190 bits, more than the key that protects them."""


def made_password(name: str, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """A password that is in the state, encrypted, and that nobody has chosen."""
    password = random.RandomPassword(name, length=PASSWORD_LENGTH, special=False, opts=opts)
    return pulumi.Output.secret(password.result)
