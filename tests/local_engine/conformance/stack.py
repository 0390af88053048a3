"""One stack as a conformance test sees it: edit the program, run a command, look.

Owns the lockstep: a `Stack` drives one engine, or both with the same program, configuration and
faults, and then compares what they did after every command. The outcome handed to the test is that
of the last engine, so that the test's own assertions are made on Pulumi wherever it takes part.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.local_engine.conformance import fake_cloud, fake_provider
from tests.local_engine.conformance.comparison import differences
from tests.local_engine.conformance.engines import ENCRYPTION_SALT, Completed, Engine
from tests.local_engine.conformance.fake_cloud import FakeCloud
from tests.local_engine.conformance.observations import (
    Outcome,
    normalised_steps,
    read_checkpoint,
    read_history,
)

PROJECT = "conformance"
STACK = "dev"
LIBRARY = Path(__file__).parent / "program_library"
PREAMBLE = "import pulumi\nfrom pulumi import Output, ResourceOptions\nfrom things import *\n"


class Side:
    """A stack's program, state and cloud, and the engine that works on them now."""

    def __init__(self, engine: Engine, folder: Path, port: int, cloud: FakeCloud) -> None:
        """Lay out an empty project."""
        self.engine = engine
        self.cloud = cloud
        self.program = folder / "program"
        self.state = folder / "state"
        self.checkpoint = self.state / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json"
        self._history = self.state / ".pulumi" / "history" / PROJECT / STACK
        self._environment = {
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_DEBUG_PROVIDERS": f"fake:{port}",
            "FAKE_CLOUD_JOURNAL": str(folder / "cloud.jsonl"),
        }
        self.program.mkdir(parents=True)
        self.state.mkdir()
        (self.program / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        salt = f"encryptionsalt: {ENCRYPTION_SALT}\n"
        (self.program / f"Pulumi.{STACK}.yaml").write_text(salt)
        for library in (LIBRARY / "things.py", Path(fake_cloud.__file__)):
            shutil.copy(library, self.program)

    def run(self, *arguments: str) -> Completed:
        """Run a command line on the stack."""
        return self.engine.run(
            [*arguments, "--stack", STACK], cwd=self.program, env=self._environment
        )

    def observe(self, *arguments: str, preview: bool = False, history: bool = False) -> Outcome:
        """Run a command and look at everything it left behind."""
        mark = self.cloud.mark()
        completed = self.run(*arguments)
        digest = _json(completed.stdout) if preview else None
        resources, pending = read_checkpoint(self.checkpoint)
        return Outcome(
            engine=self.engine.name,
            completed=completed,
            calls=self.cloud.calls(mark),
            resources=resources,
            pending_operations=pending,
            changes=read_history(self._history) if history else None,
            steps=normalised_steps(digest.get("steps") or []) if digest else None,
            summary=digest.get("changeSummary") if digest else None,
        )


class Stack:
    """One stack, on one engine or on both at once."""

    def __init__(self, sides: Sequence[Side]) -> None:
        """Work on these sides in turn."""
        self._sides = sides

    def init(self) -> None:
        """Create the stack."""
        for side in self._sides:
            completed = side.run("stack", "init")
            assert completed.exit_code == 0, completed.text

    def program(self, source: str) -> None:
        """Write the program; the preamble imports what every program needs."""
        text = PREAMBLE + textwrap.dedent(source)
        for side in self._sides:
            (side.program / "__main__.py").write_text(text, encoding="utf-8")

    def project(self, source: str) -> None:
        """Replace Pulumi.yaml."""
        for side in self._sides:
            (side.program / "Pulumi.yaml").write_text(textwrap.dedent(source), encoding="utf-8")

    def preview(self, *flags: str) -> Outcome:
        """Run `preview --json`."""
        return self._observe("preview", "--json", *flags, preview=True)

    def up(self, *flags: str) -> Outcome:
        """Run `up`."""
        return self._observe("up", "--yes", "--skip-preview", *flags, history=True)

    def refresh(self, *flags: str) -> Outcome:
        """Run `refresh`."""
        return self._observe("refresh", "--yes", "--skip-preview", *flags, history=True)

    def preview_refresh(self, *flags: str) -> Outcome:
        """Run `refresh --preview-only --json`."""
        return self._observe("refresh", "--preview-only", "--json", *flags, preview=True)

    def destroy(self, *flags: str) -> Outcome:
        """Run `destroy`."""
        return self._observe("destroy", "--yes", "--skip-preview", *flags, history=True)

    def command(self, *arguments: str) -> Outcome:
        """Run any other command."""
        return self._observe(*arguments)

    def json(self, *arguments: str) -> Any:
        """Run a command that prints JSON; both engines must print the same."""
        printed = [json.loads(o.completed.stdout) for o in self._observe_all(*arguments)]
        assert all(item == printed[-1] for item in printed), printed
        return printed[-1]

    def files(self, name: str) -> str:
        """Return the text of a file in the program's folder."""
        return (self._sides[-1].program / name).read_text(encoding="utf-8")

    def state_text(self) -> str:
        """Return everything that is kept at rest, as one text."""
        files = [file for side in self._sides for file in side.state.rglob("*") if file.is_file()]
        return "\n".join(file.read_text(encoding="utf-8") for file in files)

    def keep(self, name: str, *arguments: str) -> None:
        """Write what a command prints to a file in the program's folder."""
        for side in self._sides:
            (side.program / name).write_text(side.run(*arguments).stdout, encoding="utf-8")

    @property
    def cloud(self) -> FakeCloud:
        """The cloud to look at."""
        return self._sides[-1].cloud

    def edit_state(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Change the deployment in the state's file, as a run that was killed leaves it."""
        for side in self._sides:
            state = json.loads(side.checkpoint.read_text(encoding="utf-8"))
            edit(state["checkpoint"]["latest"])
            side.checkpoint.write_text(json.dumps(state), encoding="utf-8")

    def tamper(self, deed: Callable[[FakeCloud], None]) -> None:
        """Do something to the cloud that no engine knows of."""
        for side in self._sides:
            deed(side.cloud)

    def called_at_all(self, call: str, name: str) -> bool:
        """Tell whether this was ever asked for."""
        return any(c["call"] == call and c["name"] == name for c in self.cloud.calls())

    def use(self, engine: Engine) -> None:
        """Let another engine go on with what is there."""
        for side in self._sides:
            side.engine = engine

    def _observe(self, *arguments: str, **kinds: bool) -> Outcome:
        return self._observe_all(*arguments, **kinds)[-1]

    def _observe_all(self, *arguments: str, **kinds: bool) -> list[Outcome]:
        with ThreadPoolExecutor() as threads:
            running = [threads.submit(s.observe, *arguments, **kinds) for s in self._sides]
        outcomes = [observation.result() for observation in running]
        if len(outcomes) > 1:
            found = differences(*outcomes)
            assert not found, _report(outcomes, found)
        return outcomes


@contextmanager
def open_stack(engines: Sequence[Engine], folder: Path) -> Iterator[Stack]:
    """Give each engine a project, a state, a cloud and an attached provider of its own."""
    with ExitStack() as exits:
        sides: list[Side] = []
        for engine in engines:
            side_folder = folder / engine.name
            side_folder.mkdir()
            cloud = FakeCloud(side_folder / "cloud.jsonl")
            port = exits.enter_context(fake_provider.serve(cloud))
            sides.append(Side(engine, side_folder, port, cloud))
        stack = Stack(sides)
        stack.init()
        yield stack


def _json(text: str) -> dict[str, Any]:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {}


def _report(outcomes: Sequence[Outcome], found: Sequence[str]) -> str:
    said = "\n".join(f"--- {o.engine} said:\n{_without_json(o.text)}" for o in outcomes)
    return "\n".join([f"the engines differ after `{outcomes[0].command}`:", *found, said])


def _without_json(text: str) -> str:
    return text if len(text) < 3000 else f"{text[:200]} ... {text[-1500:]}"
