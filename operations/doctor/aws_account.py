"""The AWS account: who we are there, and how it is asked.

Owns the clients (the region of the stack, the credentials of whoever runs the command, short
patience) and what a refusal of AWS's means for a check. boto3 is imported by the first that asks.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import Patient

CONNECT_SECONDS = 4
READ_SECONDS = 12

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId")


def client(patient: Patient, service: str) -> Any:
    """A client of a service in the stack's region; callers use it inside `asking_aws`."""
    return patient.once(f"aws {service}", lambda: _client(patient, service))


def _client(patient: Patient, service: str) -> Any:
    from botocore.config import Config

    return session(patient).client(
        service,
        region_name=patient.outputs.region,
        endpoint_url=patient.place.environ.get("AWS_ENDPOINT_URL") or None,
        config=Config(
            retries={"total_max_attempts": 2},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            s3={"addressing_style": "path"},
        ),
    )


def session(patient: Patient) -> Any:
    """Who we are to AWS, once for all checks."""
    return patient.once("aws session", lambda: _session(patient))


def _session(patient: Patient) -> Any:
    """Credentials of the caller's environment, or wherever AWS's own tools find them."""
    import boto3

    environ = patient.place.environ
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    patient.place.masker.remember(secret, environ.get("AWS_SESSION_TOKEN"))
    if key and secret:
        return boto3.Session(
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=environ.get("AWS_SESSION_TOKEN") or None,
        )
    return boto3.Session(profile_name=environ.get("AWS_PROFILE") or None)


@contextmanager
def asking_aws(patient: Patient) -> Generator[None]:
    """Turns what keeps us from asking AWS into `NotRun`; what AWS answers is the check's own.

    Raises:
        NotRun: no credentials, no permission, or no answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        operation, code = error.operation_name, error_code(error)
        said = patient.foreign(str(error.response.get("Error", {}).get("Message", "")))
        raise NotRun(f"AWS refuses {operation}: {code} {said}".rstrip()) from None
    except BotoCoreError as error:
        raise NotRun(f"AWS cannot be asked: {patient.foreign(str(error))}") from None


def error_code(error: Any) -> str:
    """AWS's own word for a refusal, such as `NoSuchBucket`; `403` where it says nothing else."""
    return str(error.response.get("Error", {}).get("Code", ""))


def account(patient: Patient) -> Answer:
    """Are we in the stack's account, with credentials that are valid?"""
    from botocore.exceptions import BotoCoreError, ClientError

    wanted = patient.outputs.account
    login = "Sign in (`aws sso login`, or set AWS_PROFILE to the account of this stack)."
    try:
        found = client(patient, "sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        expired = isinstance(error, ClientError) and error_code(error) in _EXPIRED
        return failed(
            patient.foreign(str(error)),
            cause="the credentials have expired" if expired else "AWS does not know who asks",
            next_step=login,
        )
    seen = f"{found['Arn']} in account {found['Account']}"
    if wanted and found["Account"] != wanted:
        return failed(
            f"{seen}, the stack is in {wanted}",
            cause="the credentials are another account's: everything below would be looked for in "
            "the wrong place",
            next_step=login,
        )
    return passed(f"{seen}, region {patient.outputs.region}")


CHECKS = (
    Check(
        name="aws.account",
        question="Are we in the stack's account, with valid credentials?",
        ask=account,
    ),
)
