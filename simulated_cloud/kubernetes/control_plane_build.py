"""The control plane's programs, built from Go's module proxy.

Owns what is built from what and when that has to be done anew: `control_plane/go.mod` pins every
module, Kubernetes' own staging modules replaced by their published versions, and `go.sum` holds
their hashes. The first build compiles for minutes; afterwards the programs lie in the user's cache,
for every checkout, beside a note of what they were built from.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from simulated_cloud.kubernetes import RELEASE

MODULE = Path(__file__).with_name("control_plane")

PROGRAMS = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kwok": "sigs.k8s.io/kwok/cmd/kwok",
}

_MAJOR, _MINOR, _ = RELEASE.split(".")
_VERSION = "k8s.io/component-base/version"
LINKER_FLAGS = (
    f"-s -w -X {_VERSION}.gitVersion=v{RELEASE} -X {_VERSION}.gitMajor={_MAJOR}"
    f" -X {_VERSION}.gitMinor={_MINOR}"
)
"""Without them the API server calls itself v0.0.0, and clients believe it."""


class BuildError(Exception):
    """The control plane cannot be had here; the message says why in one sentence."""


def programs_folder() -> Path:
    """Where the programs are kept: outside every checkout, since none of them is made of one."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "mlflow-platform" / f"kubernetes-{RELEASE}"


def is_built(folder: Path) -> bool:
    """Whether all programs are there, from the modules that are pinned now."""
    note = folder / "built-from"
    return (
        all((folder / name).is_file() for name in PROGRAMS)
        and note.is_file()
        and note.read_text(encoding="utf-8") == _source()
    )


def build(folder: Path) -> None:
    """Build the programs that are missing or old.

    Raises:
        BuildError: Go is missing, too old, or its module proxy cannot be reached.
    """
    if is_built(folder):
        return
    go = shutil.which("go")
    if go is None:
        raise BuildError(
            "the Kubernetes control plane is built with Go, which is not on PATH: install Go 1.26 "
            "or newer (https://go.dev/dl), or go without it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        command = ["build", "-trimpath", "-buildvcs=false", "-ldflags", LINKER_FLAGS]
        _go(go, [*command, "-o", f"{scratch}/", *PROGRAMS.values()])
        # A program is called as its package's last folder that is no version.
        (Path(scratch) / "server").rename(Path(scratch) / "etcd")
        for name in PROGRAMS:
            (Path(scratch) / name).replace(folder / name)
    (folder / "built-from").write_text(_source(), encoding="utf-8")


def _go(go: str, arguments: list[str]) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    done = subprocess.run(
        [go, *arguments],
        cwd=MODULE,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise BuildError(f"`go {arguments[0]}` failed: {lines[-1].strip()}")


def _source() -> str:
    """A text that changes with what would be built."""
    digest = hashlib.sha256(LINKER_FLAGS.encode())
    for name in ("go.mod", "go.sum"):
        digest.update((MODULE / name).read_bytes())
    return digest.hexdigest()
