"""The stand-in of GitHub does what GitHub does, as far as it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.operations.github_stand_in import REPOSITORY, TOKEN, StandIn, github

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with github() as running:
        yield running


def ask(stand_in: StandIn, method: str, path: str, **more: Any) -> requests.Response:
    headers = more.pop("headers", HEADERS)
    url = f"{stand_in.url}/repos/{REPOSITORY}{path}"
    return requests.request(method, url, headers=headers, timeout=10, **more)


class TestSigningIn:
    """Nothing is told to nobody."""

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}])
    def test_without_the_token(self, stand_in: StandIn, headers: dict[str, str]) -> None:
        answer = ask(stand_in, "GET", "/issues", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"message": "Bad credentials"})

    def test_another_repository(self, stand_in: StandIn) -> None:
        url = f"{stand_in.url}/repos/acme/other/issues"
        assert requests.get(url, headers=HEADERS, timeout=10).status_code == 404


class TestIssues:
    """Issues are listed by state and label in pages, made, changed and commented on."""

    def test_life(self, stand_in: StandIn) -> None:
        made = ask(stand_in, "POST", "/issues", json={"title": "t", "labels": ["drift"]})
        assert (made.status_code, made.json()["number"]) == (201, 1)
        assert ask(stand_in, "GET", "/issues?labels=drift").json() == [made.json()]
        assert ask(stand_in, "GET", "/issues?labels=drift,other").json() == []
        said = ask(stand_in, "POST", "/issues/1/comments", json={"body": "hello"})
        assert (said.status_code, stand_in.comments_of(1)) == (201, ["hello"])
        changed = ask(stand_in, "PATCH", "/issues/comments/1", json={"body": "other"})
        assert (changed.status_code, stand_in.comments_of(1)) == (200, ["other"])
        assert ask(stand_in, "PATCH", "/issues/1", json={"state": "closed"}).status_code == 200
        assert ask(stand_in, "GET", "/issues").json() == []
        assert len(ask(stand_in, "GET", "/issues?state=all").json()) == 1

    def test_pages(self, stand_in: StandIn) -> None:
        for number in range(130):
            stand_in.add_issue(title=str(number))
        first = ask(stand_in, "GET", "/issues?per_page=500").json()
        second = ask(stand_in, "GET", "/issues?per_page=100&page=2").json()
        assert (len(first), len(second), first[0]["title"]) == (100, 30, "129")

    @pytest.mark.parametrize(
        ("method", "path", "body", "code"),
        [
            ("POST", "/issues", {"body": "no title"}, 422),
            ("POST", "/issues", {"title": "t", "body": "x" * 65_537}, 422),
            ("PATCH", "/issues/1", {"body": "x" * 65_537}, 422),
            ("PATCH", "/issues/1", {"colour": "red"}, 422),
            ("PATCH", "/issues/1", {"state": "gone"}, 422),
            ("POST", "/issues/1/comments", {"body": ""}, 422),
            ("PATCH", "/issues/9", {"state": "closed"}, 404),
            ("PATCH", "/issues/comments/9", {"body": "x"}, 404),
            ("DELETE", "/issues/1", {}, 501),
            ("GET", "/pulls", {}, 404),
        ],
    )
    def test_what_is_refused(
        self, stand_in: StandIn, method: str, path: str, body: dict[str, str], code: int
    ) -> None:
        stand_in.add_issue(title="t")
        assert ask(stand_in, method, path, json=body).status_code == code

    def test_labels(self, stand_in: StandIn) -> None:
        assert ask(stand_in, "GET", "/labels/drift").status_code == 404
        assert ask(stand_in, "POST", "/labels", json={"name": "drift"}).status_code == 201
        assert ask(stand_in, "POST", "/labels", json={"name": "drift"}).status_code == 422
        assert ask(stand_in, "GET", "/labels/drift").status_code == 200
        stand_in.drops_labels = True
        made = ask(stand_in, "POST", "/issues", json={"title": "t", "labels": ["drift"]})
        assert made.json()["labels"] == []
        ask(stand_in, "POST", "/issues/1/labels", json={"labels": ["drift"]})
        assert len(ask(stand_in, "GET", "/issues?labels=drift").json()) == 1

    def test_a_failure_that_was_asked_for(self, stand_in: StandIn) -> None:
        stand_in.failing += [502]
        stand_in.failing_writes += [503]
        assert ask(stand_in, "GET", "/issues").status_code == 502
        assert ask(stand_in, "POST", "/issues", json={"title": "t"}).status_code == 503
        assert stand_in.issues == []
        assert ask(stand_in, "GET", "/issues").status_code == 200
