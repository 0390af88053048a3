"""A report says what its results say, and can be made again from their file."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.server_comparison import cases, cli, documents, plots, report
from benchmarks.server_comparison.results import (
    FILE_NAME,
    SCHEMA,
    UnreadableResultsError,
    read,
)
from tests.benchmarks.recorded import cell, recorded

WHOLE = "it shows whole runs, and this one measured a selection"
PAGE = """# Page

<!-- benchmark:aims -->
old
<!-- /benchmark:aims -->
words
<!-- benchmark:measurements -->
<!-- /benchmark:measurements -->
end
"""


class TestTheFile:
    """Results come back from their file as they were; another file is refused in a sentence."""

    def test_round_trip(self, tmp_path: Path) -> None:
        path = recorded().write(tmp_path)
        assert path == tmp_path / FILE_NAME
        assert read(path) == recorded()
        assert [item.name for item in tmp_path.iterdir()] == [FILE_NAME]

    def test_its_names_are_stable(self, tmp_path: Path) -> None:
        written = json.loads(recorded().write(tmp_path).read_text())
        assert written["schema"] == SCHEMA == 1
        assert {"mode", "options", "machine", "begun", "commit", "ceiling"} <= written.keys()
        assert {"variants", "starts", "cells", "skipped", "interrupted"} <= written.keys()
        assert {"variant", "operation", "clients", "database_ms", "client_ms", "repeat"} <= (
            written["cells"][0].keys()
        )
        assert {"requests_per_second", "p50_ms", "p95_ms", "p99_ms", "errors", "missing"} <= (
            written["cells"][0].keys()
        )

    def test_another_schema(self, tmp_path: Path) -> None:
        path = recorded().write(tmp_path)
        path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
        said = f"^{path} has schema 2, and this program reads schema 1: render it with the program"
        with pytest.raises(UnreadableResultsError, match=said):
            read(path)

    @pytest.mark.parametrize("text", ["", "[]", "{}"])
    def test_no_results(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "x.json"
        path.write_text(text)
        said = f"^{path} cannot be read as results of this benchmark"
        with pytest.raises(UnreadableResultsError, match=said):
            read(path)


class TestMarkdown:
    """Medians with least and most, errors in the servers' words, and nothing left out."""

    def test_rows(self) -> None:
        lines = report.markdown(recorded()).splitlines()
        assert (
            "| log-metric | 1 | 0 | 0 | default | 19.0 (17.1–20.9) | 52.6 (47.8–58.5) | "
            "105.3 (95.7–117.0) | 157.9 (143.5–175.4) | 0 | 5.0 | 1.0 |"
        ) in lines
        assert "| profile | 2.00 | 2.50 | 15 | 4 | 500 | 125 | 1.5 |" in lines
        assert "| upload-1GiB | 1 | 0 | 0 | profile | 205 | 5,000.0 | 15,000.0 | 50 | 0 |" in lines
        assert (
            "- log-batch-100, 60 s, 64, 0, 0, default: "
            "`HTTP 400: QueuePool limit of size 5 overflow 10 reached`"
        ) in lines
        assert f"| {'log-metric, 1 client: requests per second at least 10 × default'} " in (
            "\n".join(lines)
        )

    def test_every_case_has_a_row_for_each_server(self) -> None:
        text = report.markdown(recorded())
        for name in ("default", "profile"):
            assert text.count(f"| {name} |") == 7

    def test_conditions(self) -> None:
        text = report.conditions(recorded())
        assert "commit `0000000`, mode `full`, 40 minutes\n" in text
        assert "9000 requests a second with 1 client," in text
        assert "Acknowledged requests looked for in the store: 8485; missing: 0." in text

    def test_what_was_not_measured_is_said(self) -> None:
        results = recorded()
        results.skipped = ["start of profile: it ended\nTraceback …"]
        results.interrupted = True
        text = report.markdown(results)
        assert "## Not measured\n\n- not measured: start of profile: it ended\n" in text
        assert "(interrupted)" in text

    def test_nothing_acknowledged_has_no_latency(self) -> None:
        results = recorded()
        results.cells = [cell("default", cases.LOG_METRIC, 0.0, unanswered=3)]
        assert (
            "| log-metric | 1 | 0 | 0 | default | 0.0 | – | – | – | 3 | 5.0 | 1.0 |"
            in report.requests_table(results).splitlines()
        )
        assert (
            report.errors_list(results)
            == "- log-metric, 1, 0, 0, default: 3 unanswered when patience ended"
        )


class TestPictures:
    """Two drawings, the same for the same results; none where there is nothing to draw."""

    def test_drawn(self, tmp_path: Path) -> None:
        names = plots.draw(recorded(), tmp_path)
        assert names == ["requests-by-clients.svg"]
        first = (tmp_path / names[0]).read_bytes()
        assert ElementTree.fromstring(first).tag.endswith("svg")
        assert len(first) < 60_000
        plots.draw(recorded(), tmp_path)
        assert (tmp_path / names[0]).read_bytes() == first

    def test_nothing_to_draw(self, tmp_path: Path) -> None:
        results = recorded()
        results.cells = []
        assert plots.draw(results, tmp_path) == []
        assert list(tmp_path.iterdir()) == []


class TestThePage:
    """Whole runs change what stands between its markers, and nothing else changes."""

    def test_written(self, tmp_path: Path) -> None:
        page = tmp_path / "performance.md"
        page.write_text(PAGE)
        documents.write(recorded(), page, tmp_path / "performance")
        text = page.read_text()
        assert text.startswith("# Page\n\n<!-- benchmark:aims -->\n\n| Aim | Measured | Met |")
        assert "\nold\n" not in text
        assert "<!-- /benchmark:aims -->\nwords\n<!-- benchmark:measurements -->\n\n- 2026" in text
        picture = "![requests-by-clients.svg](performance/requests-by-clients.svg)"
        assert text.endswith(f"{picture}\n\n<!-- /benchmark:measurements -->\nend\n")
        documents.write(recorded(), page, tmp_path / "performance")
        assert page.read_text() == text

    def test_the_real_page_has_its_places(self) -> None:
        text = documents.PAGE.read_text(encoding="utf-8")
        for name in ("aims", "measurements", "ablation"):
            documents.between_markers(text, name, "")

    def test_no_place(self, tmp_path: Path) -> None:
        page = tmp_path / "performance.md"
        page.write_text("# Page\n")
        said = (
            r"^the page has no place for its aims: it needs <!-- benchmark:aims --> and "
            r"<!-- /benchmark:aims -->$"
        )
        with pytest.raises(documents.DocumentError, match=said):
            documents.write(recorded(), page, tmp_path / "performance")

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"interrupted": True}, "the run was interrupted"),
            ({"options": {"selection": ["log"]}}, WHOLE),
        ],
    )
    def test_parts_of_a_run_are_not_written(
        self, tmp_path: Path, change: dict[str, object], why: str
    ) -> None:
        page = tmp_path / "performance.md"
        page.write_text(PAGE)
        results = replace(recorded(), **change)  # type: ignore[arg-type]
        with pytest.raises(
            documents.DocumentError, match=f"^performance.md stays as it is: {why}$"
        ):
            documents.write(results, page, tmp_path)
        assert page.read_text() == PAGE


class TestTheCommand:
    """`--render` makes report and pictures again and judges the aims by its exit code."""

    def test_met(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["--render", str(recorded().write(tmp_path))]) == 0
        assert capsys.readouterr().out == report.aims_table(recorded()) + "\n"
        names = {"results.json", "report.md", "requests-by-clients.svg"}
        assert {item.name for item in tmp_path.iterdir()} == names

    def test_missed(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        results = recorded()
        results.cells.append(cell("profile", cases.CREATE_RUN, 10, missing=1))
        assert cli.main(["--render", str(results.write(tmp_path))]) == 1
        assert "| **no** |" in capsys.readouterr().out

    def test_could_not_look(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["--render", str(tmp_path / "none.json")]) == 2
        assert capsys.readouterr().err.startswith(f"{tmp_path / 'none.json'} cannot be read")
        assert (
            cli.main(["--render", str(replace(recorded(), interrupted=True).write(tmp_path))]) == 2
        )

    def test_a_selection_of_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["--full", "--case", "log-metrik"]) == 2
        said = "no case of --full has 'log-metrik' in its title: --list prints them\n"
        assert capsys.readouterr().err == said

    def test_list(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["--quick", "--list", "--case", "25 ms to the database"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "log-metric, 1 client, 25 ms to the database",
            "log-batch-100, 1 client, 25 ms to the database",
        ]
