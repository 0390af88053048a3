"""Cloud KMS: key rings and keys.

Owns that a ring, once made, is there for ever (a deletion only forgets it), and the shape of a
rotation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from simulated_cloud.errors import InputProblem
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.gcp.gcp_type import GcpType, keeps
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

KEY_RING = "gcp:kms/keyRing:KeyRing"
CRYPTO_KEY = "gcp:kms/cryptoKey:CryptoKey"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,63}")
SHORTEST_ROTATION_SECONDS = 86_400


class KeyRing(GcpType):
    """kms.KeyRing."""

    token = KEY_RING
    title = "KeyRing"
    identity = "projects/{project}/locations/{location}/keyRings/{name}"
    replace_on = frozenset({"*"})


@keeps
class CryptoKey(GcpType):
    """kms.CryptoKey."""

    token = CRYPTO_KEY
    title = "CryptoKey"
    identity = "{keyRing}/cryptoKeys/{name}"
    replace_on = frozenset({"name", "keyRing", "purpose", "destroyScheduledDuration"})
    refers_to = {"keyRing": KEY_RING}  # noqa: RUF012

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield a name or rotation that KMS does not take."""
        name, rotation = inputs.get("name"), inputs.get("rotationPeriod")
        if name is not None and not _NAME.fullmatch(str(name)):
            yield InputProblem("name", f'"name" ("{name}") is no key\'s name')
        if rotation is not None:
            seconds = str(rotation).removesuffix("s")
            if not seconds.isdigit() or int(seconds) < SHORTEST_ROTATION_SECONDS:
                yield InputProblem(
                    "rotationPeriod",
                    f"must be at least {SHORTEST_ROTATION_SECONDS}s, got {rotation}",
                )

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the first version."""
        version = {"name": f"{identity}/cryptoKeyVersions/1", "state": "ENABLED"}
        return {"primaries": [version]}


TYPES = (KeyRing, CryptoKey)
