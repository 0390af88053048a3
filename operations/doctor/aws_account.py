"""The AWS account: who we are there, and how it is asked.

Owns what a refusal of AWS's means for a check, and that each client is made once for all of them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from operations.aws_client import aws_client
from operations.doctor.check import Answer, Check, NotRun, failed, passed
from operations.doctor.patient import Patient

_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId")


def client(patient: Patient, service: str) -> Any:
    """A client of a service in the stack's region; callers use it inside `asking_aws`."""
    return patient.once(f"aws {service}", lambda: aws_client(patient.place, service))


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
