"""The dashboard shows what the alarms watch, with the line that rings."""

from __future__ import annotations

import json

from infra.aws.dashboard import COLUMNS, WIDTH, Dashboard, body
from tests.infra.aws.declared import REGION, deploy
from tests.infra.aws.stacks import INTERNAL, aws_stack
from tests.infra.aws.test_alarms import alarms_of

ALARMS = alarms_of(aws_stack(INTERNAL))


def widgets() -> list[dict[str, object]]:
    return list(json.loads(json.dumps(body("test", REGION, ALARMS)))["widgets"])


class TestWidgets:
    """One for every alarm, none over another."""

    def test_every_alarm_is_there(self) -> None:
        titles = [str(item["properties"].get("title", "")) for item in widgets()]  # type: ignore[union-attr,attr-defined]
        for alarm in ALARMS:
            assert f"{alarm.name} ({alarm.unit})" in titles

    def test_the_line_that_rings(self) -> None:
        for alarm, item in zip(ALARMS, widgets()[1:], strict=True):
            (line,) = item["properties"]["annotations"]["horizontal"]  # type: ignore[index]
            assert line["value"] == alarm.threshold
            assert line["fill"] == ("below" if alarm.comparison == "LessThanThreshold" else "above")

    def test_none_covers_another(self) -> None:
        cells = {
            (x, y)
            for item in widgets()
            for x in range(int(str(item["x"])), int(str(item["x"])) + int(str(item["width"])))
            for y in range(int(str(item["y"])), int(str(item["y"])) + int(str(item["height"])))
        }
        areas = sum(int(str(item["width"])) * int(str(item["height"])) for item in widgets())
        assert len(cells) == areas
        assert max(x for x, _ in cells) < WIDTH * COLUMNS == 24

    def test_an_expression_hides_what_it_is_made_of(self) -> None:
        errors = next(alarm for alarm in ALARMS if alarm.expression)
        item = widgets()[1 + ALARMS.index(errors)]
        result, *lines = item["properties"]["metrics"]  # type: ignore[index]
        assert result[0]["expression"] == errors.expression
        assert all(line[-1]["visible"] is False for line in lines)


class TestResource:
    """CloudWatch gets one JSON text."""

    def test_inputs(self) -> None:
        def program() -> None:
            Dashboard("board", "test", region=REGION, alarms=ALARMS)

        inputs = deploy(program).deployment.one("cloudwatch/dashboard:Dashboard").inputs
        assert inputs["dashboardName"] == "mlops-platform-test-mlflow"
        assert json.loads(inputs["dashboardBody"]) == body("test", REGION, ALARMS)
