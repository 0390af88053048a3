"""The process that forks: it replaces, gives up, passes orders on; and the listener it shares."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

from mlflow_platform_server.errors import CannotStart
from mlflow_platform_server.listening import address_of, bind, let_nobody_new_in
from tests.image.serving.real_server import PACKAGE

PROGRAM = """
import logging, os, signal, sys, time
from mlflow_platform_server import supervisor
from mlflow_platform_server.listening import bind
from mlflow_platform_server.serve_options import ServeOptions
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)

def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())

def serve(alive):
{serve}

options = ServeOptions(backend_store_uri="sqlite://", workers={workers}, grace_seconds=1)
{before}
sys.exit(supervisor.Supervisor(options, bind("127.0.0.1", 0), serve).run())
"""


def supervise(serve: str, *, workers: int = 2, before: str = "") -> subprocess.Popen[str]:
    program = PROGRAM.format(
        serve=textwrap.indent(textwrap.dedent(serve), "    "), workers=workers, before=before
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stdout=subprocess.PIPE,
        text=True,
    )


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


WAITING = """
say("worker", os.getpid())
while True:
    alive()
    time.sleep(0.02)
"""


class TestReplacing:
    """As many workers as were asked for, whatever happens to one."""

    def test_a_dead_worker_is_replaced(self) -> None:
        with supervise(WAITING, workers=1) as process:
            (first,) = lines(process, 1)
            pid = int(first.split()[1])
            os.kill(pid, signal.SIGKILL)
            said, second = lines(process, 2)
            assert said == f"worker {pid} ended with signal SIGKILL and is replaced"
            assert int(second.split()[1]) != pid
            process.terminate()
            assert process.wait(30) == 0

    def test_workers_that_never_serve_stop_the_server(self) -> None:
        with supervise("sys.exit(7)", workers=1) as process:
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        said = output.splitlines()
        assert len([line for line in said if line.endswith("exit code 7 and is replaced")]) == 4
        assert (
            "5 in a row did not live for 10 s: the lines above say why, the server stops"
            in said[-2]
        )

    def test_a_worker_that_is_silent_is_killed(self) -> None:
        silent = """
        say("worker", os.getpid())
        alive()
        time.sleep(600)
        """
        with supervise(silent, workers=1, before="supervisor.SILENT_SECONDS = 1") as process:
            first, said, replaced = lines(process, 3)
            pid = first.split()[1]
            assert said == f"worker {pid} was silent for 1 s and is killed"
            assert replaced == f"worker {pid} ended with signal SIGKILL and is replaced"
            process.send_signal(signal.SIGQUIT)
            assert process.wait(30) == 0


class TestEnding:
    """SIGTERM drains, SIGINT and SIGQUIT do not; what does not end is ended."""

    @pytest.mark.parametrize(
        ("sent", "heard"),
        [("SIGTERM", "SIGTERM"), ("SIGINT", "SIGQUIT"), ("SIGQUIT", "SIGQUIT")],
    )
    def test_orders_are_passed_on(self, sent: str, heard: str) -> None:
        listening = """
        def leave(number, frame):
            say("heard", signal.Signals(number).name)
            sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGQUIT, leave)
        say("ready")
        while True:
            time.sleep(0.02)
        """
        with supervise(listening) as process:
            assert lines(process, 2) == ["ready", "ready"]
            process.send_signal(getattr(signal, sent))
            output, _ = process.communicate(timeout=30)
        assert output.splitlines()[1:] == [f"heard {heard}"] * 2
        assert process.returncode == 0

    def test_a_worker_that_will_not_end_is_killed(self) -> None:
        stubborn = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("ready")
        while True:
            time.sleep(0.02)
        """
        with supervise(stubborn, workers=1, before="supervisor.KILL_SECONDS = 0") as process:
            assert lines(process, 1) == ["ready"]
            process.terminate()
            assert process.wait(30) == 0


class TestTheListener:
    """Closed without resetting anybody who was let in."""

    def test_who_waits_is_taken_and_nobody_new_gets_in(self) -> None:
        listener = bind("127.0.0.1", 0)
        listener.listen(16)
        place = listener.getsockname()
        early = socket.create_connection(place)
        let_nobody_new_in(listener)
        late = socket.socket()
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.connect(place)
        taken, _ = listener.accept()
        taken.sendall(b"welcome")
        assert early.recv(16) == b"welcome"
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place)
        for item in (early, late, taken):
            item.close()

    def test_answers_are_not_held_back(self) -> None:
        with bind("127.0.0.1", 0) as listener:
            listener.listen(1)
            with socket.create_connection(listener.getsockname()):
                taken, _ = listener.accept()
                with taken:
                    assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    def test_where_it_is(self) -> None:
        with bind("127.0.0.1", 0) as listener:
            assert address_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"

    @pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
    def test_an_address_of_another_machine(self, host: str) -> None:
        with pytest.raises(CannotStart, match=rf"^cannot listen on {host}, port 0 \("):
            bind(host, 0)
