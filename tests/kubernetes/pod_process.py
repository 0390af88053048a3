"""A pod's containers as processes of this machine: what a kubelet would start, without an image.

Owns what a kubelet does with a container's definition: variables from Secrets, ConfigMaps and the
pod's own fields, `$(NAME)` filled in, volumes made and mounted. A mount path becomes a folder of
the test's own wherever it stands in command or environment; `python` is this interpreter, with the
image's package on its path. Objects are read as the cluster has them, and nothing else is.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

IMAGE = Path(__file__).resolve().parents[2] / "image"
ADDRESS = "127.0.0.1"

Find = Callable[[str, str], Mapping[str, Any]]
"""An object of the pod's namespace by kind and name; KeyError where there is none."""


class PodProcess:
    """One pod; its folders live as long as `folder`."""

    def __init__(
        self, pod: Mapping[str, Any], find: Find, folder: Path, outside: Mapping[str, str]
    ) -> None:
        """Make the volumes; `outside` is what the cloud adds to every container (its identity)."""
        self._pod, self._find, self._outside = pod, find, outside
        self._volumes = {
            volume["name"]: self._volume(volume, folder / volume["name"])
            for volume in pod.get("volumes", [])
        }
        self._root = folder / "root"
        self._root.mkdir(parents=True)

    def command(self, container: Mapping[str, Any]) -> list[str]:
        """What is executed."""
        environment = self.environment(container)
        words = [_expand(word, environment) for word in container["command"]]
        words = [self._mapped(word, container) for word in words]
        return [sys.executable if words[0] == "python" else words[0], *words[1:]]

    def environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        """What a process of the container sees, and no more."""
        seen: dict[str, str] = {}
        for item in container.get("env", []):
            if "valueFrom" in item:
                seen[item["name"]] = self._from(item["valueFrom"])
            else:
                value = _expand(item.get("value", ""), seen)
                seen[item["name"]] = self._mapped(value, container)
        image = {"PATH": os.environ["PATH"], "PYTHONPATH": str(IMAGE)}
        return {**image, **self._outside, **seen}

    def run(self, container: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        return subprocess.run(
            self.command(container),
            env=self.environment(container),
            cwd=self._root,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, container: Mapping[str, Any], log: Path) -> subprocess.Popen[bytes]:
        """Start a container."""
        with log.open("wb") as output:
            return subprocess.Popen(
                self.command(container),
                env=self.environment(container),
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def probe(self, container: Mapping[str, Any], name: str) -> subprocess.CompletedProcess[str]:
        """Run a probe that is a program."""
        asked = {**container, "command": container[name]["exec"]["command"]}
        return self.run(asked)

    def _volume(self, volume: Mapping[str, Any], folder: Path) -> Path:
        folder.mkdir(parents=True)
        if "configMap" in volume:
            data = self._find("ConfigMap", volume["configMap"]["name"])["data"]
            for name, text in data.items():
                (folder / name).write_text(text, encoding="utf-8")
        else:
            assert "emptyDir" in volume, volume
        return folder

    def _from(self, source: Mapping[str, Any]) -> str:
        if "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "status.podIP"
            return ADDRESS
        reference = source["secretKeyRef"]
        data = self._find("Secret", reference["name"])["data"]
        return base64.b64decode(data[reference["key"]]).decode()

    def _mapped(self, text: str, container: Mapping[str, Any]) -> str:
        folders = {
            mount["mountPath"]: str(self._volumes[mount["name"]])
            for mount in container.get("volumeMounts", [])
        }
        if not folders:
            return text
        # All at once: a folder's own path may contain another mount's.
        paths = "|".join(re.escape(path) for path in sorted(folders, reverse=True))
        return re.sub(rf"(?<![\w./-])({paths})(?![\w.-])", lambda m: folders[m[1]], text)


def _expand(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes fills it in: an unknown name stays, `$$` is a dollar."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return known.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([\w.-]+)\)", value, text)
