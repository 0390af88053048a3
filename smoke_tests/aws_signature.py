"""AWS Signature Version 4, for endpoints that check IAM before MLflow sees a request.

Owns the use of botocore for it: credentials from wherever botocore finds them, one signature for
each request. API Gateway is the usual such endpoint (service `execute-api`); VPC Lattice is
another (`vpc-lattice-svcs`). botocore takes 0.3 s to import and is loaded only here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from smoke_tests.authentication import AuthenticationKind
from smoke_tests.errors import CouldNotLook
from smoke_tests.masking import Masker
from smoke_tests.target import Target

_REGION_IN_HOST = re.compile(r"\.(?:execute-api|vpc-lattice-svcs)\.([a-z0-9-]+)\.")


@dataclass(frozen=True, kw_only=True, slots=True)
class AwsSignature:
    """Signs each request for one service in one region."""

    credentials: Any  # botocore's, which ships no types; they refresh themselves
    service: str
    region: str
    masker: Masker

    @property
    def kind(self) -> AuthenticationKind:
        """The word that `--auth` uses for it."""
        return "aws-sigv4"

    @classmethod
    def from_environment(
        cls,
        target: Target,
        *,
        service: str,
        region: str | None,
        environ: Mapping[str, str],
        masker: Masker,
    ) -> AwsSignature:
        """Find credentials and the region.

        Raises:
            CouldNotLook: botocore, the credentials or the region are missing.
        """
        in_host = _REGION_IN_HOST.search(target.host)
        region = (
            region
            or (in_host.group(1) if in_host else None)
            or environ.get("AWS_REGION")
            or environ.get("AWS_DEFAULT_REGION")
        )
        if not region:
            raise CouldNotLook(
                "--auth is aws-sigv4, and no region was found: name it with --aws-region or set "
                "AWS_REGION"
            )
        try:
            session: Any = import_module("botocore.session")
        except ImportError:
            raise CouldNotLook(
                "--auth is aws-sigv4, which needs the package botocore: install it with "
                "`pip install botocore`"
            ) from None
        try:
            credentials: Any = session.get_session().get_credentials()
        except Exception as error:  # botocore's errors share no base with a public name
            raise CouldNotLook(
                f"AWS credentials cannot be read ({masker.foreign(str(error))}): check AWS_PROFILE "
                "and ~/.aws, or log in again"
            ) from None
        if credentials is None:
            raise CouldNotLook(
                "--auth is aws-sigv4, and no AWS credentials were found: log in (`aws sso login`) "
                "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        return cls(credentials=credentials, service=service, region=region, masker=masker)

    def headers(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        """The signature of this request, and what goes with it."""
        auth: Any = import_module("botocore.auth")
        awsrequest: Any = import_module("botocore.awsrequest")
        frozen = self.credentials.get_frozen_credentials()
        self.masker.remember(frozen.secret_key, frozen.token)
        content = {} if body is None else {"Content-Type": "application/json"}
        request = awsrequest.AWSRequest(method=method, url=url, data=body, headers=content)
        auth.SigV4Auth(frozen, self.service, self.region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}
