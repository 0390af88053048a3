"""What the check reads from a deployed stack.

Owns asking the engine at hand (the Pulumi CLI where it is on PATH, the embedded engine elsewhere)
for JSON about a stack, and handing the stack's outputs to `infra.outputs`, which knows what they
mean. A stack on this machine keeps its state and passphrase inside the checkout; other
stacks use whatever backend the user is logged in to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from infra.outputs import OutputsError, PlatformOutputs
from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import Document, as_document, find_text, parse_document
from smoke_tests.masking import Masker

PROJECT_DIRECTORY = Path(__file__).resolve().parent.parent
_TIMEOUT_SECONDS = 120.0


def read_stack(
    name: str,
    *,
    environ: Mapping[str, str],
    masker: Masker,
    project_directory: Path = PROJECT_DIRECTORY,
) -> PlatformOutputs:
    """The outputs of a deployed stack.

    Raises:
        CouldNotLook: the engine is missing or refuses, or the stack exports no platform.
    """
    document = ask_engine(
        name,
        "stack",
        "output",
        "--json",
        "--show-secrets",
        environ=environ,
        masker=masker,
        project_directory=project_directory,
    )
    try:
        outputs = PlatformOutputs.from_mapping(document)
    except OutputsError as error:
        raise CouldNotLook(f"--stack is {name!r}, and {error}") from None
    masker.remember(outputs.auth_admin_password, outputs.database_password)
    return outputs


def ask_engine(
    name: str,
    *question: str,
    environ: Mapping[str, str],
    masker: Masker,
    project_directory: Path = PROJECT_DIRECTORY,
    timeout_seconds: float = _TIMEOUT_SECONDS,
) -> Document:
    """The JSON object that a command of the engine prints about a stack.

    Raises:
        CouldNotLook: the engine is missing or refuses, or prints something else.
    """
    command = [*engine_command(environ), *question, "--stack", name]
    try:
        finished = subprocess.run(
            command,
            cwd=project_directory,
            env=engine_environment(name, environ, project_directory),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout_seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CouldNotLook(
            f"--stack is {name!r}, and `{' '.join(command)}` did not answer "
            f"({type(error).__name__}): run it by hand to see why"
        ) from None
    if finished.returncode != 0:
        said = _last_line(finished.stderr, masker)
        if question[0] == "preview":
            raise CouldNotLook(
                f"--stack is {name!r}, and its preview failed "
                f"({_diagnosis(finished.stdout, masker) or said}): mend that first, with "
                f"`make preview STACK={name}` to see all of it"
            )
        raise CouldNotLook(
            f"--stack is {name!r}, and its {_subject(question)} cannot be read ({said}): deploy it "
            f"with `make up STACK={name}`, or give the tracking URI instead"
        )
    document = parse_document(finished.stdout)
    if document is None:
        # Not shown: what was printed may hold secrets.
        shown = [word for word in command if word != "--show-secrets"][:-2]
        raise CouldNotLook(
            f"--stack is {name!r}, and `{' '.join(shown)}` did not print JSON: run it by hand to "
            "see why"
        )
    return document


def _diagnosis(output: bytes, masker: Masker) -> str | None:
    """The first error in a preview's own JSON: with `--json` an engine says it there."""
    said = (parse_document(output) or {}).get("diagnostics")
    for entry in cast("list[object]", said) if isinstance(said, list) else []:
        diagnostic = as_document(entry) or {}
        text = " ".join((find_text(diagnostic, "message") or "").split())
        if find_text(diagnostic, "severity") == "error" and text:
            return masker.foreign(text).rstrip(".")[:300]
    return None


def _subject(question: tuple[str, ...]) -> str:
    return "settings" if question[0] == "config" else "outputs"


def engine_command(environ: Mapping[str, str]) -> list[str]:
    """The engine at hand: the Pulumi CLI where it is on PATH, else the embedded one."""
    pulumi = shutil.which("pulumi", path=environ.get("PATH", os.defpath))
    # `make ENGINE=embedded` says so here: what deployed the stack is what reads it.
    if pulumi and environ.get("MLFLOW_PLATFORM_ENGINE") != "embedded":
        return [pulumi, "--non-interactive"]
    return [sys.executable, "-m", "local_engine"]


def engine_environment(
    name: str, environ: Mapping[str, str], project_directory: Path = PROJECT_DIRECTORY
) -> Mapping[str, str]:
    """What an engine's process needs to find the stack's state and passphrase."""
    environment = {**environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    state = project_directory / ".state"
    kept = state / "pulumi" / ".pulumi" / "stacks" / "mlflow-platform" / f"{name}.json"
    if name == "local" or kept.is_file():
        environment.setdefault("PULUMI_BACKEND_URL", f"file://{state}/pulumi")
        if "PULUMI_CONFIG_PASSPHRASE" not in environ:
            environment.setdefault("PULUMI_CONFIG_PASSPHRASE_FILE", f"{state}/passphrase")
    return environment


def _last_line(output: bytes, masker: Masker) -> str:
    lines = masker.foreign(output.decode("utf-8", "replace")).split("\n")
    words = [" ".join(line.split()) for line in lines if line.strip()]
    return words[-1].removeprefix("error: ").rstrip(".")[:300] if words else "no message"
