"""Where providers come from: started as child processes, or attached where one listens already.

Owns finding and starting them, forwarding what they print, and seeing to it that none outlives
this process. The provider of dynamic resources is `python -m pulumi.dynamic`, the same program
that Pulumi's CLI runs; it takes half a second to import, so it is started before the user's
program is and waited for only when it is needed. What is said to a provider is in
`providers_client.py`.

A package that would reach a real cloud is refused unless it is attached through Pulumi's own
`PULUMI_DEBUG_PROVIDERS=name:port`, which is how the simulated clouds come in: this engine has
none of the safeguards (plugin versions, checksums, policies) that a cloud account deserves.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

import grpc
from pulumi.runtime.proto import provider_pb2

from local_engine.errors import EngineError
from local_engine.events import Diagnostic, Severity
from local_engine.providers_client import ProviderClient

DYNAMIC_PACKAGE = "pulumi-python"
INSTALL_HINT = "install the Pulumi CLI (https://www.pulumi.com/docs/install/) and run it there"

_CLOUD_PACKAGES = frozenset(
    {
        "alicloud",
        "aws",
        "aws-apigateway",
        "aws-iam",
        "aws-native",
        "awsx",
        "azure",
        "azure-native",
        "azuread",
        "azuredevops",
        "cloudflare",
        "confluentcloud",
        "databricks",
        "datadog",
        "digitalocean",
        "eks",
        "fly",
        "gcp",
        "gcp-global-cloudrun",
        "github",
        "gitlab",
        "google-native",
        "grafana",
        "hcloud",
        "kubernetes",
        "linode",
        "mongodbatlas",
        "newrelic",
        "oci",
        "openstack",
        "pulumiservice",
        "scaleway",
        "snowflake",
        "vault",
        "vsphere",
        "yandex",
    }
)

# The child ends with this process, however that ends: it holds the reading end of a pipe whose
# writing end lives here. Its own children do not inherit it.
_DYNAMIC_PROGRAM = """
import os, runpy, sys, threading
lifeline = int(sys.argv[1])
os.set_inheritable(lifeline, False)
def watch():
    os.read(lifeline, 1)
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
sys.path[0] = os.getcwd()
sys.argv = ["pulumi.dynamic", *sys.argv[2:]]
runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
"""

_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
)


class ProviderProcess:
    """A provider that runs as a child and prints the port it listens on as its first line."""

    def __init__(
        self,
        command: list[str],
        directory: Path,
        environment: dict[str, str],
        emit: Callable[[Diagnostic], None],
        lifeline: tuple[int, int] | None = None,
    ) -> None:
        """Start `command`; the port is awaited by whoever asks for it first."""
        self.emit = emit
        self._lifeline = lifeline[1] if lifeline else None
        # A group of its own: Ctrl-C at the terminal is for the engine, which lets a provider
        # finish what it has begun.
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            pass_fds=lifeline[:1] if lifeline else (),
        )
        if lifeline:
            os.close(lifeline[0])
        self._port: Future[int] = Future()
        self._tail: list[str] = []
        assert self._process.stdout is not None  # noqa: S101
        assert self._process.stderr is not None  # noqa: S101
        self._forward(self._process.stdout, "info", first_is_port=True)
        self._forward(self._process.stderr, "info#err", first_is_port=False)
        atexit.register(self.stop)

    @property
    def running(self) -> bool:
        """Whether the child is still there."""
        return self._process.poll() is None

    def port(self) -> int:
        """Return the port, waiting until the child has printed it.

        Raises:
            EngineError: the child ended, or printed something else.
        """
        return self._port.result()

    def stop(self) -> None:
        """End the child."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def _forward(self, stream: IO[bytes], severity: Severity, *, first_is_port: bool) -> None:
        def pump() -> None:
            awaiting_port = first_is_port
            with stream:
                for raw in stream:
                    line = raw.decode(errors="replace").rstrip("\n")
                    if awaiting_port and line.strip().isdigit():
                        self._port.set_result(int(line))
                        awaiting_port = False
                    else:
                        self._tail.append(line)
                        self.emit(Diagnostic(severity, "", line))
            if awaiting_port:
                self._process.wait()
                self._port.set_exception(
                    EngineError(
                        f"the provider {self._process.args!r} ended with code "
                        f"{self._process.returncode} before it said where it listens"
                    )
                )

        threading.Thread(target=pump, name="provider-output", daemon=True).start()


class ProviderHost:
    """Starts or attaches the providers of one deployment and ends them with it."""

    def __init__(self, project: str, directory: Path, emit: Callable[[Diagnostic], None]) -> None:
        """Prepare; `engine_address` is set once the engine's own service listens."""
        self.engine_address = ""
        self._project = project
        self._directory = directory
        self._emit = emit
        self._lock = threading.Lock()
        self._dynamic: ProviderProcess | None = None
        self._clients: list[ProviderClient] = []
        self._processes: list[ProviderProcess] = []

    def start_dynamic(self) -> None:
        """Begin to start the provider of dynamic resources, so that it is ready when asked for."""
        with self._lock:
            if self._dynamic is None:
                self._dynamic = self._start_dynamic()

    def load(self, package: str, version: str) -> ProviderClient:
        """Return a provider for `package` that nobody else uses.

        Raises:
            EngineError: there is none, it may not be used here, or it does not start.
        """
        attached = _attached_port(package)
        if attached is not None:
            client = self._connect(package, attached, None)
            client.handshake(_handshake(self.engine_address, None))
            client.attach(self.engine_address)
        elif package == DYNAMIC_PACKAGE:
            self.start_dynamic()
            with self._lock:
                process, self._dynamic = self._dynamic, None
            assert process is not None  # noqa: S101
            client = self._connect(package, process.port(), process)
        else:
            client = self._start_plugin(package, version)
        with self._lock:
            self._clients.append(client)
        return client

    def cancel(self) -> None:
        """Ask every provider to wind up."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            client.cancel()

    def close(self) -> None:
        """End everything that was started."""
        with self._lock:
            clients, self._clients = self._clients, []
            processes, self._processes = self._processes, []
            self._dynamic = None
        for client in clients:
            client.close()
        for process in processes:
            process.stop()

    def _start_dynamic(self) -> ProviderProcess:
        lifeline = os.pipe()
        command = [sys.executable, "-u", "-c", _DYNAMIC_PROGRAM, str(lifeline[0])]
        environment = {**os.environ, "PULUMI_PROJECT": self._project}
        process = ProviderProcess(command, self._directory, environment, self._emit, lifeline)
        self._processes.append(process)
        return process

    def _start_plugin(self, package: str, version: str) -> ProviderClient:
        if package in _CLOUD_PACKAGES:
            raise EngineError(
                f"the package `{package}` belongs to a real cloud, and this engine deploys to "
                f"this machine and to simulated clouds only: {INSTALL_HINT}"
            )
        executable = _find_plugin(package, version)
        if executable is None:
            raise EngineError(
                f"no provider for the package `{package}`: put `pulumi-resource-{package}` on "
                f"PATH, name one that listens in PULUMI_DEBUG_PROVIDERS={package}:<port>, or "
                f"{INSTALL_HINT}"
            )
        environment = {**os.environ, "PULUMI_PROJECT": self._project}
        process = ProviderProcess(
            [str(executable), self.engine_address], self._directory, environment, self._emit
        )
        with self._lock:
            self._processes.append(process)
        client = self._connect(package, process.port(), process)
        client.handshake(_handshake(self.engine_address, executable.parent))
        return client

    def _connect(self, package: str, port: int, process: ProviderProcess | None) -> ProviderClient:
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=_CHANNEL_OPTIONS)

        def close() -> None:
            channel.close()
            if process is not None:
                process.stop()

        return ProviderClient(package, channel, close)


def _handshake(engine_address: str, directory: Path | None) -> Any:
    pb: Any = provider_pb2
    request = pb.ProviderHandshakeRequest(
        engine_address=engine_address, configure_with_urn=True, invoke_with_preview=True
    )
    if directory is not None:
        request.root_directory = str(directory)
        request.program_directory = str(directory)
    return request


def _attached_port(package: str) -> int | None:
    setting = os.environ.get("PULUMI_DEBUG_PROVIDERS", "")
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        name, _, port = entry.rpartition(":")
        if not name or not port.isdigit():
            raise EngineError(
                f"PULUMI_DEBUG_PROVIDERS has the entry {entry!r}: write `package:port`, "
                "several of them separated by commas"
            )
        if name == package:
            return int(port)
    return None


def _find_plugin(package: str, version: str) -> Path | None:
    name = f"pulumi-resource-{package}"
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    pattern = f"resource-{package}-v{version}" if version else f"resource-{package}-v*"
    found = sorted((home / "plugins").glob(f"{pattern}/{name}"))
    return found[-1] if found else None
