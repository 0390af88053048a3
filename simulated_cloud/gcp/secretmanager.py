"""Secret Manager: secrets and their versions.

Owns numbering versions, and that a value is secret wherever it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from simulated_cloud.errors import InputProblem
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.gcp.gcp_type import GcpType
from simulated_cloud.gcp.iam import SECRET
from simulated_cloud.gcp.kms import CRYPTO_KEY
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

_SECRET_ID = re.compile(r"[a-zA-Z0-9_-]{1,255}")
KEY_PATH = "replication.userManaged.replicas.customerManagedEncryption.kmsKeyName"
VERSION = "gcp:secretmanager/secretVersion:SecretVersion"


class Secret(GcpType):
    """secretmanager.Secret."""

    token = SECRET
    title = "Secret"
    identity = "projects/{project}/secrets/{secretId}"
    replace_on = frozenset({"secretId", "project", "replication"})
    refers_to = {KEY_PATH: CRYPTO_KEY}  # noqa: RUF012

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield an id that Secret Manager does not take."""
        secret_id = inputs.get("secretId")
        if secret_id is not None and not _SECRET_ID.fullmatch(str(secret_id)):
            yield InputProblem("secretId", f"invalid secret id: {secret_id}")

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the full name."""
        return {"name": identity}


class SecretVersion(GcpType):
    """secretmanager.SecretVersion: a number for each value."""

    token = VERSION
    title = "SecretVersion"
    identity = "{secret}/versions/{version}"
    replace_on = frozenset({"*"})
    refers_to = {"secret": SECRET}  # noqa: RUF012
    secret_outputs = frozenset({"secretData"})
    defaults = {"enabled": True}  # noqa: RUF012

    def _scoped(self, cloud: GcpCloud, inputs: Properties) -> Properties:
        prefix = f"{inputs['secret']}/versions/"
        numbers = [
            int(identity.removeprefix(prefix))
            for identity in cloud.store.list(VERSION)
            if identity.startswith(prefix)
        ]
        return {**inputs, "version": str(max(numbers, default=0) + 1)}

    def delete_before_replace(self, olds: Properties, news: Properties) -> bool:
        """A new value stands beside the old one until nobody reads that."""
        return False

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the full name."""
        return {"name": identity}


TYPES = (Secret, SecretVersion)
