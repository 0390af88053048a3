"""The folder that artifacts are stored in, as a Pulumi resource.

Owns making it, noticing that it is gone and, only when the stack says so, removing it. What is in
it belongs to the MLflow server.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pulumi
from pulumi.dynamic import Resource

from infra.local.layout import has_content, private_directory, remove_folder, unwritable_ancestor
from infra.local.provider import LocalProvider, Properties


class ArtifactFolderProvider(LocalProvider):
    """Makes a folder, keeps it."""

    replace_on = frozenset({"path"})

    def problems(self, olds: Properties, news: Properties) -> Iterable[tuple[str, str]]:
        """A place that cannot be written to, or a move that would leave artifacts behind."""
        path = Path(news["path"])
        blocker = unwritable_ancestor(path)
        if blocker is not None:
            yield (
                "path",
                (
                    f"the artifact folder {path} cannot be written to, because {blocker} is not a "
                    "folder you can write to: set mlflow-platform:artifactStore or "
                    "mlflow-platform:localStateDir to another place, or change its permissions"
                ),
            )
        old = Path(olds["path"]) if olds.get("path") else None
        if old and old != path and has_content(old) and not has_content(path):
            yield (
                "path",
                (
                    f"the artifact folder would change from {old} to {path}, and the artifacts "
                    f"would stay behind: stop the platform (`make down`), move the folder "
                    f"(`mv {old} {path}`), and deploy again"
                ),
            )

    def make(self, props: Properties) -> tuple[str, Properties]:
        """Make it, or adopt what is there."""
        path = private_directory(Path(props["path"]))
        return str(path), {}

    def observe(self, props: Properties) -> Properties | None:
        """None when it is gone."""
        return {} if Path(props["path"]).is_dir() else None

    def change(self, olds: Properties, news: Properties) -> Properties:
        """Only what happens on destroy can change."""
        del olds
        self.make(news)
        return {}

    def remove(self, props: Properties) -> None:
        """Keep it, unless the stack says that its data goes with it."""
        if props.get("purge"):
            remove_folder(Path(props["path"]))


class ArtifactFolder(Resource, module="local", name="ArtifactFolder"):
    """Where the server stores artifacts."""

    path: pulumi.Output[str]

    def __init__(self, name: str, path: Path, *, purge: bool, opts: pulumi.ResourceOptions) -> None:
        """Declare the folder."""
        super().__init__(ArtifactFolderProvider(), name, {"path": str(path), "purge": purge}, opts)
