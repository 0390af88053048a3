"""Kubeconfig files: written for the control plane's parts, read by whoever deploys to it."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class KubeconfigError(Exception):
    """The file cannot be used; the message says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where an API server answers, whom it proves to be, and who asks."""

    server: str
    authority: str  # certificates, PEM
    token: str


def write(path: Path, connection: Connection) -> None:
    """Write a kubeconfig that its owner alone can read."""
    name = "simulated-cloud"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": connection.server,
                    "certificate-authority-data": base64.b64encode(
                        connection.authority.encode()
                    ).decode(),
                },
            }
        ],
        "users": [{"name": name, "user": {"token": connection.token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump(document, file, sort_keys=False)
    fresh.replace(path)


def read(path: Path) -> Connection:
    """Read the current context of a kubeconfig that names a server, an authority and a token."""
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(document["contexts"], document["current-context"])["context"]
        cluster = _named(document["clusters"], context["cluster"])["cluster"]
        user = _named(document["users"], context["user"])["user"]
        return Connection(
            server=cluster["server"],
            authority=base64.b64decode(cluster["certificate-authority-data"]).decode(),
            token=user["token"],
        )
    except OSError as error:
        raise KubeconfigError(
            f"{path} cannot be read ({error.strerror}): `make kubernetes` writes it"
        ) from error
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise KubeconfigError(
            f"{path} is no kubeconfig with a server, an authority and a token: the simulated cloud "
            "deploys to the one that `make kubernetes` writes"
        ) from error


def _named(items: Any, name: str) -> Any:
    return next(item for item in items if item["name"] == name)
