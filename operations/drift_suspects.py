"""Who could have caused a difference, as far as a cloud keeps book of it.

Owns three books: CloudTrail on AWS (the last 90 days of calls that wrote), `managedFields` on
Kubernetes (who wrote which field), and Cloud Audit Logs on Google Cloud. They name who called, not
who is to blame: the last call on a resource need not be the one that made the difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from operations.aws_client import aws_client, aws_problem
from operations.drift_findings import Finding, Look, Suspect
from operations.drift_sight import NotVisible
from operations.engine_steps import ABSENT, State, Step, Steps, follow
from operations.google_api import GoogleApi
from operations.place import Place
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import Document, as_document, find, find_documents, find_text

LOOK = "who did it"
MOST_LOOKED_UP = 25  # CloudTrail answers two look-ups a second
MOST_NAMED = 3
DAYS = 30


def with_suspects(
    place: Place, steps: Steps, findings: Sequence[Finding]
) -> tuple[tuple[Finding, ...], list[Look]]:
    """The findings with whom the clouds name, and what kept them from naming anybody."""
    by_urn = {(step.type, step.name): step for step in steps.resources}
    problems: dict[str, str] = {}
    named: list[Finding] = []
    for number, item in enumerate(findings):
        step = by_urn.get((item.kind, item.subject))
        package = item.kind.partition(":")[0]
        suspects: tuple[Suspect, ...] = ()
        if step is not None and number < MOST_LOOKED_UP and package not in problems:
            place.progress(f"asking who changed {item.subject}")
            try:
                suspects = tuple(_BOOKS.get(package, _no_book)(place, step, item))[:MOST_NAMED]
            except (NotVisible, CouldNotLook) as reason:
                problems[package] = str(reason)
        named.append(replace(item, suspects=suspects or item.suspects))
    looks = [
        Look(name=f"{LOOK} ({package})", looked_at="", problem=place.masker.foreign(problem))
        for package, problem in problems.items()
    ]
    return tuple(named), looks


def _no_book(_place: Place, _step: Step, _finding: Finding) -> Iterator[Suspect]:
    return iter(())


def _cloudtrail(place: Place, step: Step, _finding: Finding) -> Iterator[Suspect]:
    if place.environ.get("PULUMI_DEBUG_PROVIDERS") and not place.environ.get("AWS_ENDPOINT_URL"):
        raise NotVisible("the stack's providers are attached ones: no AWS keeps book of it")
    client = aws_client(place, "cloudtrail")
    end = place.clock.epoch_milliseconds() / 1000
    for name in _names(step.old):
        try:
            answer = client.lookup_events(
                LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": name}],
                StartTime=end - timedelta(days=DAYS).total_seconds(),
                EndTime=end,
                MaxResults=50,
            )
        except aws_problem() as error:
            said = str(error).partition("<")[0].strip()  # not a whole page of a proxy
            raise NotVisible(f"CloudTrail did not answer: {said}") from None
        events = [event for event in answer["Events"] if event.get("ReadOnly") != "true"]
        for event in sorted(events, key=lambda one: one["EventTime"], reverse=True):
            yield Suspect(
                who=_caller(event),
                what=event["EventName"],
                when=event["EventTime"].isoformat(),
                source="CloudTrail",
            )
        if events:
            return


def _caller(event: dict[str, Any]) -> str:
    try:
        told = as_document(json.loads(event.get("CloudTrailEvent") or "{}"))
    except ValueError:
        told = None
    return find_text(told, "userIdentity", "arn") or event.get("Username") or "nobody named"


def _names(state: State | None) -> list[str]:
    """What CloudTrail may call the resource: its own name first, then id and ARN."""
    if state is None:
        return []
    keys = ("identifier", "name", "bucket", "roleName", "keyId", "arn")
    values = [state.at(key, inputs_first=False) for key in keys]
    names = [value for value in values if isinstance(value, str) and value]
    return list(dict.fromkeys([*names, *([state.id] if state.id else [])]))


def _managed_fields(_place: Place, step: Step, item: Finding) -> Iterator[Suspect]:
    state = step.new or step.old
    return managers(state.outputs if state else None, [d.property for d in item.differences])


def managers(manifest: Document | None, paths: Sequence[str]) -> Iterator[Suspect]:
    """Whoever else wrote one of these fields of an object, the last one first."""
    fields = find_documents(manifest, "metadata", "managedFields")
    for entry in sorted(fields, key=lambda one: find_text(one, "time") or "", reverse=True):
        manager = find_text(entry, "manager") or ""
        owns = any(_owns(find(entry, "fieldsV1"), path) for path in paths)
        if manager and not manager.startswith("pulumi") and owns:
            yield Suspect(
                who=manager,
                what=find_text(entry, "operation") or "wrote",
                when=find_text(entry, "time") or "",
                source="managedFields",
            )


def _owns(fields: object, path: str) -> bool:
    """Whether a set of fields has this path; positions in lists are left out: it names keys."""
    node: object = fields
    for part in path.replace("[", ".[").split("."):
        if part.startswith("["):
            return node is not ABSENT  # items of a list are named by their keys: close enough
        node = follow(node, f'["f:{part}"]')
        if node is ABSENT:
            return False
    return True


def _audit_logs(place: Place, step: Step, _finding: Finding) -> Iterator[Suspect]:
    outputs, state = place.outputs, step.old
    if outputs is None or outputs.account is None or state is None:
        return
    # Ids of Google's resources end in their names: projects/p/instances/name.
    name = state.id.rstrip("/").rpartition("/")[2]
    answer = GoogleApi(place.environ).post(
        "logging",
        "v2/entries:list",
        {
            "resourceNames": [f"projects/{outputs.account}"],
            "filter": (
                'logName:"cloudaudit.googleapis.com%2Factivity" AND '
                f"protoPayload.resourceName:{json.dumps(name)}"
            ),
            "orderBy": "timestamp desc",
            "pageSize": MOST_NAMED,
        },
    )
    for entry in find_documents(answer, "entries"):
        who = find_text(entry, "protoPayload", "authenticationInfo", "principalEmail")
        yield Suspect(
            who=who or "nobody named",
            what=find_text(entry, "protoPayload", "methodName") or "a call",
            when=find_text(entry, "timestamp") or "",
            source="Cloud Audit Logs",
        )


_BOOKS = {"aws": _cloudtrail, "kubernetes": _managed_fields, "gcp": _audit_logs}
