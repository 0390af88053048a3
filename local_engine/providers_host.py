"""Where providers come from: started as child processes, or attached where one listens already.

Owns finding them and ending them with the deployment. The provider of dynamic resources is
`python -m pulumi.dynamic`, the same program that Pulumi's CLI runs; it is started before the
user's program is and waited for only when it is needed (`providers_process.py`). What is said to
a provider is in `providers_client.py`.

A package that would reach a real cloud is refused unless it is attached through Pulumi's own
`PULUMI_DEBUG_PROVIDERS=name:port`, which is how the simulated clouds come in: this engine has
none of the safeguards (plugin versions, checksums, policies) that a cloud account deserves.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2

from local_engine.errors import EngineError
from local_engine.events import Diagnostic
from local_engine.providers_client import ProviderClient
from local_engine.providers_process import ProviderProcess, Severity, start_dynamic, take_early

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

_CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 400 * 1024 * 1024),
    ("grpc.max_send_message_length", 400 * 1024 * 1024),
    # A connection for each provider resource, as Pulumi's engine has: an attached provider serves
    # several and tells them apart by nothing else.
    ("grpc.use_local_subchannel_pool", 1),
)


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
            client.configuration.handshake(_handshake(self.engine_address, None))
            client.configuration.attach(self.engine_address)
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
        process = take_early(self._project, self._directory)
        if process is None:
            process = start_dynamic(self._project, self._directory)
        process.listen(self._hear)
        self._processes.append(process)
        return process

    def _hear(self, severity: Severity, line: str) -> None:
        self._emit(Diagnostic(severity, "", line))

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
            [str(executable), self.engine_address], self._directory, environment, self._hear
        )
        with self._lock:
            self._processes.append(process)
        client = self._connect(package, process.port(), process)
        client.configuration.handshake(_handshake(self.engine_address, executable.parent))
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
