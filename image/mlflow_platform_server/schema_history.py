"""Which schema revision the installed MLflow wants, read from its migration scripts.

Without importing MLflow or Alembic, which takes a second or more: the scripts say at their top what
they are and what they follow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mlflow_platform_server.errors import CannotStart

SCRIPTS = Path("store") / "db_migrations" / "versions"

REVISION = re.compile(r"^revision(?:\s*:[^=]+)?\s*=\s*[\"'](\w+)[\"']", re.MULTILINE)
PARENTS = re.compile(r"^down_revision(?:\s*:[^=]+)?\s*=\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class History:
    """The revisions that the installed MLflow has scripts for."""

    head: str
    known: frozenset[str]


def installed_revisions() -> History:
    """The history in the installed MLflow.

    Raises:
        CannotStart: MLflow is not installed, or damaged.
    """
    spec = find_spec("mlflow")  # does not import it
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart("MLflow is not installed beside this server: install it")
    return read_history(Path(spec.submodule_search_locations[0]) / SCRIPTS)


def read_history(folder: Path) -> History:
    """The history that the scripts in `folder` tell."""
    known: set[str] = set()
    parents: set[str] = set()
    for script in folder.glob("*.py"):
        text = script.read_text(encoding="utf-8").partition("\ndef ")[0]
        if revision := REVISION.search(text):
            known.add(revision[1])
            if told := PARENTS.search(text):
                parents.update(re.findall(r"[\"'](\w+)[\"']", told[1]))
    heads = known - parents
    if len(heads) != 1:
        raise CannotStart(
            f"MLflow's migrations in {folder} end in {len(heads)} revisions instead of one: the "
            "installation is damaged, install it anew"
        )
    return History(head=heads.pop(), known=frozenset(known))
