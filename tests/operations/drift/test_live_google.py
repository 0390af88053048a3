"""The live look at Google Cloud, on a stand-in of its APIs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.operations.drift.conftest import (
    Answers,
    Live,
    answering,
    differences,
)
from tests.operations.engine_stand_in import step

SERVICE = "gcp:cloudrunv2/service:Service"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"


@pytest.fixture
def google(live: Live) -> Iterator[tuple[Live, Answers]]:
    live.engine.has(target="gcp", region="europe-west3", account="p")
    with answering() as answers:
        for service in ("RUN", "MONITORING", "LOGGING"):
            live.environ[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{service}"] = answers.url
        answers.by_path = {
            "/v2/projects/p/locations/europe-west3/services/mlflow": {
                "template": {"scaling": {"minInstanceCount": 1, "maxInstanceCount": 2}},
                "latestReadyRevision": "projects/p/revisions/mlflow-2",
                "latestCreatedRevision": "projects/p/revisions/mlflow-2",
            },
            "/v3/projects/p/alertPolicies": {
                "alertPolicies": [{"name": "projects/p/alertPolicies/1"}]
            },
        }
        yield live, answers


SCALING = {"template": {"scaling": {"minInstanceCount": 1, "maxInstanceCount": 2}}}
RUNNING = (
    step("refresh", SERVICE, "service", before={"name": "mlflow", **SCALING}),
    step("refresh", POLICY, "policy", id="projects/p/alertPolicies/1", before={}),
)


class TestGoogle:
    """The newest revision serves, as many instances as agreed stay warm, the alerts are there."""

    def test_untouched(self, google: tuple[Live, Answers]) -> None:
        live, _ = google
        looks = live.looks(*RUNNING)
        assert live.findings(*RUNNING) == []
        assert looks["google"]["looked_at"] == (
            "1 warm instances, mlflow-2 serves; 1 alert policies present and switched on"
        )

    def test_everything_at_once(self, google: tuple[Live, Answers]) -> None:
        live, answers = google
        service = answers.by_path["/v2/projects/p/locations/europe-west3/services/mlflow"]
        service["latestReadyRevision"] = "projects/p/revisions/mlflow-1"
        service["template"]["scaling"] = {"maxInstanceCount": 2}
        service["scaling"] = {"minInstanceCount": 5}
        answers.by_path["/v3"] = answers.by_path.pop("/v3/projects/p/alertPolicies")
        answers.by_path["/v3"]["alertPolicies"][0]["enabled"] = False
        answers.by_path["/v2/entries:list"] = {
            "entries": [
                {
                    "timestamp": "2026-11-21T18:00:00Z",
                    "protoPayload": {
                        "methodName": "google.cloud.run.v2.Services.UpdateService",
                        "authenticationInfo": {"principalEmail": "ann@example.com"},
                    },
                }
            ]
        }
        found = live.findings(*RUNNING)
        assert {f["subject"]: differences(f) for f in found} == {
            "policy": {"enabled": ("true", "false")},
            "service": {
                "revision that serves": ("mlflow-2", "mlflow-1"),
                "template.scaling.minInstanceCount": ("1", "0"),
                "scaling.minInstanceCount": ("nothing", "5"),
            },
        }
        assert {s["who"] for f in found for s in f["suspects"]} == {"ann@example.com"}

    def test_gone(self, google: tuple[Live, Answers]) -> None:
        live, answers = google
        answers.by_path["/v3/projects/p/alertPolicies"] = {"alertPolicies": []}
        (found,) = live.findings(*RUNNING)
        assert (found["subject"], found["what"], found["look"]) == ("policy", "gone", "google")

    def test_no_credentials(self, live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        monkeypatch.setenv("CLOUDSDK_CONFIG", "/nowhere")
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        live.engine.has(target="gcp", region="europe-west3", account="p")
        assert live.looks(*RUNNING)["google"]["problem"] == (
            "there are no Google credentials here: `gcloud auth application-default login`"
        )

    def test_a_simulated_stack_is_not_compared_with_a_real_cloud(self, live: Live) -> None:
        live.engine.has(target="gcp", region="europe-west3", account="p")
        live.environ["PULUMI_DEBUG_PROVIDERS"] = "gcp:1"
        looks = live.looks(*RUNNING)
        for name in ("server", "database", "google"):
            assert looks[name]["problem"] == (
                "the stack's providers are attached ones (PULUMI_DEBUG_PROVIDERS), so nothing runs "
                "where its outputs say"
            )
        gone = live.looks(step("delete", POLICY, "policy", before={}))
        assert gone["who did it (gcp)"]["problem"] == (
            "the stack's providers are attached ones (PULUMI_DEBUG_PROVIDERS): it is not in "
            "Google's cloud"
        )
