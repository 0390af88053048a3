"""Names that guides use for our settings: in YAML, as environment variables, as flags.

Owns the way from a name that is no setting to the one that is: a list of known spellings first,
the nearest spelling of a real key after that. It also knows the variables that guides set and that
have no effect here, so that nobody waits for one to work.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from infra.settings_declarations import BY_KEY, NAMESPACE

READ_BY_NOTHING = {
    "MLFLOW_SQLALCHEMY_POOL_SIZE": "poolSize",
    "MLFLOW_SQLALCHEMY_MAX_OVERFLOW": "poolMaxOverflow",
    "MLFLOW_SQLALCHEMY_POOL_TIMEOUT": "poolTimeoutSeconds",
    "MLFLOW_SQLALCHEMY_POOL_RECYCLE": "poolRecycleSeconds",
    "MLFLOW_SQLALCHEMY_POOL_PRE_PING": "poolPrePing",
}
"""Variables that guides on the web name and no version of MLflow reads."""

SET_BY_THE_PLATFORM = {
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "poolSize",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "poolMaxOverflow",
    "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": "poolRecycleSeconds",
    "MLFLOW_SERVER_ALLOWED_HOSTS": "allowedHosts",
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "corsAllowedOrigins",
    "MLFLOW_BACKEND_STORE_URI": "backendStoreUri",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT": "artifactStore",
    "MLFLOW_ARTIFACTS_DESTINATION": "artifactStore",
    "MLFLOW_REGISTRY_STORE_URI": "registryStoreUri",
}
"""Variables that MLflow reads and that the server gets from its settings, not from a shell."""

_CLIENT_VARIABLES = {
    "MLFLOW_TRACKING_URI": "trackingUri",
    "MLFLOW_EXPERIMENT_NAME": "defaultExperiment",
    "MLFLOW_TRACKING_USERNAME": "authAdminUsername",
    "MLFLOW_TRACKING_PASSWORD": "authAdminPassword",
    "MLFLOW_ARTIFACT_URI": "artifactStore",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "clientReadTimeoutSeconds",
}

_YAML_NAMES = {
    "max_overflow": "poolMaxOverflow",
    "pool_timeout": "poolTimeoutSeconds",
    "pool_acquisition_timeout": "poolTimeoutSeconds",
    "pool_recycle": "poolRecycleSeconds",
    "default_artifact_root": "artifactStore",
    "artifact_root": "artifactStore",
    "host": "serverHost",
    "port": "serverPort",
    "workers": "serverWorkers",
    "threads": "serverThreads",
    "static_prefix": "serverStaticPrefix",
    "replicas": "serverReplicas",
    "database_uri": "backendStoreUri",
    "username": "databaseUser",
    "collection_interval": "collectionIntervalSeconds",
    "prometheus": "prometheusEnabled",
    "datadog": "datadogEnabled",
    "cloudwatch": "cloudwatchEnabled",
    "slow_artifact_upload_s": "slowArtifactUploadSeconds",
    "slow_model_load_s": "slowModelLoadSeconds",
    "connect_timeout": "clientConnectTimeoutSeconds",
    "read_timeout": "clientReadTimeoutSeconds",
    "write_timeout": "clientWriteTimeoutSeconds",
    "request_timeout": "serverRequestTimeoutSeconds",
    "artifact_timeout": "serverArtifactTimeoutSeconds",
    "query_timeout": "serverQueryTimeoutSeconds",
    "health_check_timeout": "healthCheckTimeoutSeconds",
    "circuit_breaker": "circuitBreakerEnabled",
    "circuit_breaker_timeout": "circuitBreakerTimeoutSeconds",
    "failure_threshold": "circuitBreakerFailureThreshold",
    "reset_timeout": "circuitBreakerResetSeconds",
}

_SECTIONS = {
    "server": ("serverHost", "serverPort", "serverWorkers"),
    "auth": ("authentication", "authAdminUsername", "authAdminPassword"),
    "pool": ("poolSize", "poolMaxOverflow"),
    "databases": ("databaseName", "databasePort", "databaseUser"),
    "database": ("databaseName", "databasePort", "databaseUser"),
    "telemetry": ("prometheusEnabled", "collectionIntervalSeconds"),
    "timeouts": ("clientReadTimeoutSeconds", "serverQueryTimeoutSeconds"),
    "registry": ("registryEnabled", "registryStoreUri"),
    "integration_config": ("circuitBreakerEnabled", "healthCheckTimeoutSeconds"),
    "mlflow": ("trackingUri", "backendStoreUri", "artifactStore"),
}
"""Sections of the guides' nested YAML; settings here are flat."""

_ABSENT = {
    "gateway": "this platform serves no models: run MLflow's gateway as a service of its own",
    "health_monitoring": "health is always watched: the supervisor and the probes ask for it",
    "metrics_collection": "set mlflow-platform:prometheusEnabled, which is true by default",
    "pool_client_name": "each worker has a pool of its own, which needs no name",
    "use_shared_pool": "SQLAlchemy's pools live in one process: each worker has its own",
}


def advice_for(key: str) -> str:
    """What to do about a key that is no setting."""
    snake = _snake(key)
    if snake in _ABSENT:
        return _ABSENT[snake]
    if snake in _SECTIONS:
        flat = ", ".join(f"{NAMESPACE}:{name}" for name in _SECTIONS[snake])
        return f"settings are flat, without sections: {flat}, …"
    found = _known_spelling(key, snake) or _nearest(key)
    if found:
        return f"did you mean {NAMESPACE}:{found}?"
    return "docs/settings.md lists them all"


def variables_without_effect(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that are set and read by nothing, each with the setting that is meant."""
    return {name: key for name, key in READ_BY_NOTHING.items() if name in environ}


def variables_overridden(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that are set and that the server does not get, each with the setting it has."""
    return {name: key for name, key in SET_BY_THE_PLATFORM.items() if name in environ}


def _known_spelling(key: str, snake: str) -> str | None:
    variables = READ_BY_NOTHING | SET_BY_THE_PLATFORM | _CLIENT_VARIABLES
    return variables.get(key.upper()) or _YAML_NAMES.get(snake)


def _nearest(key: str) -> str | None:
    folded = {name.lower(): name for name in BY_KEY}
    plain = key.replace("_", "").replace("-", "").lower()
    found = difflib.get_close_matches(plain, folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def _snake(key: str) -> str:
    """`poolTimeout`, `pool-timeout` and `pool_timeout` alike."""
    spread = "".join(f"_{letter}" if letter.isupper() else letter for letter in key)
    return spread.replace("-", "_").lower().strip("_").replace("__", "_")
