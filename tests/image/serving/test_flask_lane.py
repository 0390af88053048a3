"""The short way to Flask: which requests take it, and that WSGI's answer arrives whole."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_platform_server.flask_lane import BATCH_BYTES, FlaskLane, environ

Headers = list[tuple[bytes, bytes]]


def scope(method: str = "GET", path: str = "/direct", headers: Headers | None = None) -> Any:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"a=1&b=%20",
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 5000),
        "client": ("127.0.0.1", 40000),
        "headers": headers or [],
    }


def ask(
    application: Callable[..., Iterable[bytes]],
    request: Any,
    body: list[bytes] | None = None,
    gone_after: int | None = None,
    varies_by_origin: bool = False,
) -> list[dict[str, Any]]:
    """What a client gets: every message sent; `gone_after` messages it hangs up."""
    parts = body or [b""]
    sent: list[dict[str, Any]] = []
    hung_up = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if parts:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if gone_after is not None and len(sent) >= gone_after:
            hung_up.set()
            await asyncio.sleep(0)

    async def whole(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "whole"})

    def serves(path: str, method: str) -> bool:
        return path == "/direct" and method != "DELETE"

    lane = FlaskLane(whole, application, serves, varies_by_origin=varies_by_origin)
    asyncio.run(lane(request, receive, send))
    return sent


def hello(_request: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
    start(
        "201 Created",
        [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
    )
    return [b"hel", b"lo"]


class TestWhichWay:
    """Only what Flask alone serves, and never what a browser asks from another origin."""

    def test_flasks_path_goes_to_flask(self) -> None:
        assert ask(hello, scope())[0]["status"] == 201

    @pytest.mark.parametrize(
        "request_",
        [
            scope(path="/native"),
            scope(method="DELETE"),
            scope(method="OPTIONS"),
            scope(headers=[(b"origin", b"http://page.test")]),
            {"type": "lifespan"},
            {"type": "websocket", "path": "/direct", "headers": []},
        ],
        ids=["path", "method", "preflight", "origin", "lifespan", "websocket"],
    )
    def test_everything_else_takes_the_whole_way(self, request_: Any) -> None:
        assert ask(hello, request_) == [{"type": "whole"}]


class TestTheAnswer:
    """Status, every header, the body; large ones piece by piece."""

    def test_a_small_answer_is_two_messages(self) -> None:
        start, body = ask(hello, scope())
        assert start["headers"] == [
            (b"content-type", b"text/plain"),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
        ]
        assert body == {"type": "http.response.body", "body": b"hello", "more_body": False}

    @pytest.mark.parametrize(
        ("said", "then"), [([], b"Origin"), ([("Vary", "Cookie")], b"Cookie, Origin")]
    )
    def test_a_cache_is_told_that_other_origins_get_another(
        self, said: list[tuple[str, str]], then: bytes
    ) -> None:
        """MLflow's whole application says so in every answer; a cache may stand in between."""

        def application(_request: Any, start: Callable[..., object]) -> Iterable[bytes]:
            start("200 OK", said)
            return [b""]

        assert ask(application, scope(), varies_by_origin=True)[0]["headers"] == [(b"vary", then)]

    def test_a_large_answer_is_never_held_whole(self) -> None:
        piece = b"x" * (BATCH_BYTES // 2)

        def large(_request: Any, start: Callable[..., object]) -> Iterator[bytes]:
            start("200 OK", [])
            yield from [piece] * 9

        messages = ask(large, scope())[1:]
        assert sum(len(message["body"]) for message in messages) == 9 * len(piece)
        assert max(len(message["body"]) for message in messages) == 2 * len(piece)
        assert [message["more_body"] for message in messages] == [True] * 4 + [False]

    @pytest.mark.parametrize("gone_after", [None, 2])
    def test_what_an_answer_holds_is_released(self, gone_after: int | None) -> None:
        """Read to its end or left in the middle by a client that went away."""
        closed: list[bool] = []

        class Answer:
            def __init__(self) -> None:
                self.pieces = iter([b"x" * BATCH_BYTES] * 50)

            def __iter__(self) -> Iterator[bytes]:
                return self.pieces

            def close(self) -> None:
                closed.append(True)

        def application(_request: Any, start: Callable[..., object]) -> Any:
            start("200 OK", [])
            return Answer()

        sent = ask(application, scope(), gone_after=gone_after)
        assert closed == [True]
        assert (len(sent) < 50) == (gone_after is not None)

    def test_an_error_in_flask_is_not_swallowed(self) -> None:
        def broken(_request: Any, _start: Any) -> Iterable[bytes]:
            raise LookupError("broken")

        with pytest.raises(LookupError, match=r"^broken$"):
            ask(broken, scope())


class TestTheRequest:
    """A body in pieces is whole, with its length; WSGI's rules are kept."""

    def test_a_body_in_chunks_has_a_length(self) -> None:
        seen: list[tuple[str, bytes]] = []

        def echo(request: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
            seen.append((request["CONTENT_LENGTH"], request["wsgi.input"].read()))
            start("200 OK", [])
            return []

        ask(echo, scope("POST"), [b"one ", b"two"])
        assert seen == [("7", b"one two")]

    def test_a_client_that_goes_away_before_its_end_is_not_answered(self) -> None:
        async def left() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def never(_message: Any) -> None:
            raise AssertionError

        lane = FlaskLane(never, hello, lambda _path, _method: True)  # type: ignore[arg-type]
        asyncio.run(lane(scope("POST"), left, never))

    def test_the_reference_validator_agrees(self) -> None:
        def application(request: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
            request["wsgi.input"].read(0)
            start("200 OK", [("Content-Type", "text/plain")])
            return [b"ok"]

        sent = ask(validator(application), scope("POST", headers=[(b"x-a", b"1")]), [b"body"])
        assert sent[1]["body"] == b"ok"

    @given(
        headers=st.lists(
            st.tuples(
                st.sampled_from([b"x-a", b"x-b", b"cookie", b"content-type", b"accept"]),
                st.binary(max_size=12),
            ),
            max_size=8,
        ),
        path=st.text(st.characters(codec="utf-8", exclude_characters="?#"), max_size=12),
    )
    def test_it_reads_as_mlflows_own_bridge_has_it(self, headers: Headers, path: str) -> None:
        from starlette.middleware.wsgi import build_environ

        request = scope("POST", f"/{path}", headers) | {"root_path": ""}
        ours, theirs = environ(request, b"body"), build_environ(request, b"body")
        for name in theirs.keys() - {"wsgi.input", "wsgi.errors", "SERVER_PORT"}:
            assert ours[name] == theirs[name]
        assert isinstance(ours["wsgi.input"], io.BytesIO)
        assert ours.keys() - theirs.keys() == {"CONTENT_LENGTH"}
