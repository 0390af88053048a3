"""Leftover processes, ports, privileges and supervision, with small real processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.local import launcher, leftovers, privileges
from infra.local.errors import LocalPlatformError
from infra.local.layout import Layout, interpreter
from infra.local.leftovers import MARK, Trace
from infra.local.ports import problem_with_port
from infra.local.program import Program
from infra.local.supervision import Supervision, inherited_environment
from infra.local.supervisor_client import SupervisorUnreachableError
from tests.infra.local.conftest import free_port, wait_until

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('up', flush=True); time.sleep(600)"
)


def started(code: str, mark: str) -> subprocess.Popen[str]:
    """A marked process that has reached its code."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, MARK: mark},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


class TestLeftovers:
    """Exactly the marked processes are ended, the stubborn ones too."""

    @pytest.mark.parametrize("code", [SLEEP, STUBBORN])
    def test_only_ours_end(self, code: str) -> None:
        mark = f"{os.getpid()}/test"
        with started(code, mark) as ours, started(SLEEP, f"{mark}-other") as other:
            try:
                assert leftovers.end(Trace(mark=mark, grace_seconds=1)) == 1
                assert ours.poll() is not None
                assert other.poll() is None
                assert leftovers.end(Trace(mark=mark)) == 0
            finally:
                ours.kill()
                other.kill()

    def test_one_that_nobody_buries_is_not_waited_for(self) -> None:
        mark = f"{os.getpid()}/unburied"
        with started(SLEEP, mark) as ours:
            seen = psutil.Process(ours.pid)
            # This test is its parent and has not asked for it: it stays a zombie.
            assert leftovers.end(Trace(mark=mark, grace_seconds=3600)) == 1
            assert seen.status() == psutil.STATUS_ZOMBIE

    def test_no_trace_matches_nothing(self) -> None:
        assert leftovers.find(Trace()) == []


class TestLauncher:
    """It clears the ground, then becomes the program with exactly its environment."""

    def test_preparation(self, tmp_path: Path) -> None:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        (scratch / "stale.db").touch()
        program = Program(
            name="x",
            command=("/bin/true",),
            directory="/",
            trace=Trace(mark="nobody"),
            files={str(tmp_path / "auth.ini"): "text"},
            fresh_directories=(str(scratch),),
        )
        assert launcher.prepare(program) == 0
        assert list(scratch.iterdir()) == []
        assert (tmp_path / "auth.ini").read_text() == "text"
        assert (tmp_path / "auth.ini").stat().st_mode & 0o077 == 0

    def test_a_damaged_definition_is_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert launcher.main([str(tmp_path / "none.json")]) == 78
        assert "none.json is missing or damaged" in capsys.readouterr().err


class TestPorts:
    """A taken port is refused, with the name of the process that has it."""

    def test_free(self) -> None:
        assert problem_with_port("127.0.0.1", free_port(), setting="s", ours=None) is None

    def test_taken(self) -> None:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            said = problem_with_port("127.0.0.1", port, setting="serverPort", ours=None)
        assert said is not None
        assert f"port {port} on 127.0.0.1 is taken by " in said
        assert f"(process {os.getpid()}, user " in said
        assert said.endswith("set mlflow-platform:serverPort to a free port")

    def test_an_address_of_another_machine(self) -> None:
        said = problem_with_port("192.0.2.1", free_port(), setting="serverPort", ours=None)
        assert said is not None
        assert said.startswith("cannot listen on 192.0.2.1 port ")

    def test_our_own_leftover_is_no_problem(self) -> None:
        code = (
            "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen();"
            "print('up', flush=True); time.sleep(600)"
        )
        mark = f"{os.getpid()}/port"
        with started(code, mark) as process:
            try:
                (listening,) = psutil.Process(process.pid).net_connections()
                port = listening.laddr.port
                ours = Trace(mark=mark)
                assert problem_with_port("127.0.0.1", port, setting="s", ours=ours) is None
                assert problem_with_port("127.0.0.1", port, setting="s", ours=None) is not None
            finally:
                process.kill()


class TestPrivilegesThatCannotBe:
    """Where root cannot become a user that reaches the files, the sentence says what to do."""

    @pytest.mark.skipif(os.geteuid() != 0, reason="as root")
    def test_without_the_capability_the_path_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(privileges, "CAPABILITIES", ())
        tmp_path.chmod(0o700)
        (tmp_path / "file").touch()
        with pytest.raises(LocalPlatformError) as caught:
            privileges.for_database("nobody", [tmp_path / "file"])
        assert str(tmp_path / "file") in str(caught.value)
        assert "mlflow-platform:localServiceUser" in str(caught.value)

    @pytest.mark.parametrize("user", ["no-such-user", "root"])
    def test_an_impossible_user_is_refused(
        self, user: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        with pytest.raises(LocalPlatformError, match=f"localServiceUser is '{user}'"):
            privileges.for_database(user, [])

    def test_setpriv_missing(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(LocalPlatformError, match="util-linux"):
            privileges.for_database("nobody", [])


class TestSupervision:
    """Programs are started, left alone, restarted and ended as their definition says."""

    @pytest.fixture
    def supervision(self, tmp_path: Path) -> Iterator[Supervision]:
        supervision = Supervision(Layout(tmp_path / "100 %s"))
        supervision.ensure_running()
        yield supervision
        supervision.shut_down()

    def program(self, supervision: Supervision, **environment: str) -> Program:
        trace = Trace(mark=supervision.mark("sleeper"), grace_seconds=2)
        return Program(
            name="sleeper",
            command=(interpreter(), "-c", SLEEP),
            environment={MARK: trace.mark, **environment},
            directory="/",
            trace=trace,
            settle_seconds=0,
        )

    def pid(self, supervision: Supervision) -> int:
        report = supervision.report("sleeper")
        return report.pid if report and report.alive else 0

    def test_life_of_a_program(self, supervision: Supervision) -> None:
        first = self.program(supervision)
        assert supervision.apply(first) == "started"
        pid = wait_until(lambda: self.pid(supervision))
        assert supervision.apply(first) == "unchanged"
        assert self.pid(supervision) == pid
        assert supervision.running_definition("sleeper") == first

        second = self.program(supervision, SETTING="other", SECRET="a-secret-value")
        assert supervision.apply(second) == "restarted"
        changed = wait_until(lambda: self.pid(supervision))
        assert changed != pid
        assert not psutil.pid_exists(pid)
        process = psutil.Process(changed)
        wait_until(lambda: "time.sleep" in " ".join(process.cmdline()))
        assert process.environ() == second.environment
        texts = [path.read_text() for path in supervision.layout.run.rglob("*.conf")]
        assert not [text for text in texts if "a-secret-value" in text]

        supervision.discard("sleeper", second.trace)
        wait_until(lambda: not psutil.pid_exists(changed))
        assert supervision.report("sleeper") is None
        assert not list(supervision.layout.run.glob("*.json"))
        supervision.discard("sleeper", second.trace)  # again is fine

    def test_a_hung_supervisor_is_replaced_and_nothing_is_doubled(
        self, supervision: Supervision
    ) -> None:
        program = self.program(supervision)
        supervision.apply(program)
        pid = wait_until(lambda: self.pid(supervision))
        orphan = psutil.Process(pid)
        supervisord = psutil.Process(supervision.client.pid())
        supervisord.kill()
        supervisord.wait(10)
        assert not supervision.is_running()
        with pytest.raises(SupervisorUnreachableError, match="does not answer on"):
            supervision.client.pid()
        assert supervision.report("sleeper") is None
        supervision.ensure_running()
        assert supervision.apply(program) == "started"
        assert wait_until(lambda: self.pid(supervision)) != pid
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE

    def test_the_passphrase_of_the_caller_reaches_no_process(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
        assert "PULUMI_CONFIG_PASSPHRASE" not in inherited_environment()
