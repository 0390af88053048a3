"""Is the copy what the platform is? Row by row, byte by byte, in MLflow's words.

Owns the comparison. A table whose number of rows and digest agree on both sides is the same; where
they do not, both sides are read in one order, side by side, and each row that differs is named as
a user knows it: a metric of a run, a version of a model. Nothing is held in memory but the rows
that are being looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from operations.archive.errors import ObjectGone
from operations.archive.snapshot import Snapshot
from operations.archive.spool import Spool
from operations.archive.stores import Store
from operations.archive.streams import PIECE_BYTES

SHOWN = 10

ENTITIES: Mapping[str, tuple[str, str]] = {
    "experiments": ("experiments", "experiment {name}"),
    "experiment_tags": ("experiment tags", "tag {key} of experiment {experiment_id}"),
    "runs": ("runs", "run {run_uuid}"),
    "metrics": ("metrics", "metric {key} of run {run_uuid}, step {step}, value {value}"),
    "latest_metrics": ("latest metrics", "latest metric {key} of run {run_uuid}"),
    "params": ("parameters", "parameter {key} of run {run_uuid}"),
    "tags": ("tags", "tag {key} of run {run_uuid}"),
    "registered_models": ("registered models", "model {name}"),
    "registered_model_tags": ("model tags", "tag {key} of model {name}"),
    "registered_model_aliases": ("model aliases", "alias {alias} of model {name}"),
    "model_versions": ("model versions", "version {version} of model {name}"),
    "model_version_tags": (
        "model version tags",
        "tag {key} of version {version} of model {name}",
    ),
    "logged_models": ("logged models", "logged model {model_id}"),
    "logged_model_metrics": (
        "logged model metrics",
        "metric {metric_name} of logged model {model_id}, step {metric_step}",
    ),
    "logged_model_params": ("logged model parameters", "parameter of logged model {model_id}"),
    "logged_model_tags": ("logged model tags", "tag of logged model {model_id}"),
    "datasets": ("datasets", "dataset {name} {digest}"),
    "trace_info": ("traces", "trace {request_id}"),
    "trace_tags": ("trace tags", "tag {key} of trace {request_id}"),
    "users": ("users", "user {username}"),
}
"""Tables by what users call their rows; any other table goes by its own name and key."""


@dataclass(slots=True)
class Compared:
    """One kind of thing on both sides."""

    name: str  # in words
    in_platform: int = 0
    in_copy: int = 0
    differences: int = 0
    shown: list[str] = field(default_factory=list[str])  # the first differences, in words

    def differ(self, text: str) -> None:
        """One more."""
        self.differences += 1
        if len(self.shown) < SHOWN:
            self.shown.append(text)


@dataclass(slots=True)
class ArtifactsCompared(Compared):
    """The artifacts on both sides."""

    compared_bytes: int = 0
    changed_since: int = 0  # written after the snapshot, so no difference


def compare_databases(
    platform: Snapshot, copy: Snapshot, progress: Callable[[str], None]
) -> Iterator[Compared]:
    """Every table of either side."""
    here, there = set(platform.tables()), set(copy.tables())
    for table in sorted(here | there, key=_order):
        words, _ = ENTITIES.get(table, (table, ""))
        compared = Compared(words)
        progress(f"comparing {words}")
        if table not in there or table not in here:
            side = "the copy" if table not in there else "the platform"
            compared.differ(f"{side} has no table {table}")
            yield compared
            continue
        left, right = platform.content(table), copy.content(table)
        compared.in_platform, compared.in_copy = left.rows, right.rows
        if left != right:
            _compare_rows(platform, copy, table, compared)
            if not compared.differences:
                # The digest sees columns' order and types; rows as text did not differ.
                compared.differ(f"table {table} holds the same rows in another form")
        yield compared
    yield _compare_objects(platform.objects(), copy.objects())


def _compare_objects(here: set[str], there: set[str]) -> Compared:
    compared = Compared("indexes and other objects", len(here), len(there))
    for name in sorted(here ^ there):
        side = "the platform" if name in there else "the copy"
        compared.differ(f"{name}: it is not in {side}")
    return compared


def compare_artifacts(
    platform: Store,
    copy: Store,
    spool: Spool,
    progress: Callable[[str], None],
    *,
    since: float | None,
) -> ArtifactsCompared:
    """Every byte of every artifact; what changed after `since` (1970) is no difference."""
    compared = ArtifactsCompared("artifacts")
    for artifact in spool.artifacts():
        compared.in_copy += 1
        if compared.in_copy % 50 == 0:
            progress(f"comparing artifact {compared.in_copy:,}")
        different = _first_difference(platform, copy, artifact.name)
        compared.compared_bytes += artifact.size_bytes
        if different != "it is not in the platform":
            compared.in_platform += 1
        if different is None:
            continue
        if since is not None and _modified(platform, artifact.name) > since:
            compared.changed_since += 1
        else:
            compared.differ(f"artifact {artifact.name}: {different}")
    for item in platform.list():
        if spool.find(item.name) is None:
            compared.in_platform += 1
            if since is not None and item.modified > since:
                compared.changed_since += 1
            else:
                compared.differ(f"artifact {item.name}: it is not in the backup")
    return compared


def _first_difference(platform: Store, copy: Store, name: str) -> str | None:
    try:
        with platform.open(name) as here, copy.open(name) as there:
            if here.size_bytes != there.size_bytes:
                return (
                    f"{here.size_bytes:,} bytes in the platform, {there.size_bytes:,} in the backup"
                )
            position = 0
            while True:
                left, right = here.read(PIECE_BYTES), there.read(PIECE_BYTES)
                if left != right:
                    at = next(
                        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
                        min(len(left), len(right)),
                    )
                    return f"differs from byte {position + at:,} on ({here.size_bytes:,} bytes)"
                if not left:
                    return None
                position += len(left)
    except ObjectGone:
        return "it is not in the platform"


def _modified(store: Store, name: str) -> float:
    return next((item.modified for item in store.list(name) if item.name == name), 0.0)


def _compare_rows(platform: Snapshot, copy: Snapshot, table: str, compared: Compared) -> None:
    here, key = platform.columns(table)
    there, _ = copy.columns(table)
    if here != there:
        compared.differ(f"table {table} has other columns: {', '.join(sorted({*here} ^ {*there}))}")
        return
    for left, right in _side_by_side(
        platform.rows(table, here, key), copy.rows(table, here, key), [here.index(k) for k in key]
    ):
        if left is None and right is not None:
            compared.differ(f"{_named(table, here, key, right)}: it is not in the platform")
        elif right is None and left is not None:
            compared.differ(f"{_named(table, here, key, left)}: it is not in the backup")
        elif left is not None and right is not None:
            columns = [column for column, a, b in zip(here, left, right, strict=True) if a != b]
            compared.differ(
                f"{_named(table, here, key, left)}: {', '.join(columns)} is not what was backed up"
            )


Row = tuple[str | None, ...]


def _side_by_side(
    platform: Iterator[Row], copy: Iterator[Row], key: Sequence[int]
) -> Iterator[tuple[Row | None, Row | None]]:
    """Rows of two ordered sides that differ; None where a side lacks one."""

    def place(row: Row) -> list[tuple[bool, str]]:
        return [(row[index] is None, row[index] or "") for index in key]

    left, right = next(platform, None), next(copy, None)
    while left is not None or right is not None:
        if right is None or (left is not None and place(left) < place(right)):
            yield left, None
            left = next(platform, None)
        elif left is None or place(right) < place(left):
            yield None, right
            right = next(copy, None)
        else:
            if left != right:
                yield left, right
            left, right = next(platform, None), next(copy, None)


def _named(table: str, columns: Sequence[str], key: Sequence[str], row: Row) -> str:
    values = {column: str(value) for column, value in zip(columns, row, strict=True)}
    template = ENTITIES.get(table, ("", ""))[1]
    try:
        named = template.format(**values)
    except KeyError:
        named = ""
    return named or f"{table} ({', '.join(f'{column} {values[column]}' for column in key)})"


def _order(table: str) -> tuple[int, str]:
    known = list(ENTITIES)
    return (known.index(table), table) if table in ENTITIES else (len(known), table)
