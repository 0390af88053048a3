"""A run put away before it is deleted: its rows and its files, each checked by reading it back.

Owns the shape of the archive: for each run a folder `<stack>/<experiment>/<run>/` with `rows.jsonl`
(every row of the run, its metrics' whole history), the files as they were, and `manifest.json` with
the SHA-256 and size of each, written last. A run without a manifest was not put away.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from operations.archive.locations import name_below
from operations.archive.stores import Store, lies_inside
from operations.archive.streams import Hashed, Pieces, Readable
from operations.retention_plan import Run
from smoke_tests.errors import CouldNotLook

TABLES = ("runs", "params", "metrics", "latest_metrics", "tags")
"""Where a run's rows are, by `run_uuid`."""

MANIFEST = "manifest.json"
ROWS = "rows.jsonl"
PIECE = 1 << 18


@dataclass(frozen=True, kw_only=True, slots=True)
class PutAway:
    """One run in the archive."""

    run_id: str
    uri: str
    files: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """Where runs are put away, and where they are taken from."""

    place: Store
    artifacts: Store
    stack: str
    now: str  # when, in words: goes into the manifests
    progress: Callable[[str], None]

    def put(self, connection: Any, run: Run) -> PutAway:
        """Copy a run, read the copy back, and write its manifest.

        Raises:
            CouldNotLook: the copy is not what was read, or could not be made.
        """
        folder = f"{self.stack}/{run.experiment_id}/{run.run_id}"
        self.progress(f"archiving run {run.run_id}")
        written: dict[str, dict[str, object]] = {}
        written[ROWS] = self._copy(f"{folder}/{ROWS}", Pieces(_rows(connection, run)))
        for label, uri in _folders(run):
            below = name_below(self.artifacts.uri, uri)
            if below is None:
                raise CouldNotLook(
                    f"run {run.run_id} keeps artifacts at {uri}, outside {self.artifacts.uri}: "
                    "nothing was deleted; archive it by hand, or leave --archive out"
                )
            for item in self.artifacts.list(f"{below}/"):
                name = f"{label}/{item.name.removeprefix(f'{below}/')}"
                with self.artifacts.open(item.name) as source:
                    written[name] = self._copy(f"{folder}/{name}", source, item.size_bytes)
        manifest = {
            "run_id": run.run_id,
            "experiment": run.experiment,
            "archived": self.now,
            "artifact_uris": list(run.artifact_uris),
            "files": written,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
        self._copy(f"{folder}/{MANIFEST}", Pieces(iter([text])))
        return PutAway(
            run_id=run.run_id,
            uri=f"{self.place.uri}/{folder}",
            files=len(written),
            size_bytes=sum(int(str(entry["bytes"])) for entry in written.values()),
        )

    def _copy(self, name: str, source: Readable, about_bytes: int = 0) -> dict[str, object]:
        reading = Hashed(source)
        self.place.write(name, reading, about_bytes=about_bytes)
        with self.place.open(name) as copy:
            back = Hashed(copy)
            while back.read(PIECE):
                pass
        if (back.sha256, back.size_bytes) != (reading.sha256, reading.size_bytes):
            raise CouldNotLook(
                f"{self.place.uri}/{name} holds other bytes than were written to it: nothing was "
                "deleted; look at that place, and archive again"
            )
        return {"sha256": reading.sha256, "bytes": reading.size_bytes}


def refuse_overlap(archive: Store, artifacts: Store, stack: str) -> None:
    """Stop where the archive lies among the artifacts: a run's own folder may be its archive then.

    Raises:
        CouldNotLook: it does.
    """
    if lies_inside(f"{archive.uri}/{stack}", artifacts.uri):
        raise CouldNotLook(
            f"--archive is {archive.uri}, and what it keeps of stack {stack} would lie among the "
            f"artifacts in {artifacts.uri}, where it is deleted with the runs: name a place outside"
        )


def _folders(run: Run) -> Iterator[tuple[str, str]]:
    """The folders of a run, and what each is called in the archive."""
    if run.artifact_uri:
        yield "artifacts", run.artifact_uri
    for model in run.models:
        yield f"models/{model.model_id}", model.artifact_uri


def _rows(connection: Any, run: Run) -> Iterator[bytes]:
    for table in TABLES:
        query = f"SELECT to_jsonb(t)::text FROM {table} t WHERE run_uuid = %s"  # noqa: S608  # ours
        for (row,) in connection.execute(query, [run.run_id]):
            yield f'{{"table": "{table}", "row": {row}}}\n'.encode()
    for model in run.models:
        for table in ("logged_models", "logged_model_params", "logged_model_tags"):
            query = f"SELECT to_jsonb(t)::text FROM {table} t WHERE model_id = %s"  # noqa: S608
            for (row,) in connection.execute(query, [model.model_id]):
                yield f'{{"table": "{table}", "row": {row}}}\n'.encode()
