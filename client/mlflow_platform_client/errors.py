"""What can go wrong between a training job and its tracking server, as one tree.

    TrackingError                  catch this to catch everything this package raises
    ├── ConfigurationError         a setting is wrong or missing; lists every problem
    ├── PreflightFailed            training must not begin; lists every finding with its remedy
    ├── ServerUnreachable          no answer, or none in time: worth another attempt
    ├── ServerFailed               the server answered that it is broken (5xx, 429): worth another
    ├── CircuitOpen                not asked at all: the circuit breaker is open
    ├── AuthenticationFailed       the server does not know the caller, or denies the action
    ├── RequestRejected            the server understood and refuses: another attempt is useless
    ├── ArtifactStoreFailed        artifact bytes could not be written or read
    ├── SpoolError                 the spool on disk cannot be written or read
    └── StatusFileError            a status file cannot be written or read

Owns the tree and the one gate (`mapped`) through which foreign exceptions (MLflow's, requests', the
operating system's) enter it: the message is masked, the original stays as `__cause__`. It decides
nothing about retries; `is_transient` says what an attempt later could mend.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar

from mlflow_platform_client.masking import mask, mask_exception
from mlflow_platform_client.transport_trouble import Trouble, diagnose

if TYPE_CHECKING:
    from mlflow_platform_client.findings import Finding, PreflightReport


class TrackingError(Exception):
    """Anything that keeps a training job from being tracked."""

    is_transient: ClassVar[bool] = False
    """Whether the same call may succeed later without anybody mending anything."""


class ConfigurationError(TrackingError):
    """The client's settings do not hold; every problem is one sentence."""

    def __init__(self, *problems: str) -> None:
        """Keep the problems in the order they were found."""
        super().__init__("\n".join(problems))
        self.problems = problems


class PreflightFailed(TrackingError):  # noqa: N818  # named after what happened, as in the docs
    """The preflight found reasons not to begin training.

    `findings` holds every step that failed, with its remedy; `report` all steps, measured.
    """

    def __init__(self, report: PreflightReport) -> None:
        """The text lists the findings, so that an uncaught error says what to do."""
        super().__init__(report.describe_failure())
        self.report = report

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The steps that failed, in the order they ran."""
        return self.report.failed


class ServerUnreachable(TrackingError):  # noqa: N818
    """No answer came, or none within the time allowed; `trouble` says why where that is known."""

    is_transient = True

    def __init__(self, message: str, *, trouble: Trouble | None = None) -> None:
        """Keep the diagnosis."""
        super().__init__(message)
        self.trouble = trouble


class ServerFailed(TrackingError):  # noqa: N818
    """The server, or something in front of it, answered that it cannot do it now."""

    is_transient = True

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """Keep the HTTP status; None when the answer did not tell."""
        super().__init__(message)
        self.status = status


class CircuitOpen(TrackingError):  # noqa: N818
    """The circuit breaker is open: the server was not asked."""

    is_transient = True


class AuthenticationFailed(TrackingError):  # noqa: N818
    """HTTP 401 or 403: unknown caller, or one that may not do this."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """Keep the HTTP status: 401 is about who, 403 about what."""
        super().__init__(message)
        self.status = status


class RequestRejected(TrackingError):  # noqa: N818
    """The server understood the request and refuses it; the same request will fail again."""

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        """Keep the HTTP status and MLflow's error code, such as `RESOURCE_DOES_NOT_EXIST`."""
        super().__init__(message)
        self.status = status
        self.code = code


class ArtifactStoreFailed(TrackingError):  # noqa: N818
    """Artifact bytes could not be written, read back or found equal."""


class SpoolError(TrackingError):
    """The durable spool on this machine's disk cannot do its work."""


class StatusFileError(TrackingError):
    """A status file cannot be written, read or understood."""


_TRANSIENT_STATUSES = frozenset({408, 425, 429})


@contextlib.contextmanager
def mapped(action: str, *, secrets: tuple[str, ...] = ()) -> Generator[None]:
    """Turn whatever is raised inside into a `TrackingError` that says what was being attempted.

    `action` completes "could not …". `secrets` are masked wherever they appear, and so is what
    plainly is one. Errors of this package pass unchanged; so do programming errors and
    KeyboardInterrupt, which are no tracking failures.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        translated = translate(error, action, secrets=secrets)
        if translated is None:
            raise
        raise translated from mask_exception(error, secrets)


def translate(
    error: Exception, action: str, *, secrets: tuple[str, ...] = ()
) -> TrackingError | None:
    """The tree's word for a foreign exception; None for one that is no tracking failure."""
    said = " ".join(mask(str(error), secrets).split()) or type(error).__name__
    text = f"could not {action}: {said}"
    if (trouble := diagnose(error)) is not None:
        return ServerUnreachable(f"could not {action}: {trouble.sentence}", trouble=trouble)
    # Looked up, not imported: an exception of MLflow's can only exist once MLflow is loaded.
    requests: Any = sys.modules.get("requests")
    foreign: Any = error
    if requests is not None and isinstance(error, requests.exceptions.RequestException):
        return for_status(getattr(foreign.response, "status_code", None), text, None)
    exceptions: Any = sys.modules.get("mlflow.exceptions")
    if exceptions is not None and isinstance(error, exceptions.MlflowException):
        if isinstance(error, exceptions.RestException):
            return for_status(foreign.get_http_status_code(), text, foreign.error_code)
        # MLflow wraps what requests raises into a plain MlflowException, as INTERNAL_ERROR.
        return _for_wrapped(error, text)
    if isinstance(error, OSError):
        return TrackingError(text)
    return None


def _for_wrapped(error: Exception, text: str) -> TrackingError:
    said = str(error)
    if "failed with error code " in said:
        digits = said.partition("failed with error code ")[2][:3]
        return for_status(int(digits) if digits.isdigit() else None, text, None)
    if "too many " in said and " error responses" in said:
        digits = said.partition("too many ")[2][:3]
        return for_status(int(digits) if digits.isdigit() else 503, text, None)
    if "API request to " in said:
        return ServerUnreachable(text)
    return RequestRejected(text, code=getattr(error, "error_code", None))


def for_status(status: int | None, text: str, code: str | None) -> TrackingError:
    """The error an HTTP status stands for; None: no answer came."""
    if status is None:
        return ServerUnreachable(text)
    if status in (401, 403):
        return AuthenticationFailed(text, status=status)
    if status >= 500 or status in _TRANSIENT_STATUSES:
        return ServerFailed(text, status=status)
    return RequestRejected(text, status=status, code=code)
