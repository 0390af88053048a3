"""A Kubernetes control plane as processes of this user: started, looked at, stopped.

Owns which program runs with which flags, in which order they come up and when that is done: etcd,
the API server (RBAC, every default admission plug-in, PodSecurity among them), controllers and
scheduler, and kwok, which plays nodes and kubelets. Everything listens on the loopback, on ports
the system chose; everything that is secret lies in the state folder, which its owner alone can
read. What is in the cluster ends with it: each start begins with nothing.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from simulated_cloud.kubernetes import kubeconfig
from simulated_cloud.kubernetes.api_client import ApiClient, ApiError
from simulated_cloud.kubernetes.certificates import ADMIN, Credentials, make_credentials
from simulated_cloud.kubernetes.control_plane_build import MODULE, PROGRAMS, programs_folder
from simulated_cloud.kubernetes.nodes import make_nodes

START_SECONDS = 120.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
SERVICE_ADDRESSES = "10.96.0.0/16"
POD_ADDRESSES = "10.244.0.0/16"


class ControlPlaneError(Exception):
    """The control plane did not start; the message says which part and why."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A control plane's place on this machine."""

    state: Path

    @property
    def kubeconfig(self) -> Path:
        """What `KUBECONFIG` and `SIMULATED_KUBECONFIG` name while it runs."""
        return self.state / "kubeconfig"

    @property
    def _run(self) -> Path:
        return self.state / "run"

    @property
    def _note(self) -> Path:
        return self.state / "processes.json"

    def processes(self) -> dict[str, psutil.Process]:
        """The parts that run, by name; a process that took an old one's number is none of them."""
        try:
            noted: dict[str, list[float]] = json.loads(self._note.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        found: dict[str, psutil.Process] = {}
        for name, (number, started) in noted.items():
            try:
                process = psutil.Process(int(number))
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and abs(process.create_time() - started) < 1:
                    found[name] = process
            except psutil.NoSuchProcess:
                continue
        return found

    def is_up(self) -> bool:
        """Whether every part runs and the API server says it is ready."""
        if self.processes().keys() != PROGRAMS.keys():
            return False
        try:
            self.client().call("GET", "/version")
        except (OSError, ApiError, kubeconfig.KubeconfigError):
            return False
        return True

    def client(self) -> ApiClient:
        """The API server, asked as administrator."""
        return ApiClient(kubeconfig.read(self.kubeconfig))

    def memory_mib(self) -> dict[str, int]:
        """Memory in use by each part."""
        return {
            name: process.memory_info().rss // 2**20 for name, process in self.processes().items()
        }

    def start(self) -> None:
        """Start every part and wait until nodes are ready; nothing if it runs already.

        Raises:
            ControlPlaneError: a part ended or did not become ready; the others are stopped again.
        """
        if self.is_up():
            return
        self.stop()
        self._run.mkdir(parents=True, mode=0o700)
        try:
            self._start(make_credentials(self._run / "credentials"))
        except BaseException:
            self._end_processes()
            raise

    def stop(self) -> bool:
        """Stop every part and forget what was in the cluster; whether there was one."""
        ran = self._end_processes()
        shutil.rmtree(self._run, ignore_errors=True)
        self.kubeconfig.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        return ran

    def _end_processes(self) -> bool:
        processes = list(self.processes().values())
        # Nothing of it is kept, and an API server asked to end waits for its etcd for 20 seconds.
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=STOP_SECONDS)
        return bool(processes)

    def _start(self, credentials: Credentials) -> None:
        etcd, peer, api, kubelet = _free_ports(4)
        server = f"https://127.0.0.1:{api}"
        authority = credentials.authority.read_text(encoding="utf-8")

        def config_of(user: str, path: Path) -> Path:
            token = credentials.token(user)
            kubeconfig.write(path, kubeconfig.Connection(server, authority, token))
            return path

        self._launch("etcd", _etcd(self._run, credentials, etcd, peer))
        self._launch("kube-apiserver", _api_server(credentials, etcd, api))
        config_of(ADMIN, self.kubeconfig)
        client = self.client()
        self._wait("kube-apiserver", lambda: _says(client, "/readyz"))
        manager = config_of("system:kube-controller-manager", self._run / "manager.conf")
        self._launch("kube-controller-manager", _controller_manager(credentials, manager))
        scheduler = config_of("system:kube-scheduler", self._run / "scheduler.conf")
        self._launch("kube-scheduler", _scheduler(scheduler))
        names = make_nodes(client, kubelet)
        kwok = config_of("system:kwok", self._run / "kwok.conf")
        self._launch("kwok", _kwok(kwok, kubelet))
        self._wait("kwok", lambda: _nodes_ready(client, names))
        # The controllers' sign of life: without it no pod could be made in the namespace.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait("kube-controller-manager", lambda: client.find(account) is not None)

    def _launch(self, name: str, flags: Mapping[str, str]) -> None:
        command = [
            str(programs_folder() / name),
            *(f"--{key}={value}" for key, value in flags.items()),
        ]
        log = self._run / f"{name}.log"
        with log.open("wb") as output:
            started = subprocess.Popen(
                command,
                cwd=self._run,
                env={"PATH": "/usr/bin:/bin", "HOME": str(self._run)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        noted = json.loads(self._note.read_text(encoding="utf-8")) if self._note.exists() else {}
        noted[name] = [started.pid, psutil.Process(started.pid).create_time()]
        self._note.write_text(json.dumps(noted), encoding="utf-8")

    def _wait(self, part: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if done():
                    return
            except (OSError, ApiError):
                pass  # not yet
            if part not in self.processes():
                raise ControlPlaneError(f"{part} ended: {self._last_words(part)}")
            if time.monotonic() > deadline:
                raise ControlPlaneError(
                    f"{part} was not ready after {START_SECONDS:g} s: {self._last_words(part)}"
                )
            time.sleep(POLL_SECONDS)

    def _last_words(self, part: str) -> str:
        lines = (self._run / f"{part}.log").read_text(encoding="utf-8", errors="replace")
        return (lines.strip().splitlines() or ["it said nothing"])[-1]


def _etcd(run: Path, credentials: Credentials, port: int, peer: int) -> dict[str, str]:
    return {
        "data-dir": str(run / "etcd"),
        "listen-client-urls": f"https://127.0.0.1:{port}",
        "advertise-client-urls": f"https://127.0.0.1:{port}",
        "listen-peer-urls": f"http://127.0.0.1:{peer}",
        "initial-advertise-peer-urls": f"http://127.0.0.1:{peer}",
        "initial-cluster": f"default=http://127.0.0.1:{peer}",
        "cert-file": str(credentials.certificate("etcd")),
        "key-file": str(credentials.key("etcd")),
        "trusted-ca-file": str(credentials.authority),
        "client-cert-auth": "true",
        # What is in it need not survive this machine.
        "unsafe-no-fsync": "true",
        "log-level": "error",
    }


def _api_server(credentials: Credentials, etcd: int, port: int) -> dict[str, str]:
    return {
        "etcd-servers": f"https://127.0.0.1:{etcd}",
        "etcd-cafile": str(credentials.authority),
        "etcd-certfile": str(credentials.certificate("etcd-client")),
        "etcd-keyfile": str(credentials.key("etcd-client")),
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "endpoint-reconciler-type": "none",
        "secure-port": str(port),
        "tls-cert-file": str(credentials.certificate("apiserver")),
        "tls-private-key-file": str(credentials.key("apiserver")),
        "token-auth-file": str(credentials.tokens),
        "anonymous-auth": "false",
        "authorization-mode": "Node,RBAC",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": str(credentials.key("service-account")),
        "service-account-signing-key-file": str(credentials.key("service-account")),
        "service-cluster-ip-range": SERVICE_ADDRESSES,
        # What is refused is refused by PodSecurity, as on a cluster, and not by this switch.
        "allow-privileged": "true",
        "profiling": "false",
    }


def _controller_manager(credentials: Credentials, config: Path) -> dict[str, str]:
    return {
        "kubeconfig": str(config),
        "service-account-private-key-file": str(credentials.key("service-account")),
        "root-ca-file": str(credentials.authority),
        "leader-elect": "false",
        "secure-port": "0",
        # Tests wait for it; on a cluster it is 15 s.
        "horizontal-pod-autoscaler-sync-period": "1s",
        "horizontal-pod-autoscaler-initial-readiness-delay": "1s",
    }


def _scheduler(config: Path) -> dict[str, str]:
    return {"kubeconfig": str(config), "leader-elect": "false", "secure-port": "0"}


def _kwok(config: Path, port: int) -> dict[str, str]:
    return {
        "kubeconfig": str(config),
        "config": str(MODULE / "stages.yaml"),
        "manage-all-nodes": "true",
        # Renewed as kubelets do; without it the controllers call the nodes lost after a while.
        "node-lease-duration-seconds": "40",
        "cidr": POD_ADDRESSES,
        "node-ip": "127.0.0.1",
        "server-address": f"127.0.0.1:{port}",
    }


def _says(client: ApiClient, path: str) -> bool:
    try:
        client.call("GET", path)
    except json.JSONDecodeError:
        return True  # `ok`, which is no JSON
    return True


def _nodes_ready(client: ApiClient, names: list[str]) -> bool:
    nodes = client.get("/api/v1/nodes")["items"]
    ready = {
        node["metadata"]["name"]
        for node in nodes
        for condition in node.get("status", {}).get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    }
    return set(names) <= ready


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
