"""The command itself: arguments, addresses, proxies, what it prints where and what it loads."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.proxies import choose_proxy
from smoke_tests.target import parse_target
from tests.smoke_tests.conftest import Check, Screen
from tests.smoke_tests.hostile_server import HostileServer, say
from tests.smoke_tests.stand_in_mlflow import Reply, StandInMlflow

ROOT = Path(__file__).parents[2]


class TestCouldNotLook:
    """What keeps the check from looking is one sentence on stderr and exit code 2."""

    @pytest.mark.parametrize(
        ("argv", "sentence"),
        [
            (
                (),
                (
                    "no tracking URI: give one as an argument, name a stack with --stack, or set "
                    "MLFLOW_TRACKING_URI"
                ),
            ),
            (
                ("sqlite:///mlflow.db",),
                (
                    "TRACKING_URI is 'sqlite:///mlflow.db': the check needs an http:// or https:// "
                    "address; give the address of an MLflow server, such as http://127.0.0.1:5000 "
                    "or https://mlflow.example.org/prefix"
                ),
            ),
            (
                ("http://h", "--timeout", "0"),
                "--timeout is '0': it must be a number of seconds above 0, like 30",
            ),
            (
                ("http://h", "--health-timeout", "nan"),
                "--health-timeout is 'nan': it must be a number of seconds above 0, like 30",
            ),
            (
                ("http://h", "--retry-waits", "1,-2"),
                (
                    "--retry-waits is '1,-2': it must be seconds with commas between them, like "
                    "10,20,30,30,30, or none for a single attempt"
                ),
            ),
            (
                ("http://h", "--junit", "/nowhere/at/all.xml"),
                "--junit is '/nowhere/at/all.xml': it must be a file in a folder that exists",
            ),
        ],
    )
    def test_sentence(self, check: Check, argv: tuple[str, ...], sentence: str):
        ran = check(*argv)
        assert (ran.code, ran.out, ran.err) == (2, "", f"error: {sentence}\n")

    def test_variable_is_named_when_it_is_wrong(self, check: Check):
        ran = check("http://h", environ={"SMOKE_TESTS_TIMEOUT": "soon"})
        assert ran.err.startswith("error: SMOKE_TESTS_TIMEOUT is 'soon': ")

    def test_json_and_junit_say_so_too(self, check: Check, tmp_path: Path):
        junit = tmp_path / "r.xml"
        ran = check("--json", "--junit", str(junit))
        assert ran.code == 2
        found = json.loads(ran.out)
        assert (found["outcome"], found["exit_code"], found["stages"]) == ("could_not_look", 2, [])
        assert f"error: {found['problem']}\n" == ran.err
        assert ET.parse(junit).getroot().get("errors") == "1"

    @given(st.text())
    def test_any_address_is_read_or_refused(self, text: str):
        try:
            target = parse_target(text, masker=Masker(), source="test")
        except CouldNotLook:
            return
        assert target.uri.startswith(("http://", "https://"))

    def test_unknown_flag_is_exit_2(self, check: Check):
        with pytest.raises(SystemExit) as raised:
            check("--nonsense")
        assert raised.value.code == 2


class TestAddress:
    """The argument wins over the environment, and the parts of an address are kept."""

    def test_environment_is_used(self, check: Check, stand_in: StandInMlflow):
        assert check(environ={"MLFLOW_TRACKING_URI": stand_in.uri}).code == 0

    def test_argument_wins(self, check: Check, stand_in: StandInMlflow):
        assert check(stand_in.uri, environ={"MLFLOW_TRACKING_URI": "http://other"}).code == 0

    def test_ipv6(self):
        target = parse_target("http://[::1]:5000/p/", masker=Masker(), source="test")
        assert (target.host, target.authority, target.uri) == (
            "::1",
            "[::1]:5000",
            "http://[::1]:5000/p",
        )

    def test_experiment_from_flag(self, check: Check, stand_in: StandInMlflow):
        assert check(stand_in.uri, "--experiment", "größe & co").code == 0
        assert stand_in.experiments["1"]["name"] == "größe & co"

    def test_workspace_travels(self, check: Check, stand_in: StandInMlflow):
        check(stand_in.uri, environ={"MLFLOW_WORKSPACE": "team"})
        assert {r.headers["x-mlflow-workspace"] for r in stand_in.requests} == {"team"}


class TestProxies:
    """Proxies are taken from the environment; a server on this machine is asked directly."""

    def choose(self, uri: str, **environ: str) -> str | None:
        masker = Masker()
        target = parse_target(uri, masker=masker, source="test")
        proxy = choose_proxy(target, environ, masker)
        return None if proxy is None else str(proxy)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "a.localhost"])
    def test_never_for_this_machine(self, host: str):
        assert self.choose(f"http://{host}:5000", HTTP_PROXY="http://proxy:3128") is None

    def test_by_scheme(self):
        environ = {"http_proxy": "http://a:1", "HTTPS_PROXY": "b:2", "ALL_PROXY": "http://c:3"}
        assert self.choose("http://h", **environ) == "a:1"
        assert self.choose("https://h", **environ) == "b:2"
        assert self.choose("https://h", ALL_PROXY="http://c:3") == "c:3"

    @pytest.mark.parametrize("entry", ["*", "h.org", ".org", "*.org", "x, h.org:81", "H.ORG"])
    def test_exceptions(self, entry: str):
        uri = "http://h.org:81"
        assert self.choose(uri, HTTP_PROXY="http://p:1", NO_PROXY=entry) is None

    def test_other_hosts_are_no_exception(self):
        assert self.choose("http://xh.org", HTTP_PROXY="http://p:1", NO_PROXY="h.org") == "p:1"

    def test_unsupported_kind_is_refused(self, check: Check):
        ran = check("http://h", environ={"ALL_PROXY": "socks5://me:mypassword@p:1"})
        assert ran.code == 2
        assert ran.err.startswith("error: ALL_PROXY is 'socks5://[secret]@p:1': ")

    def test_request_goes_through_it(self, check: Check, hostile: Callable[..., HostileServer]):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
        proxy = hostile(say(answer), say(b""))
        environ = {"HTTP_PROXY": f"http://me:mypassword@127.0.0.1:{proxy.port}"}
        ran = check("http://mlflow.example.org/p", "--retry-waits", "none", environ=environ)
        assert proxy.heads[0].startswith(b"GET http://mlflow.example.org/p/health HTTP/1.1\r\n")
        assert b"Host: mlflow.example.org\r\n" in proxy.heads[0]
        assert b"Proxy-Authorization: Basic bWU6bXlwYXNzd29yZA==\r\n" in proxy.heads[0]
        assert "✓ MLflow server healthy" in ran.out
        assert f"(through the proxy 127.0.0.1:{proxy.port})" in ran.out
        assert "or name the host in NO_PROXY" in ran.out

    def test_refused_tunnel_names_the_proxy(
        self, check: Check, hostile: Callable[..., HostileServer]
    ):
        proxy = hostile(say(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"))
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        ran = check("https://mlflow.example.org", "--retry-waits", "none", environ=environ)
        assert proxy.heads[0].startswith(b"CONNECT mlflow.example.org:443 ")
        assert "the proxy refused the connection: mlflow.example.org" in ran.out


class TestScreens:
    """The report suits the stream: symbols, colours, countdown, and no crash on any encoding."""

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
    def test_ascii_where_the_stream_knows_no_more(
        self, check: Check, stand_in: StandInMlflow, encoding: str
    ):
        stand_in.replies["/api/2.0/mlflow/runs/create"] = [Reply(500, "größer ✓ 数\x1b[31m")]
        ran = check(stand_in.uri, screen=Screen(encoding))
        assert "[ok] MLflow server healthy" in ran.out
        assert "[x] FAILED: Cannot create run." in ran.out
        assert "\\u6570" in ran.out
        assert "\x1b" not in ran.out

    def test_no_colour_and_no_countdown_in_a_pipe(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies["/health"] = [Reply(503, "later")]
        assert not {"\x1b", "\r"} & set(check(stand_in.uri).out)

    def test_terminal_counts_down_in_colour(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies["/health"] = [Reply(503, "later")]
        out = check(stand_in.uri, screen=Screen(tty=True)).out
        assert "\x1b[32m✓ MLflow server healthy" in out
        assert [f"Waiting {n}s before" in out for n in (10, 5, 1, 0)] == [True, True, True, False]

    @pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_no_colour_when_not_wanted(
        self, check: Check, stand_in: StandInMlflow, environ: dict[str, str]
    ):
        out = check(stand_in.uri, environ=environ, screen=Screen(tty=True)).out
        assert "\x1b" not in out

    def test_nothing_printed_moves_the_cursor(self, check: Check, stand_in: StandInMlflow):
        screen = Screen(tty=True)
        ran = check(stand_in.uri, "--experiment", "a\x1b[2Jb\rc", screen=screen)
        assert "Created experiment: a\\x1b[2Jb\\rc (id=1)" in ran.out

    def test_junit_survives_control_characters(
        self, check: Check, stand_in: StandInMlflow, tmp_path: Path
    ):
        stand_in.replies["/health"] = [Reply(500, b"\x00\x08\xff]]>&<x>")]
        path = tmp_path / "r.xml"
        assert check(stand_in.uri, "--junit", str(path)).code == 1
        suite = ET.parse(path).getroot()
        assert suite.attrib.items() >= {"tests": "4", "failures": "1", "skipped": "3"}.items()
        assert [case.get("name") for case in suite] == [
            "test 1: health",
            "test 2: experiment",
            "test 3: run",
            "test 4: metric",
        ]

    def test_json_is_all_of_stdout(self, check: Check, stand_in: StandInMlflow):
        stand_in.replies["/health"] = [Reply(503, "later"), Reply(404, "no")]
        found = json.loads(check(stand_in.uri, "--json").out)
        assert (found["outcome"], found["exit_code"]) == ("failed", 1)
        results = [stage["result"] for stage in found["stages"]]
        assert results == ["failed", "not_run", "not_run", "not_run"]
        assert found["problem"] == found["stages"][0]["problem"]
        assert "--static-prefix" in found["stages"][0]["remedy"]


class TestProcess:
    """As a process of its own: encodings, closed pipes, terminals, and what it does not load."""

    def run(self, *argv: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        return subprocess.run(
            [sys.executable, "-m", "smoke_tests", *argv],
            cwd=ROOT,
            env={**clean, **environ},
            capture_output=True,
            check=False,
        )

    def test_ascii_locale(self, stand_in: StandInMlflow):
        ran = self.run(stand_in.uri, PYTHONIOENCODING="ascii")
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert b"[ok] ALL TESTS PASSED - MLflow integration is working!" in ran.stdout

    def test_closed_pipe_is_no_traceback(self, stand_in: StandInMlflow):
        reading, writing = os.pipe()
        os.close(reading)
        ran = subprocess.run(
            [sys.executable, "-m", "smoke_tests", stand_in.uri],
            cwd=ROOT,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writing)
        assert (ran.returncode, ran.stderr) == (2, b"")

    def test_real_terminal(self, stand_in: StandInMlflow):
        main, side = pty.openpty()
        environ = {**os.environ, "TERM": "xterm", "PYTHONUTF8": "1"}
        environ.pop("NO_COLOR", None)
        with subprocess.Popen(
            [sys.executable, "-m", "smoke_tests", stand_in.uri],
            cwd=ROOT,
            env=environ,
            stdout=side,
            stderr=side,
        ) as process:
            os.close(side)
            seen = b""
            while True:
                try:
                    block = os.read(main, 65536)
                except OSError:  # Linux's way of saying that the other side is closed
                    break
                if not block:
                    break
                seen += block
        os.close(main)
        assert process.returncode == 0
        assert "\x1b[32m✓ MLflow server healthy".encode() in seen

    def test_loads_neither_mlflow_nor_requests_nor_clouds(self):
        ran = subprocess.run(
            [
                *(sys.executable, "-c"),
                (
                    "import sys, smoke_tests.command_line\n"
                    "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
                ),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = set(ran.stdout.split())
        heavy = {"mlflow", "requests", "urllib3", "pulumi", "botocore", "google", "xml", "asyncio"}
        assert not heavy & loaded
