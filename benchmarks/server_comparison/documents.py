"""The tables of docs/performance.md, as the benchmark printed them.

Owns what stands between the markers there, and the pictures beside the page; the words around them
are people's. A run that was interrupted, or measured a selection, is not written down.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.server_comparison import plots, report
from benchmarks.server_comparison.results import Results

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "performance"


class DocumentError(RuntimeError):
    """The page cannot take these results."""


def write(results: Results, page: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Put the results into the page."""
    if problem := _problem(results):
        raise DocumentError(f"{page.name} stays as it is: {problem}")
    text = page.read_text(encoding="utf-8")
    if results.mode == "ablation":
        blocks = {"ablation": [report.conditions(results), *_tables(results)]}
    else:
        pictures.mkdir(exist_ok=True)
        names = plots.draw(results, pictures)
        blocks = {
            "aims": [report.aims_table(results)],
            "measurements": [
                report.conditions(results),
                *_tables(results),
                report.files_table(results),
                report.errors_list(results),
                report.not_measured(results),
                *(f"![{name}]({pictures.name}/{name})" for name in names),
            ],
        }
    for name, parts in blocks.items():
        text = between_markers(text, name, "\n\n".join(part for part in parts if part))
    page.write_text(text, encoding="utf-8")


def between_markers(text: str, name: str, content: str) -> str:
    """The text with other content between the markers of that name."""
    begin, end = f"<!-- benchmark:{name} -->", f"<!-- /benchmark:{name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise DocumentError(f"the page has no place for its {name}: it needs {begin} and {end}")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def _tables(results: Results) -> list[str]:
    return [report.starts_table(results), report.requests_table(results)]


def _problem(results: Results) -> str:
    if results.interrupted:
        return "the run was interrupted"
    if results.options.get("selection"):
        return "it shows whole runs, and this one measured a selection"
    return ""
