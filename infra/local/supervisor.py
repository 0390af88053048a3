"""The supervisor as a Pulumi resource: supervisord for one stack.

Owns the life of supervisord; what it looks after belongs to the resources that depend on it. A
supervisord that is gone (killed, or the machine was restarted) is drift of this resource.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pulumi
from pulumi.dynamic import Resource

from infra.local.layout import Layout, has_content, interpreter, remove_folder, unwritable_ancestor
from infra.local.provider import LocalProvider, Properties
from infra.local.supervision import Supervision
from infra.local.supervisor_files import socket_path, unusable_path


class SupervisorProvider(LocalProvider):
    """Starts, watches and ends supervisord."""

    replace_on = frozenset({"directory"})

    def problems(self, olds: Properties, news: Properties) -> Iterable[tuple[str, str]]:
        """A folder that cannot be written to or named, or a move that leaves the data behind.

        Everything else depends on this resource: what is refused here has stopped nothing yet.
        """
        root = Path(news["directory"])
        old, new = Layout(Path(olds.get("directory", root))), Layout(root)
        if old != new and has_content(old.data) and not has_content(new.data):
            yield (
                "directory",
                (
                    f"the platform's folder would change from {old.root} to {new.root}, and every "
                    "experiment would stay behind: stop the platform (`make down`), move the "
                    f"folder (`mv {old.root} {new.root}`), and deploy again"
                ),
            )
            return
        blocker = unwritable_ancestor(root)
        if blocker is not None:
            yield (
                "directory",
                (
                    f"the platform's folder {root} cannot be made, because {blocker} is not a "
                    "folder you can write to: set mlflow-platform:localStateDir to one you can, or "
                    f"change the permissions of {blocker}"
                ),
            )
        for path in (root, Path(interpreter())):
            reason = unusable_path(path)
            if reason:
                yield "directory", f"the path {path} cannot be used: {reason}; rename the folder"

    def make(self, props: Properties) -> tuple[str, Properties]:
        """Start supervisord, or adopt the one that runs."""
        layout = Layout(Path(props["directory"]))
        Supervision(layout).ensure_running()
        return str(layout.root), {}

    def observe(self, props: Properties) -> Properties | None:
        """Stopped, when nothing answers on the socket."""
        layout = Layout(Path(props["directory"]))
        if not layout.root.exists():
            return None
        return {"state": "running" if Supervision(layout).is_running() else "stopped"}

    def change(self, olds: Properties, news: Properties) -> Properties:
        """Start it again."""
        del olds
        self.make(news)
        return {}

    def remove(self, props: Properties) -> None:
        """End supervisord; what it needed while it ran goes, the logs stay unless purged."""
        layout = Layout(Path(props["directory"]))
        if not layout.root.exists():
            return
        Supervision(layout).shut_down()
        remove_folder(layout.run)
        remove_folder(socket_path(layout).parent)
        if props.get("purge"):
            remove_folder(layout.logs)
            (layout.root / "instance").unlink(missing_ok=True)


class Supervisor(Resource, module="local", name="Supervisor"):
    """supervisord, alone responsible for keeping the stack's programs alive."""

    directory: pulumi.Output[str]

    def __init__(
        self, name: str, layout: Layout, *, purge: bool, opts: pulumi.ResourceOptions
    ) -> None:
        """Declare the supervisor of the stack whose folders are `layout`."""
        super().__init__(
            SupervisorProvider(),
            name,
            {"directory": str(layout.root), "purge": purge, "state": "running"},
            opts,
        )
