"""The simulated cloud as one running thing: emulators, providers, and how to reach them.

Owns what runs together and for how long: a moto server and one provider per package, in this
process, until the block ends. Nothing of it survives the process; the state directory holds the
files of types that no emulator keeps, and is emptied at the start for that reason.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulated_cloud import packages
from simulated_cloud.aws.cloud import (
    ACCESS_KEY,
    DEFAULT_REGION,
    SECRET_KEY,
    MotoAccount,
    moto_server,
)
from simulated_cloud.file_store import FileStore
from simulated_cloud.resource_provider import serve


@dataclass(frozen=True, slots=True)
class SimulatedCloud:
    """A cloud that runs."""

    state: Path
    ports: Mapping[str, int]
    """The providers' ports by package."""
    aws: MotoAccount

    @property
    def aws_endpoint(self) -> str:
        """Where the simulated AWS answers."""
        return self.aws.endpoint

    @property
    def debug_providers(self) -> str:
        """The value of PULUMI_DEBUG_PROVIDERS by which both engines find the providers."""
        return ",".join(f"{name}:{port}" for name, port in sorted(self.ports.items()))

    @property
    def environment(self) -> dict[str, str]:
        """What a program, an engine or a command needs to work on this cloud and on no other."""
        return {
            "PULUMI_DEBUG_PROVIDERS": self.debug_providers,
            "AWS_ENDPOINT_URL": self.aws_endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": "",
            "AWS_REGION": DEFAULT_REGION,
            "AWS_DEFAULT_REGION": DEFAULT_REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # A profile of our own: the caller's may be set, and an empty name is no profile.
            "AWS_CONFIG_FILE": str(_profile_file(self.state)),
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_PROFILE": "default",
        }

    def client(self, service: str, region: str = DEFAULT_REGION) -> Any:
        """Return a boto3 client: how one looks at this cloud, or changes it, from outside."""
        return self.aws.client(service, region)

    def store(self, package: str) -> FileStore:
        """Return what no emulator holds of a package."""
        return FileStore(_store_file(self.state, package))


@contextmanager
def running(state: Path | str) -> Generator[SimulatedCloud]:
    """Run a simulated cloud for as long as the block lasts."""
    folder = Path(state)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        account = MotoAccount(stack.enter_context(moto_server()))
        ports: dict[str, int] = {}
        for name, build in packages.PACKAGES.items():
            store = FileStore(_store_file(folder, name))
            store.clear()
            ports[name] = stack.enter_context(serve(build(packages.Parts(store, account))))
        _profile_file(folder).write_text("[default]\n", encoding="utf-8")
        yield SimulatedCloud(folder, ports, account)


def _store_file(state: Path, package: str) -> Path:
    return state / f"{package}.json"


def _profile_file(state: Path) -> Path:
    return state.absolute() / "aws_profile"
