"""Which certificates are trusted, under the names MLflow's own client gives these settings.

Owns the TLS context: MLFLOW_TRACKING_SERVER_CERT_PATH (a CA bundle), MLFLOW_TRACKING_INSECURE_TLS,
MLFLOW_TRACKING_CLIENT_CERT_PATH, and REQUESTS_CA_BUNDLE, which MLflow's client honours too. A check
that trusted more or less than the jobs do would prove nothing about the jobs.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from smoke_tests.errors import CouldNotLook

_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0", ""})


def make_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """The TLS context for a server, as the environment says.

    Raises:
        CouldNotLook: a variable contradicts another one or names a file that cannot be used.
    """
    bundle_name = "MLFLOW_TRACKING_SERVER_CERT_PATH"
    bundle = environ.get(bundle_name)
    insecure = environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower()
    if insecure not in _TRUE | _FALSE:
        raise CouldNotLook(
            f"MLFLOW_TRACKING_INSECURE_TLS is {insecure!r}: it must be true or false; unset it "
            "to have certificates verified"
        )
    if insecure in _TRUE and bundle:
        raise CouldNotLook(
            "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH are both set: "
            "MLflow refuses the pair; unset the first to have certificates verified"
        )
    if not bundle and insecure not in _TRUE:
        bundle_name = "REQUESTS_CA_BUNDLE"
        bundle = environ.get(bundle_name)
    context = _verifying(bundle_name, bundle)
    if insecure in _TRUE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    client = environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH")
    if client:
        try:
            context.load_cert_chain(client)
        except OSError as error:
            raise _unusable("MLFLOW_TRACKING_CLIENT_CERT_PATH", client, error) from None
    return context


def _verifying(name: str, bundle: str | None) -> ssl.SSLContext:
    if not bundle:
        return ssl.create_default_context()
    try:
        if Path(bundle).is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:
        raise _unusable(name, bundle, error) from None


def _unusable(name: str, path: str, error: OSError) -> CouldNotLook:
    why = error.strerror if isinstance(error, FileNotFoundError) else "no certificate in it"
    return CouldNotLook(
        f"{name} is {path!r}: {why}; name a readable PEM file that holds the certificate"
    )
