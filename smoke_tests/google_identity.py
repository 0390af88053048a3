"""A Google identity token for a service, from wherever this machine can get one.

Owns the order: the metadata server (on Google Cloud), the service account file that
GOOGLE_APPLICATION_CREDENTIALS names (in CI), the gcloud command (on a laptop). The token's audience
is the service's URL, without a path: Cloud Run checks it. Nothing is cached: a token lives for an
hour, a check for minutes.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from smoke_tests.errors import CouldNotLook
from smoke_tests.json_document import find_text, parse_document
from smoke_tests.masking import Masker

_METADATA_TIMEOUT_SECONDS = 1.0  # it answers within milliseconds, or there is none
_GCLOUD_TIMEOUT_SECONDS = 60.0
_TOKEN_LIFETIME_SECONDS = 3600


class _NotHere(Exception):  # noqa: N818  # not an error: the next source is asked
    """This source has no token; the text says why."""


def fetch_identity_token(audience: str, *, environ: Mapping[str, str], masker: Masker) -> str:
    """An identity token for that audience.

    Raises:
        CouldNotLook: no source has one; the message gives each source's reason.
    """
    sources: tuple[tuple[str, Callable[[str, Mapping[str, str], Masker], str]], ...] = (
        ("metadata server", _from_metadata_server),
        ("GOOGLE_APPLICATION_CREDENTIALS", _from_service_account_file),
        ("gcloud", _from_gcloud),
    )
    reasons: list[str] = []
    for name, source in sources:
        try:
            token = source(audience, environ, masker).strip()
        except _NotHere as error:
            reasons.append(f"{name}: {error}")
            continue
        if token.count(".") == 2 and token.isascii() and token.isprintable():
            masker.remember(token)
            return token
        reasons.append(f"{name}: answered something that is not a token")
    raise CouldNotLook(
        f"no Google identity token for {audience} ({'; '.join(reasons)}): log in with `gcloud auth "
        "login`, or set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account that "
        "has roles/run.invoker"
    )


def _from_metadata_server(audience: str, environ: Mapping[str, str], masker: Masker) -> str:
    del masker
    if environ.get("NO_GCE_CHECK", "").lower() == "true":
        raise _NotHere("switched off by NO_GCE_CHECK")
    # The variable that Google's own libraries read.
    host = environ.get("GCE_METADATA_HOST") or "metadata.google.internal"
    path = (
        "/computeMetadata/v1/instance/service-accounts/default/identity"
        f"?audience={quote(audience, safe='')}&format=full"
    )
    try:
        connection = http.client.HTTPConnection(host, timeout=_METADATA_TIMEOUT_SECONDS)
        try:
            connection.request("GET", path, headers={"Metadata-Flavor": "Google"})
            response = connection.getresponse()
            body = response.read(100_000)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        raise _NotHere("not on Google Cloud") from None
    # A captive portal or another cloud's metadata server lacks this header.
    if response.getheader("Metadata-Flavor") != "Google":
        raise _NotHere("not on Google Cloud")
    if response.status != http.client.OK:
        raise _NotHere(f"answered {response.status}: no service account is attached")
    return body.decode("ascii", "replace")


def _from_service_account_file(audience: str, environ: Mapping[str, str], masker: Masker) -> str:
    path = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if not path:
        raise _NotHere("not set")
    try:
        key = parse_document(Path(path).read_bytes())
    except OSError as error:
        raise _NotHere(f"{path}: {error.strerror}") from None
    masker.remember(find_text(key, "private_key"))
    if find_text(key, "type") != "service_account":
        kind = find_text(key, "type") or "nothing known"
        raise _NotHere(f"{path} holds {kind}, and only a service account's key gives a token")
    email, uri = find_text(key, "client_email"), find_text(key, "token_uri")
    if not email or not uri:
        raise _NotHere(f"{path} lacks client_email or token_uri")
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": email,
        "sub": email,
        "aud": uri,
        "iat": now,
        "exp": now + _TOKEN_LIFETIME_SECONDS,
        "target_audience": audience,
    }
    return _exchange(uri, _sign(path, claims))


def _sign(path: str, claims: Mapping[str, object]) -> str:
    try:
        # google-auth ships no types.
        crypt: Any = import_module("google.auth.crypt")
        jwt: Any = import_module("google.auth.jwt")
    except ImportError:
        raise _NotHere("the package google-auth is not installed") from None
    try:
        signer: Any = crypt.RSASigner.from_service_account_file(path)
        return bytes(jwt.encode(signer, claims)).decode("ascii")
    except (ValueError, KeyError):
        raise _NotHere(f"the private key in {path} cannot be read") from None


def _exchange(token_uri: str, assertion: str) -> str:
    from urllib import error, parse, request

    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    if not token_uri.startswith(("https://", "http://")):
        raise _NotHere("its token_uri is not an http address")
    try:
        with request.urlopen(  # noqa: S310  # scheme checked above
            token_uri, data=parse.urlencode(grant).encode(), timeout=30
        ) as response:
            body = response.read(100_000)
    except error.HTTPError as refusal:
        raise _NotHere(f"{token_uri} answered {refusal.code}") from None
    except OSError:
        raise _NotHere(f"{token_uri} cannot be reached") from None
    token = find_text(parse_document(body), "id_token")
    if not token:
        raise _NotHere(f"{token_uri} answered without id_token")
    return token


def _from_gcloud(audience: str, environ: Mapping[str, str], masker: Masker) -> str:
    executable = shutil.which("gcloud", path=environ.get("PATH", os.defpath))
    if executable is None:
        raise _NotHere("not on PATH")
    command = [executable, "auth", "print-identity-token"]
    # A service account needs the audience; a person's account refuses it, and Cloud Run accepts
    # a person's token with gcloud's own audience.
    reason = ""
    for arguments in ([f"--audiences={audience}"], []):
        try:
            finished = subprocess.run(
                [*command, *arguments],
                capture_output=True,
                text=True,
                check=False,
                timeout=_GCLOUD_TIMEOUT_SECONDS,
                stdin=subprocess.DEVNULL,
                env=dict(environ),
            )
        except (OSError, subprocess.TimeoutExpired):
            raise _NotHere("did not answer") from None
        if finished.returncode == 0:
            return finished.stdout
        reason = " ".join(masker.foreign(finished.stderr).split())[:200]
    raise _NotHere(reason or "failed without a word")
