"""A stand-in of GitHub's REST API for issues, comments and labels: a real HTTP server.

Owns what the operations use of it, with GitHub's own words and codes: signing in, pages of at most
a hundred, labels that are dropped where they are not known, 422 for what is not valid. Everything
that is asked is kept, so that a test can say what was not.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_stand_in_token_0123456789"
REPOSITORY = "acme/mlflow-platform"
LONGEST_BODY = 65_536


@dataclass
class StandIn:
    """What the server holds and what it was asked."""

    url: str = ""
    issues: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # `GET /issues`, …
    tokens: set[str] = field(default_factory=set)
    failing: list[int] = field(default_factory=list)  # codes of the next answers to reads
    failing_writes: list[int] = field(default_factory=list)  # and to the others
    drops_labels: bool = False  # as for a caller without push access

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs to ask this one and no other."""
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": REPOSITORY,
            "NO_PROXY": "*",
        }

    @property
    def open(self) -> list[dict[str, Any]]:
        """The open issues."""
        return [item for item in self.issues if item["state"] == "open"]

    @property
    def writes(self) -> list[str]:
        """What was asked and was no read."""
        return [line for line in self.asked if not line.startswith("GET ")]

    def comments_of(self, number: int) -> list[str]:
        """The comments on an issue or a pull request, the oldest first."""
        return [item["body"] for item in self.comments if item["issue"] == number]

    def add_issue(self, **more: Any) -> dict[str, Any]:
        """Put an issue there, as if somebody had made it."""
        number = len(self.issues) + 1
        issue = {
            "number": number,
            "state": "open",
            "title": "",
            "body": "",
            "labels": [],
            "html_url": f"https://github.example/{REPOSITORY}/issues/{number}",
            **more,
        }
        self.issues.append(issue)
        return issue

    def add_comment(self, number: int, body: str, kind: str = "Bot") -> dict[str, Any]:
        """Put a comment there, as if somebody (a `User`) had made it."""
        comment = {
            "id": len(self.comments) + 1,
            "issue": number,
            "body": body,
            "user": {"login": "github-actions[bot]" if kind == "Bot" else "ann", "type": kind},
            "html_url": f"https://github.example/{REPOSITORY}/issues/{number}#{len(self.comments)}",
        }
        self.comments.append(comment)
        return comment


@contextmanager
def github() -> Generator[StandIn]:
    """Run one for as long as the block lasts."""
    state = StandIn()

    class Handler(_Handler):
        stand_in = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    stand_in: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PATCH(self) -> None:
        self._answer("PATCH")

    def _answer(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        code, content = self._judged(method, body)
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _judged(self, method: str, body: dict[str, Any]) -> tuple[int, Any]:
        state = self.stand_in
        address = urlsplit(self.path)
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        state.tokens.add(token)
        base = f"/repos/{REPOSITORY}"
        state.asked.append(f"{method} {address.path.removeprefix(base)}")
        if scheme != "Bearer" or token != TOKEN:
            return 401, {"message": "Bad credentials"}
        failing = state.failing if method == "GET" else state.failing_writes
        if failing:
            return failing.pop(0), {"message": "Server Error"}
        if not address.path.startswith(f"{base}/"):
            return 404, {"message": "Not Found"}
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        return self._route(method, address.path.removeprefix(base), query, body)

    def _route(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any]
    ) -> tuple[int, Any]:
        state = self.stand_in
        match (method, path.strip("/").split("/")):
            case ("GET", ["issues"]):
                return 200, self._page(self._listed(query), query)
            case ("POST", ["issues"]):
                return self._new_issue(body)
            case ("GET", ["labels", name]):
                known = name in state.labels
                return (200, {"name": name}) if known else (404, {"message": "Not Found"})
            case ("POST", ["labels"]):
                if body["name"] in state.labels:
                    return 422, {"message": "Validation Failed"}
                state.labels.append(body["name"])
                return 201, {"name": body["name"]}
            case (_, ["issues", "comments", number]):
                return self._comment(method, int(number), body)
            case (_, ["issues", number, *rest]):
                found = next((i for i in state.issues if i["number"] == int(number)), None)
                if found is None:
                    return 404, {"message": "Not Found"}
                return self._issue(method, found, rest, query, body)
            case _:
                return 404, {"message": "Not Found"}

    def _listed(self, query: dict[str, str]) -> list[dict[str, Any]]:
        wanted = set(filter(None, query.get("labels", "").split(",")))
        state = query.get("state", "open")
        return [
            issue
            for issue in reversed(self.stand_in.issues)  # the newest first
            if state in ("all", issue["state"])
            and wanted <= {label["name"] for label in issue["labels"]}
        ]

    def _page(self, items: list[Any], query: dict[str, str]) -> list[Any]:
        size = min(int(query.get("per_page", "30")), 100)
        start = (int(query.get("page", "1")) - 1) * size
        return items[start : start + size]

    def _new_issue(self, body: dict[str, Any]) -> tuple[int, Any]:
        if not body.get("title") or len(body.get("body", "")) > LONGEST_BODY:
            return 422, {"message": "Validation Failed"}
        names = [] if self.stand_in.drops_labels else body.get("labels", [])
        issue = self.stand_in.add_issue(
            title=body["title"],
            body=body.get("body", ""),
            labels=[{"name": name} for name in names],
        )
        return 201, issue

    def _issue(
        self,
        method: str,
        issue: dict[str, Any],
        rest: list[str],
        query: dict[str, str],
        body: dict[str, Any],
    ) -> tuple[int, Any]:
        state = self.stand_in
        if len(body.get("body") or "") > LONGEST_BODY:
            return 422, {"message": "Validation Failed"}
        match (method, rest):
            case ("PATCH", []):
                allowed = {"title", "body", "state", "state_reason", "labels"}
                if body.keys() - allowed or body.get("state", "open") not in ("open", "closed"):
                    return 422, {"message": "Validation Failed"}
                issue.update(body)
                return 200, issue
            case ("GET", []):
                return 200, issue
            case ("POST", ["labels"]):
                issue["labels"] += [{"name": name} for name in body["labels"]]
                return 200, issue["labels"]
            case ("POST", ["comments"]):
                if not body.get("body"):
                    return 422, {"message": "Validation Failed"}
                return 201, state.add_comment(issue["number"], body["body"])
            case ("GET", ["comments"]):
                mine = [item for item in state.comments if item["issue"] == issue["number"]]
                return 200, self._page(mine, query)
            case _:
                return 404, {"message": "Not Found"}

    def _comment(self, method: str, number: int, body: dict[str, Any]) -> tuple[int, Any]:
        found = next((item for item in self.stand_in.comments if item["id"] == number), None)
        if found is None:
            return 404, {"message": "Not Found"}
        if method == "PATCH":
            found["body"] = body["body"]
        return 200, found
