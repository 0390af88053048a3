"""A variant of the ablation is the default but for the one thing that its name says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.server_comparison import variants
from benchmarks.server_comparison.variants import NO_DELAY, Launch, Place, Variant

PLACE = Place(folder=Path("/here"), port=5000, database_port=5432, database="d")
STORE = "postgresql+psycopg2://mlflow@127.0.0.1:5432/d"
ASK = (
    "import asyncio, socket\n"
    "from asyncio import base_events\n"
    "bound = socket.socket(socket.AF_INET)\n"  # as uvicorn's parent binds it
    "base_events._set_nodelay(bound)\n"
    "print(bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))\n"
)


@pytest.fixture(autouse=True)
def no_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed for a look at a command."""
    monkeypatch.setattr(variants, "default_python", lambda work: work / "python")
    monkeypatch.setattr(variants, "beside", lambda work, package: work / package.partition("[")[0])


def launched(name: str) -> Launch:
    return next(item for item in variants.ablation() if item.name == name).launch(
        PLACE, Path("/work")
    )


class TestTheDefault:
    """No option but the store and a port, and nothing in its environment."""

    def test_command(self) -> None:
        found = launched("default")
        assert found.command == (
            *("/work/python", "-m", "mlflow", "server"),
            *("--backend-store-uri", STORE, "--port", "5000"),
        )
        assert found.environment == {}
        assert found.artifacts == Path("/here/mlartifacts")


class TestTheAblation:
    """Against the default, one thing differs."""

    @pytest.mark.parametrize(
        ("name", "options", "environment"),
        [
            ("tcp_nodelay", (), {"PYTHONPATH": str(NO_DELAY)}),
            ("uvloop", (), {"PYTHONPATH": "/work/uvloop"}),
            ("httptools", (), {"PYTHONPATH": "/work/httptools"}),
            ("no_jobs", (), {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}),
            ("one_worker", ("--workers", "1"), {}),
            (
                "large_pool",
                (),
                {
                    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "40",
                    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "40",
                },
            ),
        ],
    )
    def test_one_change(
        self, name: str, options: tuple[str, ...], environment: dict[str, str]
    ) -> None:
        found = launched(name)
        assert found.command == (*launched("default").command, *options)
        assert found.environment == environment

    def test_the_driver(self) -> None:
        found, plain = launched("psycopg3"), launched("default")
        assert " ".join(found.command) == (
            " ".join(plain.command).replace("postgresql+psycopg2:", "postgresql+psycopg:")
        )
        assert found.environment == {"PYTHONPATH": "/work/psycopg"}

    def test_names_are_unique_and_the_ends_are_those_compared(self) -> None:
        names = [item.name for item in variants.ablation()]
        assert len(names) == len(set(names))
        assert (names[0], names[-1]) == tuple(item.name for item in variants.compared())

    @pytest.mark.parametrize(("environment", "said"), [({}, "0"), (None, "1")])
    def test_the_patch_changes_what_uvicorns_socket_gets(
        self, environment: dict[str, str] | None, said: str
    ) -> None:
        chosen = {"PYTHONPATH": str(NO_DELAY)} if environment is None else environment
        done = subprocess.run(
            [sys.executable, "-c", ASK], env=chosen, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == said


class TestTheProfile:
    """What render says, started with this interpreter; settings reach it."""

    def profile(self, **settings: str) -> Variant:
        return variants.compared(settings)[1]

    def test_rendered(self) -> None:
        found = self.profile().launch(PLACE, Path("/work"))
        rendered = variants.rendered_profile(PLACE, {})
        assert found.command == (sys.executable, *rendered.command[1:])
        assert found.environment.items() >= rendered.environment.items()
        assert any("127.0.0.1:5432/d?" in word for word in found.command)
        assert "mlflow_platform_server" in found.command

    def test_its_migration_is_the_deployments(self) -> None:
        variant = self.profile()
        assert variant.migration is not None
        found = variant.migration(PLACE, Path("/work"))
        rendered = variants.rendered_profile(PLACE, {})
        assert found.command == (sys.executable, *rendered.migration_command[1:])

    def test_settings(self) -> None:
        variant = self.profile(serverWorkers="3")
        command = variant.launch(PLACE, Path("/work")).command
        assert command[command.index("--workers") + 1] == "3"
        assert variant.meaning == (
            "what `infra.mlflow_server` renders for a stack with serverWorkers: 3"
        )
