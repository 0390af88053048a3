"""The stand-in for a kubelet does what a kubelet does with a container's definition."""

from __future__ import annotations

import base64
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kubernetes.pod_process import ADDRESS, PodProcess

OBJECTS: dict[tuple[str, str], Mapping[str, Any]] = {
    ("Secret", "s"): {"data": {"key": base64.b64encode(b"hush").decode()}},
    ("ConfigMap", "c"): {"data": {"a.ini": "text"}},
}


def pod(tmp_path: Path) -> PodProcess:
    volumes = [{"name": "etc", "configMap": {"name": "c"}}, {"name": "tmp", "emptyDir": {}}]
    return PodProcess(
        {"volumes": volumes}, lambda kind, name: OBJECTS[kind, name], tmp_path, {"OUTSIDE": "1"}
    )


CONTAINER = {
    "command": ["python", "-c", "print('/etc/a', '/etc/a.ini', '/etcetera', '$(IP)', '$$(IP)')"],
    "env": [
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "URL", "value": "http://$(IP):1"},
        {"name": "NOBODY", "value": "$(NOBODY_KNOWS) $$(IP)"},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {"name": "HOME", "value": "/tmp"},
    ],
    "volumeMounts": [
        {"name": "etc", "mountPath": "/etc"},
        {"name": "tmp", "mountPath": "/tmp"},
    ],
}


class TestPodProcess:
    """Variables, references and mounts are what Kubernetes documents them to be."""

    def test_environment(self, tmp_path: Path) -> None:
        seen = pod(tmp_path).environment(CONTAINER)
        assert seen["URL"] == f"http://{ADDRESS}:1"
        assert seen["NOBODY"] == "$(NOBODY_KNOWS) $(IP)"
        assert seen["PASSWORD"] == "hush"
        assert seen["HOME"] == str(tmp_path / "tmp")
        assert seen["OUTSIDE"] == "1"
        assert "USER" not in seen

    def test_command(self, tmp_path: Path) -> None:
        made = pod(tmp_path)
        assert made.command(CONTAINER)[0] == sys.executable
        done = made.run(CONTAINER)
        folder = tmp_path / "etc"
        assert done.stdout == f"{folder}/a {folder}/a.ini /etcetera {ADDRESS} $(IP)\n"
        assert (folder / "a.ini").read_text(encoding="utf-8") == "text"
