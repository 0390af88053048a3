"""Every verb and flag, as Pulumi's CLI spells them.

Owns the parser alone. A verb names the function in `commands/` that does its work, so that typing
`--help` imports none of them.
"""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from local_engine import __version__

_DESCRIPTION = (
    "Deploys the Pulumi program of this project to this machine or to simulated clouds, with the "
    "verbs, flags and state files of the Pulumi CLI. For real clouds, install that CLI: "
    "https://www.pulumi.com/docs/install/"
)


_UNPROTECT = ("state", "unprotect")
_FORGET = ("state", "forget")


class _Parser(argparse.ArgumentParser):
    """Takes whole flags only, as Pulumi does, and answers a mistake in one line."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        """Say what was wrong and where to look, without the whole usage."""
        self.exit(2, f"error: {message}; see `{self.prog} --help`\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every verb."""
    parser = _Parser(prog="python -m local_engine", description=_DESCRIPTION, parents=[_common()])
    parser.set_defaults(cwd=".", stack=None, color="auto", non_interactive=False, group=parser)
    parser.add_argument("--version", action="version", version=f"local_engine {__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    _add_operations(verbs)
    _add_stack(verbs)
    _add_config(verbs)
    _add_state(verbs)
    cancel = _verb(verbs, "cancel", "remove the lock of an update that died", ("cancel", "cancel"))
    cancel.add_argument("stack_name", nargs="?", metavar="STACK")
    _flag(cancel, "-y", "--yes", "do not ask")
    _flag(cancel, "--force", "remove the lock of a process that still runs, too")
    _verb(verbs, "about", "print versions, and where the state is kept", ("about", "about"))
    return parser


def _add_operations(verbs: Any) -> None:
    up = _operation(verbs, "up", "deploy the program", "update")
    _flag(up, "-r", "--refresh", "read the resources' real state first")
    _flag(up, "--expect-no-changes", "fail if anything would change")
    _asking(up)
    preview = _operation(verbs, "preview", "show what `up` would do, and do nothing", "pre")
    _flag(preview, "-j", "--json", "print the steps as JSON")
    _flag(preview, "--show-sames", "with --json: print what stays the same, too")
    _flag(preview, "-r", "--refresh", "read the resources' real state first")
    _flag(preview, "--expect-no-changes", "exit with 1 if anything would change")
    refresh = _operation(verbs, "refresh", "compare the state with what really runs")
    _flag(refresh, "-j", "--json", "with --preview-only: print the steps as JSON")
    _flag(refresh, "--preview-only", "show the differences, leave the state as it is")
    _flag(refresh, "--expect-no-changes", "exit with 1 if anything differs")
    _asking(refresh)
    destroy = _operation(verbs, "destroy", "delete the stack's resources", "down", "dn")
    _flag(destroy, "-r", "--refresh", "read the resources' real state first")
    _flag(destroy, "-j", "--json", "with --preview-only: print the steps as JSON")
    _flag(destroy, "--preview-only", "show what would be deleted, delete nothing")
    _flag(destroy, "--remove", "forget the stack, too, once its resources are gone")
    _asking(destroy)


def _operation(verbs: Any, name: str, text: str, *aliases: str) -> argparse.ArgumentParser:
    parser = _verb(verbs, name, text, ("operation", name), *aliases)
    _flag(parser, "--diff", "show every property that changes")
    _flag(parser, "-d", "--debug", "show debugging messages")
    parser.add_argument("-p", "--parallel", type=_count, metavar="N", help="steps at once")
    _flag(parser, "--suppress-outputs", "do not print the stack's outputs")
    _flag(parser, "--suppress-progress", "print no progress, only the end")
    parser.add_argument("-m", "--message", default="", help="a note kept in the history")
    return parser


def _asking(parser: argparse.ArgumentParser) -> None:
    _flag(parser, "-y", "--yes", "do not ask")
    _flag(parser, "-f", "--skip-preview", "do not show a preview first")


def _add_stack(verbs: Any) -> None:
    stack = _verb(verbs, "stack", "show, make and remove stacks", ("stack", "show"))
    inner = stack.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    init = _verb(inner, "init", "make an empty stack and select it", ("stack", "init"))
    init.add_argument("stack_name", nargs="?", metavar="STACK")
    listing = _verb(inner, "ls", "list the project's stacks", ("stack", "listing"), "list")
    _flag(listing, "-j", "--json", "print JSON")
    select = _verb(inner, "select", "choose the stack meant by default", ("stack", "select"))
    select.add_argument("stack_name", nargs="?", metavar="STACK")
    _flag(select, "-c", "--create", "make it if it does not exist")
    output = _verb(inner, "output", "print the stack's outputs", ("stack", "output"))
    output.add_argument("output_name", nargs="?", metavar="NAME")
    _flag(output, "-j", "--json", "print JSON")
    _flag(output, "--show-secrets", "print secrets in clear")
    export = _verb(inner, "export", "print the stack's deployment as JSON", ("stack", "export"))
    export.add_argument("--file", metavar="FILE", help="write there instead of to stdout")
    _flag(export, "--show-secrets", "write secrets in clear")
    load = _verb(inner, "import", "replace the stack's deployment", ("stack", "import_"))
    load.add_argument("--file", metavar="FILE", help="read from there instead of from stdin")
    _flag(load, "-f", "--force", "import even what belongs to another stack or is not intact")
    remove = _verb(inner, "rm", "forget an empty stack and its configuration", ("stack", "remove"))
    remove.add_argument("stack_name", nargs="?", metavar="STACK")
    _flag(remove, "-f", "--force", "forget its resources, too; they go on existing")
    _flag(remove, "--preserve-config", "keep Pulumi.<stack>.yaml")
    _flag(remove, "-y", "--yes", "do not ask")


def _add_config(verbs: Any) -> None:
    config = _verb(verbs, "config", "read and change a stack's configuration", ("config", "show"))
    _flag(config, "-j", "--json", "print JSON")
    _flag(config, "--show-secrets", "print secrets in clear")
    inner = config.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    get = _verb(inner, "get", "print one value", ("config", "get"))
    get.add_argument("key", metavar="KEY")
    _flag(get, "-j", "--json", "print JSON")
    change = _verb(inner, "set", "set one value; without VALUE, it is read", ("config", "change"))
    change.add_argument("key", metavar="KEY")
    change.add_argument("value", nargs="?", metavar="VALUE")
    _flag(change, "--secret", "encrypt the value")
    _flag(change, "--plaintext", "store the value in clear")
    remove = _verb(inner, "rm", "remove one value", ("config", "remove"))
    remove.add_argument("key", metavar="KEY")
    for verb in (get, change, remove):
        _flag(verb, "--path", "KEY is a path to a part of the value, like tags.team or names[0]")


def _add_state(verbs: Any) -> None:
    state = _verb(verbs, "state", "change what the state says, and nothing else", None)
    inner = state.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    unprotect = _verb(inner, "unprotect", "let a protected resource be deleted", _UNPROTECT)
    unprotect.add_argument("urn", nargs="?", metavar="URN")
    _flag(unprotect, "--all", "every resource of the stack")
    _flag(unprotect, "-y", "--yes", "do not ask")
    forget = _verb(inner, "delete", "forget a resource, which goes on existing", _FORGET)
    forget.add_argument("urn", metavar="URN")
    _flag(forget, "-f", "--force", "forget it though it is protected")
    _flag(forget, "-y", "--yes", "do not ask")


def _verb(
    verbs: Any, name: str, text: str, run: tuple[str, str] | None, *aliases: str
) -> argparse.ArgumentParser:
    """Add one verb; `run` names a module of `commands/` and its function."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, aliases=aliases, help=text, description=f"{text[0].upper()}{text[1:]}.",
        parents=[_common()],
    )  # fmt: skip
    parser.set_defaults(group=parser, **({"run": run} if run else {}))
    return parser


def _common() -> argparse.ArgumentParser:
    """Return the flags every verb takes, before it or after it.

    None has a default here: that of the verb would overwrite what was given before the verb.
    """
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("flags of every command")
    group.add_argument("-s", "--stack", metavar="NAME", help="the stack; else the selected one")
    group.add_argument("-C", "--cwd", metavar="DIR", help="run as if started in this folder")
    group.add_argument(
        "--color",
        choices=("auto", "always", "never", "raw"),
        help="auto follows the terminal and NO_COLOR",
    )
    group.add_argument(
        "--non-interactive", action="store_true", help="never ask, never redraw the screen"
    )
    return common


def _flag(parser: argparse.ArgumentParser, *names_and_help: str) -> None:
    *names, text = names_and_help
    parser.add_argument(*names, action="store_true", help=text)


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return number
