"""The simulated Google Cloud project: who it is and what is in it.

Owns the project's numbers and the answers that need more than one resource: is something there by
its id, its name or its link. Resources are kept in a file (`file_store`), which is also how drift
is injected from outside: no emulator of Google's control plane is to be had.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulated_cloud.file_store import FileStore
from simulated_cloud.property_values import Properties

PROJECT_NUMBER = "210987654321"
"""Of every simulated project."""


@dataclass(frozen=True, slots=True)
class GcpCloud:
    """A project and region as one provider sees them."""

    store: FileStore
    project: str
    region: str

    def find(self, token: str, reference: str) -> Properties | None:
        """A resource that is referred to by id, name or link."""
        for identity, properties in self.store.list(token).items():
            names = {identity, *(properties.get(key) for key in NAMES)}
            if reference in names or identity.endswith(f"/{reference}"):
                return properties
        return None


NAMES = ("name", "selfLink", "id", "secretId", "repositoryId", "accountId", "email", "bucket")
"""Properties by which others refer to a resource."""
