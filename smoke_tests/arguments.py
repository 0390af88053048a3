"""The command line of the check, read and checked.

Owns the flags, the environment variables that stand in for them (a flag wins), and their messages.
It asks no network and starts nothing.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smoke_tests.authentication import KINDS
from smoke_tests.errors import CouldNotLook
from smoke_tests.retrying import DEFAULT_WAITS, Patience

_EPILOG = """\
environment (a flag wins over its variable):
  MLFLOW_TRACKING_URI                  the tracking URI, where neither it nor --stack is given
  MLFLOW_TRACKING_USERNAME, _PASSWORD  basic authentication
  MLFLOW_TRACKING_TOKEN                bearer authentication
  MLFLOW_TRACKING_AWS_SIGV4            true: AWS signatures
  MLFLOW_TRACKING_SERVER_CERT_PATH     a CA bundle; MLFLOW_TRACKING_INSECURE_TLS=true: none
  MLFLOW_TRACKING_CLIENT_CERT_PATH     a client certificate with its key
  MLFLOW_WORKSPACE                     the workspace to write to
  HTTP_PROXY, HTTPS_PROXY, NO_PROXY    proxies
  SMOKE_TESTS_EXPERIMENT, SMOKE_TESTS_TIMEOUT, SMOKE_TESTS_HEALTH_TIMEOUT,
  SMOKE_TESTS_RETRY_WAITS              as the flags

exit codes: 0 all stages passed, 1 a stage failed, 2 the check could not look
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """What the user asked for."""

    tracking_uri: str | None
    stack: str | None
    experiment: str | None  # None: the stack's, else `integration-test`
    authentication: str
    token_variable: str | None
    google_audience: str | None
    aws_service: str
    aws_region: str | None
    patience: Patience
    cleanup: bool
    json: bool
    junit: Path | None


def make_parser() -> argparse.ArgumentParser:
    """The parser; its defaults are None where a variable may speak."""
    parser = argparse.ArgumentParser(
        prog="python -m smoke_tests",
        description="Prove that an MLflow platform works: health, experiment, run, metric.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("tracking_uri", nargs="?", metavar="TRACKING_URI", help="address of the MLflow server")
    add("-s", "--stack", metavar="NAME", help="read address and credentials from this stack")
    add("--experiment", metavar="NAME", help="experiment to write to (default: integration-test)")
    add("--auth", choices=KINDS, default="auto", help="who the check says it is (default: auto)")
    add("--token-env", metavar="VARIABLE", help="variable that holds a bearer token")
    add("--google-audience", metavar="URL", help="audience of the identity token")
    add("--aws-service", metavar="NAME", default="execute-api", help="service to sign for")
    add("--aws-region", metavar="NAME", help="region to sign for (default: from the host)")
    add("--timeout", metavar="SECONDS", help="longest request (default: 30)")
    add("--health-timeout", metavar="SECONDS", help="longest health request (default: 60)")
    add(
        "--retry-waits",
        metavar="SECONDS,…",
        help="waits between attempts (default: 10,20,30,30,30; none: one attempt)",
    )
    add("--cleanup", action="store_true", help="delete the run, and a newly made experiment")
    add("--json", action="store_true", help="print one JSON object instead of the text")
    add("--junit", metavar="FILE", help="write a JUnit report too")
    return parser


def parse_arguments(argv: Sequence[str], environ: Mapping[str, str]) -> Arguments:
    """Read the command line.

    Raises:
        CouldNotLook: a value is not allowed, with what is.
        SystemExit: argparse printed help (0) or a usage message (2).
    """
    found = make_parser().parse_args(argv)

    def setting(flag: str, given: str | None, variable: str) -> tuple[str, str] | None:
        if given is not None:
            return flag, given
        value = environ.get(variable, "").strip()
        return (variable, value) if value else None

    patience = Patience()
    timeout = setting("--timeout", found.timeout, "SMOKE_TESTS_TIMEOUT")
    health = setting("--health-timeout", found.health_timeout, "SMOKE_TESTS_HEALTH_TIMEOUT")
    waits = setting("--retry-waits", found.retry_waits, "SMOKE_TESTS_RETRY_WAITS")
    experiment = setting("--experiment", found.experiment, "SMOKE_TESTS_EXPERIMENT")
    return Arguments(
        tracking_uri=found.tracking_uri or None,
        stack=found.stack or None,
        experiment=experiment[1] if experiment else None,
        authentication=found.auth,
        token_variable=found.token_env,
        google_audience=found.google_audience,
        aws_service=found.aws_service,
        aws_region=found.aws_region,
        patience=Patience(
            waits=_waits(*waits) if waits else DEFAULT_WAITS,
            health_timeout_seconds=(
                _timeout(*health) if health else patience.health_timeout_seconds
            ),
            request_timeout_seconds=(
                _timeout(*timeout) if timeout else patience.request_timeout_seconds
            ),
        ),
        cleanup=found.cleanup,
        json=found.json,
        junit=_junit(found.junit),
    )


def _timeout(name: str, value: str) -> float:
    seconds = _seconds(value)
    if seconds is None or seconds == 0:
        raise CouldNotLook(f"{name} is {value!r}: it must be a number of seconds above 0, like 30")
    return seconds


def _waits(name: str, value: str) -> tuple[float, ...]:
    if value.strip().lower() in {"none", ""}:
        return ()
    waits = [_seconds(part) for part in value.split(",")]
    if None in waits:
        raise CouldNotLook(
            f"{name} is {value!r}: it must be seconds with commas between them, like "
            "10,20,30,30,30, or none for a single attempt"
        )
    return tuple(wait for wait in waits if wait is not None)


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    # A day is longer than anybody waits; a socket's timeout cannot take much more.
    return seconds if math.isfinite(seconds) and 0 <= seconds <= 86_400 else None


def _junit(value: str | None) -> Path | None:
    if value is None:
        return None
    path = Path(value)
    if not value or path.is_dir() or not path.parent.is_dir():
        raise CouldNotLook(f"--junit is {value!r}: it must be a file in a folder that exists")
    return path
