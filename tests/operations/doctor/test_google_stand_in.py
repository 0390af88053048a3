"""The stand-in answers what was put there, refuses what it was told to, and knows nothing else."""

from __future__ import annotations

import pytest

from operations.drift_sight import NotVisible
from operations.google_api import GoogleApi
from tests.operations.doctor.google_stand_in import google


class TestStandIn:
    """Asked through the commands' own client, by gcloud's own variables."""

    def test_documents_and_absence(self) -> None:
        with google() as stand_in:
            stand_in.put("run", "v2/projects/p/services/s", {"name": "s"})
            api = GoogleApi(stand_in.environ)
            assert api.get("run", "v2/projects/p/services/s", view="FULL") == {"name": "s"}
            assert api.get("run", "v2/projects/p/services/t") is None
            assert api.get("storage", "v2/projects/p/services/s") is None
        assert stand_in.asked[0] == "/run/v2/projects/p/services/s?view=FULL"

    def test_a_function_sees_query_and_body(self) -> None:
        with google() as stand_in:
            stand_in.put("logging", "v2/entries:list", lambda query, body: {"query": query, **body})
            found = GoogleApi(stand_in.environ).post("logging", "v2/entries:list", {"a": 1})
        assert found == {"query": "", "a": 1}

    def test_a_refusal(self) -> None:
        with google() as stand_in:
            stand_in.put("run", "x", {})
            stand_in.refused["run"] = 403
            with pytest.raises(NotVisible, match=r"answers 403 for x$"):
                GoogleApi(stand_in.environ).get("run", "x")
