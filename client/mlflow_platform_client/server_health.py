"""Reaching the tracking server: a cold start is waited out, a mistake is not.

Owns the health step of the preflight. It waits 10, 20, 30, 30 and 30 seconds between attempts
and lets each take 30, which covers the 12 to 30 seconds of a Cloud Run instance that starts. What
waiting cannot mend (an unknown host, a certificate, a refused caller) is said at once.
"""

from __future__ import annotations

import logging

from mlflow_platform_client.clock import Clock
from mlflow_platform_client.errors import ServerFailed, ServerUnreachable, TrackingError
from mlflow_platform_client.findings import Outcome
from mlflow_platform_client.preflight_step import StepFailed, Verdict
from mlflow_platform_client.remedies import NOT_MLFLOW
from mlflow_platform_client.tracking_api import TrackingApi

_LOGGER = logging.getLogger(__name__)
_WORTH_ANOTHER = (429, 502, 503, 504)
_OK = (b"OK", b'"OK"')


def reach_server(api: TrackingApi, clock: Clock) -> Verdict:
    """Wait until the server says it is alive."""
    waits = api.settings.health_waits_seconds
    attempts = len(waits) + 1
    began = clock.monotonic()
    for attempt in range(1, attempts + 1):
        asked = clock.monotonic()
        try:
            answer = api.ask(
                "/health",
                action="reach the server",
                seconds=api.settings.cold_start_timeout_seconds,
            )
        except TrackingError as error:
            if not _may_pass(error):
                raise
            if attempt == attempts:
                raise _gave_up(error, attempts, clock.monotonic() - began) from error
            wait = waits[attempt - 1]
            _LOGGER.warning(
                "%s (attempt %d of %d); trying again in %g s", error, attempt, attempts, wait
            )
            clock.sleep(wait)
            continue
        if answer.body.strip() not in _OK:
            raise StepFailed("what answers /health is not MLflow", NOT_MLFLOW)
        now = clock.monotonic()
        return _verdict(api, now - asked, now - began, attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _may_pass(error: TrackingError) -> bool:
    if isinstance(error, ServerUnreachable):
        return error.trouble is None or error.trouble.may_pass
    return isinstance(error, ServerFailed) and error.status in _WORTH_ANOTHER


def _gave_up(error: TrackingError, attempts: int, seconds: float) -> TrackingError:
    tried = f"{attempts} attempts over {seconds:.0f} s" if attempts > 1 else "one attempt"
    text = f"{error} ({tried})"
    if isinstance(error, ServerUnreachable):
        return ServerUnreachable(text, trouble=error.trouble)
    return ServerFailed(text, status=getattr(error, "status", None))


def _verdict(api: TrackingApi, last: float, total: float, attempt: int) -> Verdict:
    where = api.tracking_uri
    if attempt == 1 and last <= api.settings.health_check_timeout_seconds:
        return Verdict(f"{where} answers in {last * 1000:.0f} ms")
    counted = "" if attempt == 1 else f" at attempt {attempt}"
    return Verdict(
        f"{where} answered{counted} after {total:.1f} s: a cold start",
        "Keep one instance running (min-instances=1), so that jobs do not wait for it.",
        Outcome.WARNING,
    )
