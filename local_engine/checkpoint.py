"""Snapshot to checkpoint and back: Pulumi's version 3 JSON, secrets encrypted.

Owns the mapping between `resource_state.Snapshot` and the file the CLI writes; single resources are
`resource_json.py`'s. Fields this engine does not know are carried along and secrets that did not
change keep their ciphertext: a state that passes through unchanged comes out unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from local_engine.errors import EngineError
from local_engine.json_shapes import rows, table
from local_engine.passphrase import Crypter
from local_engine.property_json import CiphertextMemory, PropertyDecoder, PropertyEncoder
from local_engine.resource_json import (
    features_of,
    place_of,
    read_resource,
    read_time,
    resource_json,
)
from local_engine.resource_state import Manifest, Operation, ResourceState, Snapshot

SCHEMA_VERSION = 3
# The release of the CLI whose format this is; it stands in the manifest of a new stack.
ENGINE_VERSION = "v3.272.0"
# What a version 4 checkpoint may need and this engine carries along unharmed.
_CARRIED_FEATURES = {"refreshBeforeUpdate", "views", "hooks", "taint", "replaceWith"}


class CheckpointReader:
    """Turns checkpoint JSON into a snapshot."""

    def __init__(self, unlock: Callable[[str], Crypter], memory: CiphertextMemory) -> None:
        """`unlock` finds the crypter of a salt; it is asked only when a secret is met."""
        self._unlock = unlock
        self._memory = memory

    def read(self, document: Mapping[str, Any], source: str) -> Snapshot:
        """Return the snapshot of a versioned checkpoint.

        Raises:
            EngineError: not a checkpoint, of another version, or not intact.
        """
        check_version(document, source)
        checkpoint = document.get("checkpoint")
        if not isinstance(checkpoint, dict):
            raise EngineError(
                f"{source} is not a Pulumi checkpoint (no `checkpoint` object): restore it from "
                "its .bak."
            )
        latest = cast("dict[str, Any]", checkpoint).get("latest")
        return self.read_deployment(latest or {}, source)

    def read_deployment(self, latest: Mapping[str, Any], source: str) -> Snapshot:
        """Return the snapshot of the inner deployment object, as `stack export` prints it."""
        try:
            return self._snapshot(latest)
        except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
            raise EngineError(
                f"{source} is not a Pulumi checkpoint ({type(error).__name__}: {error}): restore "
                "it from its .bak."
            ) from None

    def _snapshot(self, latest: Mapping[str, Any]) -> Snapshot:
        provider = latest.get("secrets_providers")
        decoder = PropertyDecoder(lambda: self._unlock(salt_of(provider)), self._memory)
        manifest = dict(latest.get("manifest") or {})
        known = {"manifest", "secrets_providers", "resources", "pending_operations", "metadata"}
        return Snapshot(
            manifest=Manifest(
                time=read_time(manifest.get("time")),
                magic=str(manifest.get("magic") or ""),
                version=str(manifest.get("version") or ""),
                plugins=list(manifest.get("plugins") or []),
            ),
            secrets_provider=provider,
            resources=[read_resource(raw, decoder) for raw in rows(latest.get("resources"))],
            pending_operations=[
                Operation(raw["type"], read_resource(raw["resource"], decoder, "pending"))
                for raw in rows(latest.get("pending_operations"))
            ],
            metadata=dict(latest.get("metadata") or {}),
            extra={key: value for key, value in latest.items() if key not in known},
        )


class CheckpointWriter:
    """Turns a snapshot into checkpoint JSON."""

    def __init__(self, crypter: Callable[[], Crypter], memory: CiphertextMemory) -> None:
        """Encrypt with what `crypter` returns."""
        self._crypter = crypter
        self._encoder = PropertyEncoder(crypter, memory)

    def write(self, snapshot: Snapshot, *, project: str, stack: str) -> dict[str, Any]:
        """Return the versioned checkpoint of a stack."""
        latest, features = self.deployment(snapshot)
        document: dict[str, Any] = {"version": 4 if features else SCHEMA_VERSION}
        if features:
            document["features"] = features
        document["checkpoint"] = {"stack": f"organization/{project}/{stack}", "latest": latest}
        return document

    def deployment(self, snapshot: Snapshot) -> tuple[dict[str, Any], list[str]]:
        """Return the inner deployment object and the features its reader must know."""
        version = snapshot.manifest.version or ENGINE_VERSION
        manifest: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "magic": magic(version),
            "version": version,
        }
        if snapshot.manifest.plugins:
            manifest["plugins"] = snapshot.manifest.plugins
        latest: dict[str, Any] = {
            "manifest": manifest,
            "secrets_providers": {
                "type": "passphrase",
                "state": {"salt": self._crypter().salt},
            },
        }
        features: set[str] = set()
        resources = [self._resource(state, "", features) for state in snapshot.resources]
        operations = [
            {"resource": self._resource(entry.resource, "pending", features), "type": entry.kind}
            for entry in snapshot.pending_operations
        ]
        if resources:
            latest["resources"] = resources
        if operations:
            latest["pending_operations"] = operations
        latest["metadata"] = snapshot.metadata
        latest.update(snapshot.extra)
        return latest, sorted(features)

    def _resource(self, state: ResourceState, place: str, features: set[str]) -> dict[str, Any]:
        def encode(name: str, value: Any) -> Any:
            return self._encoder.encode(value, place_of(state, place, name))

        features.update(features_of(state))
        return resource_json(state, encode)


def check_version(document: Mapping[str, Any], source: str) -> None:
    """Refuse a checkpoint or deployment this engine would not carry along unharmed."""
    version = document.get("version")
    if version not in (3, 4):
        raise EngineError(
            f"{source} has the schema version {version!r}: 3 and 4 are understood; run any update "
            "with a current Pulumi CLI to convert an older one."
        )
    foreign = sorted({str(name) for name in rows(document.get("features"))} - _CARRIED_FEATURES)
    if foreign:
        raise EngineError(
            f"{source} needs '{foreign[0]}', which this engine does not know: use the Pulumi CLI "
            "for this stack."
        )


def salt_of(provider: object) -> str:
    """Return the salt in a checkpoint's `secrets_providers`.

    Raises:
        EngineError: the state's secrets are encrypted by another provider.
    """
    kind = table(provider).get("type") or "none"
    salt = table(table(provider).get("state")).get("salt")
    if kind != "passphrase" or not isinstance(salt, str):
        raise EngineError(
            f"The state's secrets are encrypted with the provider '{kind}': this engine uses a "
            "passphrase only; run `pulumi stack change-secrets-provider passphrase`."
        )
    return salt


def magic(version: str) -> str:
    """Return the checksum by which the CLI recognises an intact manifest."""
    return hashlib.sha256(version.encode()).hexdigest() if version else ""
