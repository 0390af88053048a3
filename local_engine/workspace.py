"""What a command works on: the project, the stack, where its state is, how its secrets open.

Owns the defaults (state and passphrase under `.state/` of the project, so that the user's own
Pulumi login is left alone) and which salt a stack's secrets are written under. Reading is lazy: a
command that meets no secret asks for no passphrase.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_engine.atomic_write import replace_file
from local_engine.backend import FileBackend, backend_root, check_stack_name
from local_engine.errors import EngineError
from local_engine.json_shapes import table
from local_engine.passphrase import Crypter, find_passphrase
from local_engine.project import Project, find_project, merge_project_config
from local_engine.stack_config import ConfigValue, StackConfig

if TYPE_CHECKING:
    from local_engine.resource_state import Snapshot

STATE_FOLDER = ".state"


class Workspace:
    """The project a command was started in."""

    def __init__(self, start: Path, environ: Mapping[str, str]) -> None:
        """Find the project of `start`; nothing is written."""
        self.environ = environ
        self.project: Project = find_project(start)
        self.state_folder = self.project.root / STATE_FOLDER

    @cached_property
    def backend(self) -> FileBackend:
        """The state's folder: PULUMI_BACKEND_URL, the project's own choice, or `.state/pulumi`."""
        url = self.environ.get("PULUMI_BACKEND_URL") or self.project.backend_url
        return FileBackend(backend_root(url) if url else self.state_folder / "pulumi")

    def stack(self, name: str | None) -> Stack:
        """Return the stack called `name`, else the one chosen by PULUMI_STACK or `stack select`.

        Raises:
            EngineError: none is named anywhere.
        """
        name = name or self.environ.get("PULUMI_STACK") or self.selected()
        if not name:
            raise EngineError(
                "No stack is chosen: pass --stack NAME or run `stack select NAME`; "
                f"{self._known_stacks()}"
            )
        return Stack(self, check_stack_name(name))

    def selected(self) -> str | None:
        """Return what `stack select` chose, if anything."""
        try:
            return self._selection.read_text(encoding="utf-8").strip() or None
        except (FileNotFoundError, NotADirectoryError):
            return None

    def select(self, name: str) -> None:
        """Remember a stack as the one that is meant when none is named."""
        if self.selected() != name:
            replace_file(self._selection, f"{name}\n".encode())

    def stack_files(self) -> list[str]:
        """Return the names of the stacks that have a Pulumi.<stack>.yaml."""
        folder = self.project.root / self.project.stack_config_dir
        return sorted(file.name.split(".", 1)[1][:-5] for file in folder.glob("Pulumi.*.yaml"))

    @property
    def _selection(self) -> Path:
        return self.state_folder / "selected-stack"

    def _known_stacks(self) -> str:
        names = self.stack_files()
        return f"this project has {', '.join(names)}." if names else "this project has none yet."


class Stack:
    """One stack: its configuration, its state, its secrets."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        """Name a stack; whether it exists is not checked here."""
        self.workspace = workspace
        self.project = workspace.project
        self.backend = workspace.backend
        self.name = name
        self._crypters: dict[str, Crypter] = {}
        self._deriving = threading.Lock()

    @cached_property
    def config(self) -> StackConfig:
        """The content of Pulumi.<stack>.yaml."""
        return StackConfig(self.project.stack_file(self.name), self.project.name)

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The state as it stands in the file, or nothing if the stack was never made."""
        return self.backend.read(self.project.name, self.name)

    @property
    def exists(self) -> bool:
        """Whether the stack has a state."""
        return self.document is not None

    def require(self) -> None:
        """Refuse to go on without the stack.

        Raises:
            EngineError: it does not exist.
        """
        if not self.exists:
            raise EngineError(
                f"No stack named '{self.name}' in {self.backend.url}: make it with "
                f"`stack init {self.name}`, or deploy it with `up --stack {self.name}`."
            )

    def reload(self) -> None:
        """Forget what was read of the state, because another process may have changed it."""
        self.__dict__.pop("document", None)

    def state_salt(self) -> str:
        """Return the salt the state's secrets are encrypted under, empty if there is none."""
        latest = table(table(table(self.document).get("checkpoint")).get("latest"))
        provider = table(latest.get("secrets_providers"))
        if provider.get("type") != "passphrase":
            return ""
        return str(table(provider.get("state")).get("salt") or "")

    def unlock(self, salt: str) -> Crypter:
        """Return the crypter of a salt; each key is derived once, which takes a third of a second.

        Raises:
            WrongPassphraseError: the passphrase at hand does not open it.
        """
        with self._deriving:
            if salt not in self._crypters:
                self._crypters[salt] = Crypter.unlock(self._passphrase, salt)
            return self._crypters[salt]

    def unlock_early(self) -> None:
        """Begin to derive the keys in the background, while the program is being loaded."""
        salts = {salt for salt in (self.config.salt, self.state_salt()) if salt}

        def derive() -> None:
            for salt in salts:
                try:
                    self.unlock(salt)
                except EngineError:
                    return  # asked for again in the foreground, where it can be told

        if salts:
            threading.Thread(target=derive, daemon=True, name="derive-keys").start()

    def crypter(self) -> Crypter:
        """Return what new secrets are written with: the YAML's salt, the state's, or a new one."""
        salt = self.config.salt or self.state_salt()
        if salt:
            return self.unlock(salt)
        with self._deriving:
            known = next(iter(self._crypters.values()), None)
            if known is None:
                known = Crypter.create(self._passphrase)
                self._crypters[known.salt] = known
            return known

    def merged_config(self, *, validate: bool = True) -> dict[str, ConfigValue]:
        """Return the configuration in clear, with the project's defaults."""
        return merge_project_config(
            self.project, self.name, self.decrypted_config(), validate=validate
        )

    def decrypted_config(self) -> dict[str, ConfigValue]:
        """Return what Pulumi.<stack>.yaml sets, in clear.

        Raises:
            EngineError: it holds a secret and no salt to open it with.
        """
        config = self.config
        if not config.has_secrets():
            return dict(config.values)
        salt = config.salt or self.state_salt()
        if not salt:
            raise EngineError(
                f"{config.path} holds a secret but no `encryptionsalt`: restore that line, or set "
                "the secret again with `config set --secret`."
            )
        return config.decrypted(self.unlock(salt))

    def state_file(self) -> StateFile:
        """Return what reads and writes this stack's snapshots."""
        return StateFile(self)

    @cached_property
    def _passphrase(self) -> str:
        return find_passphrase(self.workspace.environ, self.workspace.state_folder / "passphrase")


class StateFile:
    """Reads and writes the snapshots of one stack, keeping unchanged secrets unchanged."""

    def __init__(self, stack: Stack) -> None:
        """Import the checkpoint format only now: `--help` and `config` do not need it."""
        from local_engine.checkpoint import CheckpointReader, CheckpointWriter
        from local_engine.property_json import CiphertextMemory

        self._stack = stack
        memory, kept = CiphertextMemory(), CiphertextMemory()
        # A ciphertext may be written again only under the salt it was made with.
        same_salt = not stack.config.salt or stack.config.salt == stack.state_salt()
        self._reader = CheckpointReader(stack.unlock, memory if same_salt else kept)
        self._writer = CheckpointWriter(stack.crypter, memory)

    def load(self) -> Snapshot | None:
        """Return the stack's snapshot, or nothing if there is no such stack."""
        stack = self._stack
        if stack.document is None:
            return None
        source = str(stack.backend.stack_file(stack.project.name, stack.name))
        snapshot = self._reader.read(stack.document, source)
        from local_engine.snapshot_integrity import check_integrity

        check_integrity(snapshot, source)
        return snapshot

    def parse_deployment(self, latest: Mapping[str, Any], source: str) -> Snapshot:
        """Return the snapshot of a deployment that stands elsewhere, as `stack import` gets it."""
        return self._reader.read_deployment(latest, source)

    def save(self, snapshot: Snapshot) -> None:
        """Write the snapshot as the stack's state."""
        stack = self._stack
        document = self._writer.write(snapshot, project=stack.project.name, stack=stack.name)
        stack.backend.write(stack.project.name, stack.name, document)
