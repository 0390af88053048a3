"""Who the check says it is.

Owns the choice between no authentication, basic, bearer, Google identity token and AWS SigV4, and
the two that need nothing but a header. The choice is `auto` unless the user makes it; `auto` looks,
in this order, at

1. user name and password in the tracking URI,
2. the stack's administrator, where a stack with basic authentication was named,
3. MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, then MLFLOW_TRACKING_TOKEN,
   then MLFLOW_TRACKING_AWS_SIGV4: MLflow's own variables in MLflow's own order,
4. the address: Cloud Run (`*.run.app`) takes a Google identity token, API Gateway and VPC Lattice
   an AWS signature.

Google and AWS live in their own modules, loaded only when chosen.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast, get_args

from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.target import Target

AuthenticationKind = Literal["none", "basic", "bearer", "google", "aws-sigv4"]
KINDS: tuple[str, ...] = ("auto", *get_args(AuthenticationKind))
_SIGV4_HOSTS = (".execute-api.", ".vpc-lattice-svcs.")


class Authentication(Protocol):
    """Adds the headers that identify the check to one request."""

    @property
    def kind(self) -> AuthenticationKind:
        """The word that `--auth` uses for it."""
        ...

    def headers(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        """Headers for this very request; a signature covers all of it."""
        ...


@dataclass(frozen=True, slots=True)
class FixedHeaders:
    """Authentication whose headers are the same for every request."""

    kind: AuthenticationKind
    values: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    def headers(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        """The same headers, whatever is asked."""
        del method, url, body
        return self.values


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthenticationOptions:
    """What the user asked for, and what the stack offers."""

    kind: str = "auto"
    token_variable: str | None = None  # --token-env: the variable that holds a bearer token
    google_audience: str | None = None
    aws_service: str = "execute-api"
    aws_region: str | None = None
    stack_username: str | None = None
    stack_password: str | None = field(default=None, repr=False)


def choose_authentication(
    options: AuthenticationOptions, *, target: Target, environ: Mapping[str, str], masker: Masker
) -> Authentication:
    """Decide on an authentication and fetch what it needs.

    Raises:
        CouldNotLook: the chosen authentication lacks something, with how to supply it.
    """
    pair = _pair(options, target, environ, masker)
    kind = _auto(options, pair, target, environ) if options.kind == "auto" else options.kind
    match cast("AuthenticationKind", kind):
        case "none":
            return FixedHeaders("none")
        case "basic":
            if pair is None:
                raise CouldNotLook(
                    "--auth is basic, and no user name and password were found: set "
                    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or name a stack whose "
                    "authentication is basic with --stack"
                )
            return FixedHeaders("basic", {"Authorization": _basic(*pair)})
        case "bearer":
            return FixedHeaders("bearer", {"Authorization": _bearer(options, environ, masker)})
        case "google":
            from smoke_tests.google_identity import fetch_identity_token

            audience = options.google_audience or target.origin
            token = fetch_identity_token(audience, environ=environ, masker=masker)
            if pair is None:
                return FixedHeaders("google", {"Authorization": f"Bearer {token}"})
            # Cloud Run looks here first and then leaves Authorization to the server behind it:
            # https://cloud.google.com/run/docs/authenticating/service-to-service
            return FixedHeaders(
                "google",
                {
                    "X-Serverless-Authorization": f"Bearer {token}",
                    "Authorization": _basic(*pair),
                },
            )
        case "aws-sigv4":
            from smoke_tests.aws_signature import AwsSignature

            return AwsSignature.from_environment(
                target,
                service=options.aws_service,
                region=options.aws_region,
                environ=environ,
                masker=masker,
            )


def _auto(
    options: AuthenticationOptions,
    pair: tuple[str, str] | None,
    target: Target,
    environ: Mapping[str, str],
) -> AuthenticationKind:
    if options.token_variable:
        return "bearer"
    if pair is not None:
        return "basic"
    if environ.get("MLFLOW_TRACKING_TOKEN"):
        return "bearer"
    if environ.get("MLFLOW_TRACKING_AWS_SIGV4", "").lower() in {"true", "1"}:
        return "aws-sigv4"
    if target.host.endswith(".run.app"):
        return "google"
    if any(part in target.host for part in _SIGV4_HOSTS):
        return "aws-sigv4"
    return "none"


def _pair(
    options: AuthenticationOptions, target: Target, environ: Mapping[str, str], masker: Masker
) -> tuple[str, str] | None:
    candidates = (
        (target.username, target.password),
        (options.stack_username, options.stack_password),
        (environ.get("MLFLOW_TRACKING_USERNAME"), environ.get("MLFLOW_TRACKING_PASSWORD")),
    )
    for username, password in candidates:
        if username and password:
            masker.remember_basic(username, password)
            return username, password
    return None


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _bearer(options: AuthenticationOptions, environ: Mapping[str, str], masker: Masker) -> str:
    name = options.token_variable or "MLFLOW_TRACKING_TOKEN"
    token = environ.get(name, "").strip()
    masker.remember(token)
    if not token:
        raise CouldNotLook(
            f"{name} is not set: put the bearer token into it, or name the variable that holds "
            "it with --token-env"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise CouldNotLook(
            f"{name} does not hold a token: it contains a space, a line break or a character "
            "outside ASCII; copy the token again, without quotes and on one line"
        )
    return f"Bearer {token}"
