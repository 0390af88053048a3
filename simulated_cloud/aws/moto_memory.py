"""The emulator's own memory, for what its API takes and then forgets.

Owns the one way in. It is used where moto answers a call without keeping what it was given (RDS's
Performance Insights, for one), or has no call for a change that AWS has one for (backup plans).
What is written there is read back through boto3 like everything else.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from simulated_cloud.aws.cloud import AwsCloud


def moto_backend(aws: AwsCloud, service: str) -> Any:
    """Return moto's model of a service in the account and region."""
    # By name: a type checker would read all of moto for an answer that has no type.
    find: Any = import_module("moto.backends").get_backend
    return find(service)[aws.account_id][aws.region]
