"""The server definition as Google Cloud needs it: address, database and secrets filled in.

Owns what `infra.mlflow_server` is told here. Known before deployment is everything but the
database's address, which libpq takes from `PGHOST`.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

from infra.database_endpoint import DatabaseEndpoint
from infra.gcp.cloud_run_container import (
    AUTH_CONFIG_DIRECTORY,
    AUTH_CONFIG_FILE,
    PROMETHEUS_DIRECTORY,
)
from infra.gcp.place import Place
from infra.gcp.service_accounts import account_id
from infra.mlflow_server import MlflowServer, ServerWiring, render
from infra.settings import PlatformSettings

SSL_MODE = "require"
"""Always encrypted. The instance is found by its private address, which no certificate names."""


GRACE_SECONDS = 8
"""Cloud Run kills an instance 10 s after SIGTERM, and sends it no request from then on."""


def on_cloud_run(settings: PlatformSettings, place: Place, service: str) -> PlatformSettings:
    """The settings with the address that clients use, and within Cloud Run's time to stop."""
    server = replace(settings.server, drain_seconds=0, grace_seconds=GRACE_SECONDS)
    return _addressed(replace(settings, server=server), place, service)


def _addressed(settings: PlatformSettings, place: Place, service: str) -> PlatformSettings:
    if settings.server.tracking_uri:
        return settings
    host = settings.gcp.load_balancer.domain or place.service_host(service)
    uri = f"https://{host}{settings.server.static_prefix}"
    # Programs in the network call Cloud Run's own name even where people have a nicer one.
    hosts = (*settings.server.allowed_hosts, place.service_host(service))
    return replace(settings, server=replace(settings.server, tracking_uri=uri, allowed_hosts=hosts))


def rendered(settings: PlatformSettings, endpoint: DatabaseEndpoint, root: str) -> MlflowServer:
    """The server, with everything that a preview can show."""
    basic = settings.authentication.kind == "basic"
    return render(
        settings,
        ServerWiring(
            backend_store=endpoint,
            artifact_root=root,
            auth_config_file=f"{AUTH_CONFIG_DIRECTORY}/{AUTH_CONFIG_FILE}" if basic else None,
            prometheus_dir=PROMETHEUS_DIRECTORY if settings.telemetry.prometheus else None,
            database_login="google" if by_identity(settings) else "password",
        ),
    )


def by_identity(settings: PlatformSettings) -> bool:
    """Whether the server logs in to its database as its service account, without a password."""
    return not settings.database.backend_store_uri and (
        settings.cloud.database.authentication == "iam"
    )


def endpoint_of(settings: PlatformSettings, place: Place) -> DatabaseEndpoint:
    """The database as the server's command names it.

    An existing one with its address; ours without, since that is known only after deployment.
    """
    database = settings.database
    ours = not database.backend_store_uri
    account = account_id(settings.environment, "server")
    return DatabaseEndpoint(
        host="" if ours else database.host,
        port=database.port,
        name=database.name,
        user=f"{account}@{place.project}.iam" if by_identity(settings) else database.user,
        ssl_mode=SSL_MODE if ours else database.ssl_mode,
    )


def image_of(settings: PlatformSettings, repository_url: str) -> str:
    """The image in the registry made here."""
    tag = settings.cloud.server_image_tag or version("mlflow")
    return f"{repository_url}/mlflow:{tag}"
