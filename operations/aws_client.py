"""boto3 clients for a command's stack: its region, and the environment that the command was given.

Owns where credentials and endpoints come from: the environment of the command, as for the AWS
command line. A client tries a few times and then says so; nobody waits minutes for an answer.
"""

from __future__ import annotations

from typing import Any

from operations.place import Place

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 3


def aws_client(place: Place, service: str) -> Any:
    """A client of a service in the stack's region."""
    from botocore.config import Config

    environ = place.environ
    service_variable = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
    return aws_session(place).client(
        service,
        endpoint_url=environ.get(service_variable) or environ.get("AWS_ENDPOINT_URL"),
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        ),
    )


def aws_session(place: Place) -> Any:
    """Who the command is to AWS, in the stack's region."""
    from boto3 import Session

    environ = place.environ
    region = place.outputs.region if place.outputs else None
    secrets = environ.get("AWS_SECRET_ACCESS_KEY"), environ.get("AWS_SESSION_TOKEN")
    place.masker.remember(*secrets)
    return Session(
        aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=secrets[0],
        aws_session_token=secrets[1] or None,
        region_name=region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
    )


def aws_problem() -> tuple[type[Exception], ...]:
    """What boto3 raises when AWS does not answer, or says no."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)
