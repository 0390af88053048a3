"""What a runbook shows can be typed: every command of every fenced block, by a table of programs.

A page that shows a new command has it checked by the first row of `PROGRAMS` that knows it. One
that no row knows fails here until a row does: nothing is shown that nobody looked at. Commands of
ours are run in `test_runbooks_run.py`, with everything else that can be run on this machine.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from operations.command_line import make_parser
from operations.commands import COMMANDS
from smoke_tests.arguments import make_parser as make_smoke_parser
from tests.infra.kubernetes.manifests import deploy, stack_file
from tests.operations import aws_command_line
from tests.operations.aws_command_line import NoSuchThingError
from tests.operations.runbook_pages import PAGES, ROOT, Shown, commands_of, shown_in

SHOWN = [shown for page in PAGES for shown in shown_in(page)]

KINDS = {
    "pod": "Deployment",
    "pods": "Deployment",
    "svc": "Service",
    "sa": "ServiceAccount",
    "secret": "Secret",
    "hpa": "HorizontalPodAutoscaler",
    "networkpolicy": "NetworkPolicy",
    "networkpolicies": "NetworkPolicy",
    "deployment": "Deployment",
    "job": "Job",
    "jobs": "Job",
}
"""What a page may name of the cluster, and which object of ours it stands for."""

VERBS = {"get", "describe", "logs", "exec", "run", "rollout", "top", "scale", "port-forward"}

FILTERS = {"grep", "head", "jq"}

PLACEHOLDER = re.compile(r"<[a-z-]+>")


@cache
def objects() -> dict[str, set[str]]:
    """Names of production's objects by kind; the operator's Secret has its source's name."""
    names: dict[str, set[str]] = {}
    for item in deploy(stack_file("prod")).objects:
        kind = "Secret" if item["kind"] == "ExternalSecret" else item["kind"]
        names.setdefault(kind, set()).add(item["metadata"]["name"])
    return names


def check_operations(shown: Shown) -> None:
    """A command of `operations`, with arguments that it takes."""
    words = shown.words[3:]
    command = next((item for item in COMMANDS if item.name == words[0]), None)
    if command is None:
        raise NoSuchThingError(f"python -m operations has no {words[0]}")
    make_parser(load=command).parse_args(words)


def check_smoke_tests(shown: Shown) -> None:
    """The four-stage check, with arguments that it takes."""
    make_smoke_parser().parse_args(shown.words[3:])


def check_make(shown: Shown) -> None:
    """A target that exists, with variables that the Makefile takes."""
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *shown.words[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NoSuchThingError(done.stderr.strip())


def check_kubectl(shown: Shown) -> None:
    """A verb, kinds and names of objects that this program makes, and Python that compiles."""
    words = shown.words[1:]
    verb, rest = words[0], words[1:]
    if verb not in VERBS:
        raise NoSuchThingError(f"kubectl {verb} is not in the table of verbs")
    inner = rest[rest.index("--") + 1 :] if "--" in rest else []
    rest = rest[: rest.index("--")] if "--" in rest else rest
    if inner[:2] == ["python", "-c"]:
        compile(inner[2], shown.page, "exec")
    for index, word in enumerate(rest):
        if word == "-n" and rest[index + 1] not in ("mlflow", "argo"):
            raise NoSuchThingError(f"namespace {rest[index + 1]}")
        if word == "-l" and rest[index + 1] not in ("app=mlflow", "app=mlflow-migration"):
            raise NoSuchThingError(f"label {rest[index + 1]}")
    if verb == "run":
        return
    check_objects(plain_words(rest))


def check_objects(words: Sequence[str]) -> None:
    """`pods`, `svc mlflow`, `deployment/mlflow`: kinds that are known, names that are made."""
    words = [word for word in words if word not in ("restart", "status", "undo", "resume")]
    if not words:
        return
    kind, _, name = words[0].partition("/")
    name = name or (words[1] if len(words) > 1 else "")
    if kind not in KINDS:
        raise NoSuchThingError(f"kind {kind} is not in the table of kinds")
    if name and name not in objects().get(KINDS[kind], set()):
        raise NoSuchThingError(f"{kind} {name} is no object of production's")


def plain_words(words: Sequence[str]) -> list[str]:
    """Words that are neither options nor their values."""
    plain: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("-n", "-l", "-o"):
            skip = True
        elif not word.startswith("-"):
            plain.append(word)
    return plain


def check_aws(shown: Shown) -> None:
    """An operation with its options, as AWS's own description of the service has them."""
    aws_command_line.parse([PLACEHOLDER.sub("placeholder", word) for word in shown.words])


def check_example(shown: Shown) -> None:
    """A script of ours that is there, and compiles."""
    script = ROOT / shown.words[-1]
    if not script.is_file():
        raise NoSuchThingError(f"there is no {shown.words[-1]}")
    compile(script.read_text("utf-8"), str(script), "exec")


PROGRAMS: list[tuple[str, Callable[[Shown], None]]] = [
    (r"python -m operations ", check_operations),
    (r"python -m smoke_tests\b", check_smoke_tests),
    (r"make( |$)", check_make),
    (r"kubectl ", check_kubectl),
    (r"aws ", check_aws),
    (r"MLFLOW_TRACKING_URI=\S+ python examples/\S+$", check_example),
]
"""How a command that begins like this is checked; the first that fits."""


def check(shown: Shown) -> None:
    for pattern, program in PROGRAMS:
        if re.match(pattern, shown.text):
            unknown = set(shown.piped_into) - FILTERS
            if unknown:
                raise NoSuchThingError(f"a pipe into {unknown}")
            return program(shown)
    raise NoSuchThingError(f"{shown.text!r}: add a row to PROGRAMS that says how it is checked")


class TestEveryCommand:
    """It exists, in this form, with these arguments."""

    @pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: f"{shown.page}: {shown.text[:70]}")
    def test_it_can_be_typed(self, shown: Shown) -> None:
        check(shown)

    def test_the_pages_show_commands(self) -> None:
        by_page = {shown.page for shown in SHOWN}
        assert by_page >= {"mlflow-connection.md", "database.md", "backup.md"}
        assert len(SHOWN) > 25

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_a_page_says_when_a_real_cloud_is_needed(self, page: Path) -> None:
        foreign = [
            shown.text for shown in shown_in(page) if re.match(r"kubectl|aws|gcloud", shown.text)
        ]
        flat = " ".join(page.read_text(encoding="utf-8").split())
        assert not foreign or re.search(r"need the real (?:cluster|account)", flat), foreign


class TestTheChecks:
    """A check that cannot fail proves nothing: each refuses what does not exist."""

    @pytest.mark.parametrize(
        "text",
        [
            "python -m operations docter --stack dev",
            "make doctr",
            "kubectl mend pods -n mlflow",
            "kubectl get pods -n mlfow",
            "kubectl get unicorns -n mlflow",
            "kubectl describe svc other -n mlflow",
            "kubectl rollout restart deployment/other -n mlflow",
            "kubectl get pods -n mlflow -l app=other",
            "kubectl get pods -n mlflow | xargs reboot",
            "aws rds describe-db-instancez",
            "aws rdss describe-db-instances",
            "aws rds describe-db-instances --db-instance x",
            "aws rds describe-events --source-type db-instanz",
            "aws iam get-role-policy --role-name x",
            "aws s3 ls s3://bucket --unknown",
            "aws s3 ls bucket",
            "rm -rf /",
        ],
    )
    def test_refused(self, text: str) -> None:
        with pytest.raises(NoSuchThingError):
            check(Shown("page", text))

    @pytest.mark.parametrize(
        "text",
        [
            "python -m operations doctor --stack dev --no-such-option",
            "python -m smoke_tests --no-such-option",
        ],
    )
    def test_arguments_that_are_not_taken(
        self, text: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            check(Shown("page", text))
        assert "--no-such-option" in capsys.readouterr().err

    def test_python_that_does_not_compile(self) -> None:
        with pytest.raises(SyntaxError):
            check(Shown("p", "kubectl exec -n mlflow deployment/mlflow -- python -c 'import'"))

    def test_a_query_that_does_not_parse(self) -> None:
        with pytest.raises(Exception, match="Invalid jmespath"):
            check(Shown("p", "aws rds describe-db-instances --query 'DBInstances[0'"))


class TestReading:
    """Blocks are read as a shell reads them."""

    def test_continued_lines_comments_and_quotes(self) -> None:
        block = """
            # a comment
            first --a \\
              --b 'c d'

            second "one
            two" | grep x
            third
        """
        assert commands_of(block) == [
            "first --a --b 'c d'",
            'second "one\n            two" | grep x',
            "third",
        ]
        assert Shown("p", "first 'a | b' | grep x | head").words == ["first", "a | b"]
        assert Shown("p", "first 'a | b' | grep x | head").piped_into == ["grep", "head"]

    def test_what_does_not_end(self) -> None:
        with pytest.raises(ValueError, match="does not end"):
            commands_of("first 'quote\n")
