"""A key of the customer's own for database, bucket and secrets.

Owns the key ring, the key with its rotation and the right of Google's service agents to use it.
Without `customerManagedKey` nothing is made and Google encrypts with keys of its own. A key ring
can never be deleted; the key's versions are destroyed with it, and everything encrypted is then
gone, so the key is protected wherever data is.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

ROTATION = f"{90 * 24 * 3600}s"
"""Every 90 days, as CIS Google Cloud Foundation Benchmark 1.10 asks."""

DESTROY_AFTER = f"{30 * 24 * 3600}s"
"""In which the destruction of a version can be taken back (Google's default)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncryptionKeyWiring:
    """Who encrypts, and where."""

    region: str
    members: dict[str, pulumi.Input[str]]  # service agents that encrypt, by a short name
    labels: dict[str, str]
    protect: bool


class EncryptionKey(pulumi.ComponentResource):
    """A symmetric key that Google's services encrypt with."""

    key_id: pulumi.Output[str]
    grants: list[pulumi.Resource]  # what encrypts waits for them

    def __init__(
        self, name: str, wiring: EncryptionKeyWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make the key."""
        super().__init__("mlflow-platform:gcp:EncryptionKey", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        ring = gcp.kms.KeyRing(f"{name}-ring", name=name, location=wiring.region, opts=child)
        key = gcp.kms.CryptoKey(
            f"{name}-key",
            name="data",
            key_ring=ring.id,
            purpose="ENCRYPT_DECRYPT",
            rotation_period=ROTATION,
            destroy_scheduled_duration=DESTROY_AFTER,
            labels=wiring.labels,
            opts=pulumi.ResourceOptions(parent=self, protect=wiring.protect),
        )
        self.grants = [
            gcp.kms.CryptoKeyIAMMember(
                f"{name}-{who}",
                crypto_key_id=key.id,
                role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
                member=member,
                opts=child,
            )
            for who, member in wiring.members.items()
        ]
        self.key_id = key.id
        self.register_outputs({"key_id": self.key_id})
