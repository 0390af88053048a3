"""The four stages as pytest tests, for those whose CI speaks pytest.

    pytest smoke_tests --tracking-uri http://127.0.0.1:5000
    pytest smoke_tests --stack local --smoke-args "--cleanup --retry-waits none"

Owns nothing but the translation: the same pass as `python -m smoke_tests`, one test for each stage.
"""

from __future__ import annotations

import pytest

from smoke_tests.four_stages import FOUR_STAGES
from smoke_tests.runner import Report
from smoke_tests.stage import Outcome, Stage


@pytest.mark.parametrize("stage", FOUR_STAGES, ids=lambda stage: stage.name)
def test_stage(stage: Stage, smoke_report: Report) -> None:
    """The platform answers this stage's question with yes."""
    result = next(result for result in smoke_report.results if result.stage is stage)
    if result.outcome is Outcome.NOT_RUN:
        pytest.skip(f"not run: {result.problem}")
    if result.outcome is Outcome.FAILED:
        pytest.fail(f"{result.problem}\n{result.remedy}", pytrace=False)
