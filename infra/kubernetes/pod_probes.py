"""The server's probes as the kubelet asks them.

Owns the step from `server_probes` to Kubernetes. docs/kubernetes.md shows the timeline: a pod has
the startup probe's patience to answer at all, is taken out of the Service by readiness, and is
restarted by liveness only, which does not depend on the database: restarting every server does not
bring a database back.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_kubernetes.core.v1 import ExecActionArgs, HTTPGetActionArgs, ProbeArgs

from infra.kubernetes.labels import PORT_NAME
from infra.kubernetes.pod_environment import command

if TYPE_CHECKING:
    from infra.mlflow_server import MlflowServer
    from infra.server_probes import Probe
    from infra.settings import PlatformSettings

READINESS_CHECK = Path(__file__).with_name("readiness_check.py")

START_OF_PYTHON_SECONDS = 2
"""What a probe that is a program takes longer than one that is a request, on a busy node."""


def http_probe(probe: Probe) -> ProbeArgs:
    """A GET request by the kubelet, to the pod's own address (which is an allowed host)."""
    return ProbeArgs(
        http_get=HTTPGetActionArgs(path=probe.path, port=PORT_NAME, scheme="HTTP"),
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds,
        failure_threshold=probe.failure_threshold,
    )


def readiness_probe(settings: PlatformSettings, server: MlflowServer) -> ProbeArgs:
    """A real query, by whoever can prove who he is."""
    probe = server.readiness
    if settings.authentication.kind != "basic":
        return http_probe(probe)
    check = READINESS_CHECK.read_text(encoding="utf-8")
    arguments = (str(settings.server.port), probe.path, str(probe.timeout_seconds))
    return ProbeArgs(
        exec_=ExecActionArgs(command=command(("python", "-c", check, *arguments))),
        period_seconds=probe.period_seconds,
        timeout_seconds=probe.timeout_seconds + START_OF_PYTHON_SECONDS,
        failure_threshold=probe.failure_threshold,
    )
