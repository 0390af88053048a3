"""The providers of one deployment, by the reference their resources carry.

Owns the life of provider resources (`pulumi:providers:...`), default ones included: a check loads
the provider, then creating, updating or keeping the resource configures it and makes it
reachable as `<urn>::<id>`. Provider resources go through the same steps as all others
(`steps_generator.py`); this file is what stands behind them in place of a provider.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from local_engine.diff import DiffResult, same_value
from local_engine.errors import EngineError
from local_engine.property_values import UNKNOWN_TEXT, PropertyMap, Secret, unwrap
from local_engine.providers_answers import Applied, CheckFailure
from local_engine.providers_client import ProviderClient
from local_engine.providers_host import DYNAMIC_PACKAGE, ProviderHost
from local_engine.resource_state import PROVIDER_TYPE_PREFIX, ResourceState, urn_name, urn_type

# Pulumi's place for what the engine, not the provider, must know of a provider resource.
INTERNAL_KEY = "__internal"


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """Which provider a resource asks for when it names none."""

    package: str
    version: str = ""
    download_url: str = ""

    @property
    def default_name(self) -> str:
        """The name of the default provider resource, as Pulumi gives it."""
        version = self.version.replace(".", "_").replace("-", "_").replace("+", "_")
        name = f"default_{version}" if version else "default"
        if self.download_url:
            url = self.download_url.removeprefix("https://")
            name += "_" + "".join(char if char.isalnum() else "_" for char in url)
        return name


class ProviderRegistry:
    """Loads, configures and finds providers."""

    def __init__(self, host: ProviderHost, *, preview: bool) -> None:
        """Take providers from `host`."""
        self._host = host
        self._preview = preview
        self._lock = threading.Lock()
        self._configured: dict[str, ProviderClient] = {}
        self._checked: dict[str, ProviderClient] = {}
        self._aliases: dict[str, str] = {}

    def get(self, reference: str) -> ProviderClient | None:
        """Return the provider that a resource refers to, if it is configured."""
        with self._lock:
            return self._configured.get(reference)

    def alias(self, urn: str, earlier: str) -> None:
        """Let references to `earlier` find the provider that is now called `urn`."""
        with self._lock:
            self._aliases[urn] = earlier

    def check(
        self, urn: str, old: PropertyMap | None, new: PropertyMap
    ) -> tuple[PropertyMap, list[CheckFailure]]:
        """Load the provider and validate its configuration."""
        client = self._load(urn, new)
        checked, failures = client.configuration.check(urn, _public(old or {}), _public(new))
        if failures:
            client.close()
            return checked, failures
        if "version" in new:
            checked["version"] = new["version"]
        if INTERNAL_KEY in new:
            checked[INTERNAL_KEY] = new[INTERNAL_KEY]
        with self._lock:
            self._checked[urn] = client
        return checked, []

    def diff(self, old: ResourceState, urn: str, new: PropertyMap) -> DiffResult:
        """Compare configurations; a provider that cannot say is updated, never replaced."""
        with self._lock:
            client = self._checked.get(urn) or self._configured.get(f"{urn}::{old.id}")
        if client is None:
            client = self._load(urn, old.inputs)
        result = client.configuration.diff(urn, old, _public(old.inputs), _public(new))
        if result.changes == "unknown":
            same = same_value(old.outputs, _public(new))
            result = replace(result, changes="none" if same else "some")
        return result

    def config_diff(self, reference: str, old: ResourceState, new: ResourceState) -> DiffResult:
        """Ask the provider at `reference` what moving a resource to it from `old` would mean."""
        client = self.get(reference)
        if client is None:
            raise EngineError(f"failed to resolve provider reference: {reference!r}")
        return client.configuration.diff(new.urn, old, _public(old.inputs), _public(new.inputs))

    def same(self, state: ResourceState, *, checked: bool) -> None:
        """Configure the provider as its state says, unless it is configured already."""
        if not state.id or state.id == UNKNOWN_TEXT:
            raise EngineError(f"provider '{state.urn}' has an unknown ID", urn=state.urn)
        reference = f"{state.urn}::{state.id}"
        if self.get(reference) is not None:
            return
        client = self._take_checked(state.urn) if checked else None
        if client is None:
            client = self._load(state.urn, state.inputs)
        self._configure(client, state.urn, state.id, state.inputs)

    def create(self, state: ResourceState) -> Applied:
        """Configure a new provider under a new id."""
        client = self._take_checked(state.urn) or self._load(state.urn, state.inputs)
        identity = UNKNOWN_TEXT if self._preview else str(uuid.uuid4())
        self._configure(client, state.urn, identity, state.inputs)
        return Applied(identity, _public(state.inputs))

    def update(self, state: ResourceState) -> Applied:
        """Configure the provider anew under the id it has."""
        client = self._take_checked(state.urn) or self._load(state.urn, state.inputs)
        self._configure(client, state.urn, state.id, state.inputs)
        return Applied(state.id, _public(state.inputs))

    def delete(self, state: ResourceState) -> None:
        """Forget the provider; its process ends with the deployment."""
        with self._lock:
            self._configured.pop(f"{state.urn}::{state.id}", None)

    def _configure(
        self, client: ProviderClient, urn: str, identity: str, inputs: PropertyMap
    ) -> None:
        client.configuration.configure(urn, identity, _public(inputs))
        with self._lock:
            self._configured[f"{urn}::{identity}"] = client
            if urn in self._aliases:
                self._configured[f"{self._aliases[urn]}::{identity}"] = client

    def _take_checked(self, urn: str) -> ProviderClient | None:
        with self._lock:
            return self._checked.pop(urn, None)

    def _load(self, urn: str, inputs: PropertyMap) -> ProviderClient:
        internal = cast("PropertyMap", inputs.get(INTERNAL_KEY) or {})
        if "parameterization" in internal:
            raise EngineError(
                f"provider '{urn_name(urn)}' is parameterized, which this engine does not do",
                urn=urn,
            )
        version = unwrap(inputs.get("version"))
        package = urn_type(urn).removeprefix(PROVIDER_TYPE_PREFIX)
        return self._host.load(package, version if isinstance(version, str) else "")


class DefaultProviders:
    """Makes the default provider of a package when the first resource asks for it."""

    def __init__(
        self,
        config: dict[str, str],
        secret_keys: Sequence[str],
        register: Callable[[str, str, PropertyMap], ResourceState],
    ) -> None:
        """`register(type, name, inputs)` runs the provider resource's own steps."""
        self._config = config
        self._secret_keys = frozenset(secret_keys)
        self._register = register
        self._lock = threading.Lock()
        self._references: dict[ProviderRequest, str] = {}

    def reference(self, request: ProviderRequest) -> str:
        """Return the reference of the default provider for `request`."""
        with self._lock:
            if request not in self._references:
                state = self._register(
                    PROVIDER_TYPE_PREFIX + request.package,
                    request.default_name,
                    self._inputs(request),
                )
                self._references[request] = f"{state.urn}::{state.id}"
            return self._references[request]

    def _inputs(self, request: ProviderRequest) -> PropertyMap:
        inputs: PropertyMap = {}
        for key, value in sorted(self._config.items()):
            namespace, _, name = key.partition(":")
            kept = Secret(value) if key in self._secret_keys else value
            if request.package == DYNAMIC_PACKAGE:
                # Dynamic providers get the whole configuration, namespaces included.
                inputs[key] = kept
            elif namespace == request.package:
                inputs[name] = kept
        if request.version or request.download_url:
            inputs[INTERNAL_KEY] = {}
        if request.version:
            inputs["version"] = request.version
        if request.download_url:
            inputs[INTERNAL_KEY]["pluginDownloadURL"] = request.download_url
        return inputs


def _public(inputs: PropertyMap) -> PropertyMap:
    return {key: value for key, value in inputs.items() if key != INTERNAL_KEY}
