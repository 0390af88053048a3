"""Google Cloud's own word on the service and the alert policies, beside the resources' properties.

Owns what no property of a resource shows: a newest revision that never became ready (the one before
it still serves), a number of warm instances that was set on the service and not on its template,
and alert policies that are gone or switched off.
"""

from __future__ import annotations

from collections.abc import Iterator

from operations.drift_findings import Difference, Finding
from operations.drift_sight import Seen, Sight, finding
from operations.engine_steps import ABSENT, State, shown
from operations.google_api import GoogleApi
from smoke_tests.json_document import Document, find, find_documents, find_text

LOOK = "google"
SERVICE = "gcp:cloudrunv2/service:Service"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"


def look(sight: Sight) -> Seen | None:
    """Ask Google; None for a stack that is elsewhere.

    Raises:
        NotVisible: there are no credentials, or no answer.
    """
    if sight.outputs.target != "gcp":
        return None
    if not sight.place.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN"):
        sight.must_be_real()
    api = GoogleApi(sight.place.environ)
    instances, findings = _service(sight, api)
    policies, missing = _policies(sight, api)
    return Seen(
        looked_at=f"{instances}; {policies} alert policies present and switched on",
        findings=(*findings, *missing),
    )


def _service(sight: Sight, api: GoogleApi) -> tuple[str, list[Finding]]:
    outputs = sight.outputs
    place = f"projects/{outputs.account}/locations/{outputs.region}"
    findings: list[Finding] = []
    said = "no service was deployed"
    for step, state in sight.deployed(SERVICE):
        name = shown(state.at("name"))
        service = api.get("run", f"v2/{place}/services/{name}")
        if service is None:
            continue  # the engine says that it is gone
        differences = list(_of_service(state, service))
        least = find(service, "template", "scaling", "minInstanceCount")
        said = f"{shown(least)} warm instances, {_last(service, 'latestReadyRevision')} serves"
        findings += finding(LOOK, step.name, differences, kind=SERVICE, identity=state.id)
    return said, findings


def _of_service(state: State, service: Document) -> Iterator[Difference]:
    ready, created = (_last(service, f"latest{word}Revision") for word in ("Ready", "Created"))
    if ready != created:
        yield Difference(property="revision that serves", expected=created, found=ready)
    for key in ("minInstanceCount", "maxInstanceCount"):
        expected = state.at(f"template.scaling.{key}")
        found = find(service, "template", "scaling", key)
        if expected is not ABSENT and shown(expected) != shown(found or 0):
            yield Difference(
                property=f"template.scaling.{key}",
                expected=shown(expected),
                found=shown(found or 0),
            )
    # Of the service, not of its template: what the console's slider sets, and what wins.
    own = find(service, "scaling", "minInstanceCount")
    if own and state.at("scaling.minInstanceCount") is ABSENT:
        yield Difference(property="scaling.minInstanceCount", expected="nothing", found=shown(own))


def _policies(sight: Sight, api: GoogleApi) -> tuple[int, list[Finding]]:
    there: dict[str, bool] = {}
    token = ""
    while True:
        parameters = {"pageSize": "500", **({"pageToken": token} if token else {})}
        path = f"v3/projects/{sight.outputs.account}/alertPolicies"
        answer = api.get("monitoring", path, **parameters) or {}
        for policy in find_documents(answer, "alertPolicies"):
            there[find_text(policy, "name") or ""] = policy.get("enabled") is not False
        token = find_text(answer, "nextPageToken") or ""
        if not token:
            break
    findings: list[Finding] = []
    present = 0
    for step, state in sight.deployed(POLICY):
        if state.id not in there:
            findings.append(
                Finding(
                    severity="warning",
                    look=LOOK,
                    kind=POLICY,
                    subject=step.name,
                    identity=state.id,
                    what="gone",
                )
            )
            continue
        present += 1
        if not there[state.id] and state.at("enabled") is not False:
            off = [Difference(property="enabled", expected="true", found="false")]
            findings += finding(LOOK, step.name, off, kind=POLICY, identity=state.id)
    return present, findings


def _last(service: Document, key: str) -> str:
    return (find_text(service, key) or "none").rpartition("/")[2]
