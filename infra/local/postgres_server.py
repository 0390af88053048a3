"""One PostgreSQL server under supervisord: its settings, its start and how it is found.

Owns what is between a data directory and a database that answers. Durability stays on (fsync,
full page writes, data checksums): what was acknowledged survives `kill -9` and a power cut. The
server listens on 127.0.0.1 alone, speaks SCRAM only and has no Unix socket. Settings are its
arguments, not lines in a file: what runs is what the stack says, and a changed one is a restart.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from infra.local import postgres_database, privileges
from infra.local.errors import LocalPlatformError
from infra.local.leftovers import Trace
from infra.local.log_tail import LogTail
from infra.local.postgres_cluster import SUPERUSER, Cluster
from infra.local.postgres_database import Login
from infra.local.program import Program
from infra.local.provider import Properties
from infra.local.supervised_server import ServerState, SupervisedServer
from infra.local.supervisor_files import log_path

NAME = "postgresql"
START_SECONDS = 120  # recovery after a crash replays the log first
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class PostgresServer(SupervisedServer):
    """The database server that a resource's properties describe."""

    name: ClassVar[str] = NAME
    port_setting: ClassVar[str] = "databasePort"

    @cached_property
    def trace(self) -> Trace:
        """How its processes are recognised, whoever started them."""
        return Trace(database_directory=str(self.layout.data), grace_seconds=60)

    @cached_property
    def cluster(self) -> Cluster:
        """Its data directory, and who may work on it."""
        binaries = Path(self.props["postgres_bin_dir"])
        reach = (binaries / "postgres", self.layout.root, self.layout.data / "PG_VERSION")
        return Cluster(
            directory=self.layout.data,
            binaries=binaries,
            privileges=privileges.for_database(self.props["service_user"], reach),
        )

    @cached_property
    def program(self) -> Program:
        """What supervisord runs."""
        options: list[str] = []
        for name, value in server_settings(self.props).items():
            options += ["-c", f"{name}={value}"]
        binary = str(self.cluster.binaries / "postgres")
        return Program(
            name=NAME,
            command=(
                *self.cluster.privileges.prefix,
                binary,
                "-D",
                str(self.layout.data),
                *options,
            ),
            environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(self.layout.data)},
            directory="/",
            trace=self.trace,
            stop_signal="INT",  # fast shutdown: open connections are closed, nothing is lost
            stop_seconds=120,
            settle_seconds=3,
            signal_whole_group=False,
            version=self.props["binaries_version"],
        )

    def start(self) -> None:
        """Make it run with these settings, its role and its databases; unchanged is left alone.

        Raises:
            LocalPlatformError: it does not come up, with the cause and its last words.
        """
        self.supervision.ensure_running()
        taken = self.port_problem()
        if taken:
            raise LocalPlatformError(taken)
        log = LogTail.from_now(log_path(NAME, self.layout))
        self.supervision.apply(self.program)
        if self._wait_for_answer(log) == "refuses":
            self.reset_superuser_password()
            self.supervision.apply(self.program)
            self._wait_for_answer(log)
        login, props = self._login(SUPERUSER), self.props
        postgres_database.ensure_role(login, props["user"], props["password"])
        postgres_database.ensure_databases(login, props["user"], props["databases"])

    def reset_superuser_password(self) -> None:
        """Stop the server and make or adopt its data directory with this stack's password."""
        self.supervision.stop(NAME, self.trace)
        self.cluster.prepare(self.props["superuser_password"])

    def judge(self, uptime_seconds: int) -> ServerState:
        """By logging in as MLflow does."""
        del uptime_seconds
        answer = self._login(self.props["user"], self.props["databases"][0]).answer()
        states: dict[postgres_database.Answer, ServerState] = {
            "accepts": "running",
            "refuses": "refusing",
            "silent": "silent",
        }
        return states[answer]

    def _login(self, user: str, database: str = "postgres") -> Login:
        superuser = user == SUPERUSER
        return Login(
            host=self.props["host"],
            port=self.props["port"],
            user=user,
            password=self.props["superuser_password" if superuser else "password"],
            database=database,
        )

    def _wait_for_answer(self, log: LogTail) -> postgres_database.Answer:
        """Wait until it lets the superuser in or turns it away."""
        login = self._login(SUPERUSER)
        deadline = time.monotonic() + START_SECONDS
        while (answer := login.answer()) == "silent":
            report = self.supervision.report(NAME)
            failed = report is None or not report.alive
            if failed or time.monotonic() > deadline:
                secrets = (self.props["superuser_password"], self.props["password"])
                how = "stopped at once" if failed else f"did not answer for {START_SECONDS} s"
                raise LocalPlatformError(f"PostgreSQL {how}{log.explanation(secrets)}")
            time.sleep(POLL_SECONDS)
        return answer


def server_settings(props: Properties) -> dict[str, str]:
    """PostgreSQL's settings: durable and local; sizes are `infra.database_tuning`'s."""
    return {
        "listen_addresses": props["host"],
        "port": str(props["port"]),
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "restart_after_crash": "on",
        # Pages are logged whole after each checkpoint; compressed they take a third.
        "wal_compression": "pglz",
        # Clients that vanish without a word do not keep their connection for hours.
        "tcp_keepalives_idle": "60",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        # supervisord writes and rotates the log.
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_line_prefix": "%m [%p] %u@%d ",
        # Bound values may be anything a user logged; slow statements are shown without them.
        "log_parameter_max_length": "0",
        # What it shares with the clouds, in one order: an engine hands them back in another, and
        # other arguments are a restart. A stack of an earlier version has none: it is `changed`.
        **dict(sorted(props.get("parameters", {}).items())),
    }
