"""The results as pictures: rate by clients, latency by distance to the database.

Owns two SVG files, small enough for a repository and the same for the same results. What a run did
not measure is left out of them; with nothing to show, no file is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.server_comparison.results import Results
from benchmarks.server_comparison.summary import Measured, Spread, measured
from benchmarks.server_comparison.traffic import FILE_BYTES
from benchmarks.server_comparison.variants import DEFAULT, PROFILE

COLOURS = {DEFAULT: "#c44e52", PROFILE: "#2a6f97"}
BY_CLIENTS, BY_DISTANCE = "requests-by-clients.svg", "latency-by-distance.svg"
_WIDTH, _HEIGHT = 3.1, 2.6


def draw(results: Results, folder: Path) -> list[str]:
    """Write the pictures; returns their names."""
    calls = [item for item in measured(results) if item.key.operation not in FILE_BYTES]
    minute = [item for item in calls if item.key.seconds >= 30]
    calls = [item for item in calls if item not in minute]
    near = [item for item in calls if item.key.is_near]
    one = [item for item in calls if item.key.clients == 1 and not item.key.client_ms]
    drawn = [
        _draw(
            near,
            folder / BY_CLIENTS,
            across=lambda item: item.key.clients,
            up=lambda item: item.rate,
            labels=("clients", "requests per second"),
        ),
        _draw(
            one,
            folder / BY_DISTANCE,
            across=lambda item: item.key.database_ms,
            up=lambda item: item.p50_ms,
            labels=("round trip to the database, ms", "p50, ms"),
        ),
    ]
    return [name for name in drawn if name]


def _draw(
    items: Sequence[Measured],
    path: Path,
    *,
    across: Callable[[Measured], float],
    up: Callable[[Measured], Spread | None],
    labels: tuple[str, str],
) -> str | None:
    """One panel for each operation that has two points at least; logarithmic upwards."""
    operations = [
        operation
        for operation in dict.fromkeys(item.key.operation for item in items)
        if len({across(item) for item in items if item.key.operation == operation}) > 1
    ]
    if not operations:
        return None
    import matplotlib as mpl  # its import takes a second: only for who draws

    # The same text in every file made of the same results, and no fonts in it.
    mpl.rcParams.update({"svg.hashsalt": "results", "svg.fonttype": "none", "font.size": 8})
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH * len(operations), _HEIGHT), layout="constrained")
    panels = figure.subplots(1, len(operations), squeeze=False)[0]
    for panel, operation in zip(panels, operations, strict=True):
        for variant, colour in COLOURS.items():
            points = [
                (across(item), value)
                for item in items
                if (item.key.operation, item.variant) == (operation, variant)
                and (value := up(item)) is not None
                and value.median > 0
            ]
            points.sort(key=lambda point: point[0])
            if not points:
                continue
            x = [point for point, _ in points]
            panel.plot(x, [value.median for _, value in points], "o-", color=colour, label=variant)
            least, most = (
                [getattr(value, end) for _, value in points] for end in ("least", "most")
            )
            panel.fill_between(x, least, most, color=colour, alpha=0.15, linewidth=0)
        panel.set_yscale("log")
        panel.set_title(operation, fontsize=9)
        panel.set_xlabel(labels[0])
        panel.grid(visible=True, alpha=0.25)
    panels[0].set_ylabel(labels[1])
    panels[0].legend(frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})
    return path.name
