"""What holds, but not as a reader of the settings may expect.

Owns the sentences that a deployment prints as warnings: a switch that reaches only a part of what
its name says, a variable in the shell that the server does not get, a choice that somebody may
regret. Nothing here stops a deployment; what must not be deployed is a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from infra.settings_address_rules import LOOPBACK
from infra.settings_guide_names import variables_overridden
from infra.settings_model import PlatformSettings
from infra.settings_parsing import Parsed, qualified


def notices(
    settings: PlatformSettings, parsed: Parsed, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Every notice, each naming the setting it is about."""
    found = [notice for source in _NOTICES for notice in source(settings, parsed)]
    found += [
        f"{name} is set in the environment and the server does not get it: it takes "
        f"{qualified(key)} instead"
        for name, key in sorted(variables_overridden(environ).items())
        if settings.target == "local"
    ]
    return tuple(found)


def folder_without_a_server(settings: PlatformSettings, parsed: Parsed) -> Iterator[str]:
    """Each client writes artifacts by itself."""
    del parsed
    local = settings.target == "local" and "://" not in settings.artifacts.store
    if local and not settings.server.serve_artifacts:
        yield (
            f"{qualified('serveArtifacts')} is false and artifacts are kept in a folder: only "
            "programs on this machine, as users who may write there, can log any"
        )


def network_without_authentication(settings: PlatformSettings, parsed: Parsed) -> Iterator[str]:
    """Everybody who can connect can delete."""
    del parsed
    local = settings.target == "local" and settings.server.host not in LOOPBACK
    if local and settings.authentication.kind == "off":
        yield (
            f"{qualified('authentication')} is off and serverHost is {settings.server.host}: "
            "everybody who reaches this machine can change and delete experiments"
        )


def any_host_is_answered(settings: PlatformSettings, parsed: Parsed) -> Iterator[str]:
    """The check of Host headers is what stops DNS rebinding."""
    del parsed
    if "*" in settings.server.allowed_hosts:
        yield (
            f"{qualified('allowedHosts')} has '*': a web page in anybody's browser can then reach "
            "the server under a name of its own"
        )


def address_leads_elsewhere(settings: PlatformSettings, parsed: Parsed) -> Iterator[str]:
    """Right behind a proxy, wrong after a changed port."""
    del parsed
    public = urlsplit(settings.server.tracking_uri)
    port = public.port or (443 if public.scheme == "https" else 80)
    if settings.target == "local" and public.hostname and port != settings.server.port:
        yield (
            f"{qualified('trackingUri')} leads to port {port} and the server listens on "
            f"{settings.server.port}: clients reach it only if something forwards them"
        )


def artifact_timeout_reaches_some_stores(
    settings: PlatformSettings, parsed: Parsed
) -> Iterator[str]:
    """MLflow reads MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT for gs:// and Azure alone."""
    if "serverArtifactTimeoutSeconds" in parsed.given and settings.target != "gcp":
        yield (
            f"{qualified('serverArtifactTimeoutSeconds')} is "
            f"{settings.timeouts.server_artifact_seconds}: MLflow heeds it for gs:// alone; "
            "through the server clientReadTimeoutSeconds counts, for each pause of a transfer"
        )


def connect_timeout_reaches_our_client(settings: PlatformSettings, parsed: Parsed) -> Iterator[str]:
    """MLflow's own calls have one timeout for connecting and reading."""
    if "clientConnectTimeoutSeconds" in parsed.given:
        yield (
            f"{qualified('clientConnectTimeoutSeconds')} is "
            f"{settings.timeouts.client_connect_seconds}: it holds for the platform's own client; "
            "MLflow's calls wait for a connection as long as for an answer "
            "(MLFLOW_HTTP_REQUEST_TIMEOUT)"
        )


def passwords_are_hashed_each_time(settings: PlatformSettings, parsed: Parsed) -> Iterator[str]:
    """6 requests a second against 132 with the cache (measured)."""
    del parsed
    authentication = settings.authentication
    if authentication.kind == "basic" and authentication.cache_ttl_seconds == 0:
        yield (
            f"{qualified('authCacheTtlSeconds')} is 0: every request hashes its password, and a "
            "worker answers about 6 requests a second instead of 130"
        )


_NOTICES = (
    folder_without_a_server,
    network_without_authentication,
    any_host_is_answered,
    address_leads_elsewhere,
    artifact_timeout_reaches_some_stores,
    connect_timeout_reaches_our_client,
    passwords_are_hashed_each_time,
)
