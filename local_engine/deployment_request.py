"""What a deployment is asked to do, and how it ended.

Owns the two records that pass between the command line and the engine, both of which are reached
through `deployment.py`. Reading a project, its configuration and its state into a request is the
caller's (`commands/operation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local_engine.project import Project
from local_engine.property_values import PropertyMap
from local_engine.resource_state import Snapshot

Kind = Literal["up", "preview", "refresh", "destroy"]


@dataclass(frozen=True, kw_only=True)
class UpdateRequest:
    """What to do to which stack.

    `preview` previews an `up`; `dry_run` turns any other kind into its preview. `config` is the
    stack's whole configuration in clear, keys with namespace; `secret_keys` name what is secret.
    """

    kind: Kind
    project: Project | str
    stack: str
    config: dict[str, str]
    program_dir: Path
    snapshot: Snapshot | None
    secret_keys: frozenset[str] | set[str] = frozenset()
    organization: str = "organization"
    refresh: bool = False
    parallel: int = 16
    dry_run: bool = False

    @property
    def project_name(self) -> str:
        """The project's name, which stands in every URN."""
        return self.project if isinstance(self.project, str) else self.project.name

    @property
    def is_preview(self) -> bool:
        """Whether nothing is to be changed."""
        return self.dry_run or self.kind == "preview"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a deployment ended."""

    succeeded: bool
    changes: dict[str, int]
    seconds: float
    outputs: PropertyMap | None
    snapshot: Snapshot
    cancelled: bool = False
