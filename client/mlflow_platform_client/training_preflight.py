"""One call before training: tracking works, or training does not begin.

    from mlflow_platform_client import preflight

    run = preflight(run_name="resnet-7")      # PreflightFailed lists every finding and its remedy
    with mlflow.start_run(run_id=run.run_id): ...

Owns the order of things: settings, status file, the seven steps, status file, verdict. The steps
themselves stand in `preflight_steps`, the status files in `status_files`.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mlflow_platform_client.client_settings import ClientSettings
from mlflow_platform_client.clock import Clock
from mlflow_platform_client.configuration import resolve_settings
from mlflow_platform_client.configuration_mlflow import apply_settings
from mlflow_platform_client.errors import ConfigurationError, PreflightFailed, StatusFileError
from mlflow_platform_client.findings import Finding, Outcome, PreflightReport, TrackedRun
from mlflow_platform_client.masking import mask
from mlflow_platform_client.preflight_step import run_steps
from mlflow_platform_client.preflight_steps import STEPS, Visit, end_run
from mlflow_platform_client.status_files import StatusFiles
from mlflow_platform_client.status_storage import open_storage
from mlflow_platform_client.tracking_api import Send, TrackingApi

_LOGGER = logging.getLogger(__name__)
_STATUS_VARIABLE = "MLFLOW_PLATFORM_STATUS_DIRECTORY"


def preflight(
    settings: ClientSettings | None = None,
    *,
    run_name: str | None = None,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    restore_deleted_experiment: bool = False,
    clock: Clock | None = None,
    send: Send | None = None,
) -> TrackedRun:
    """Prove that this job will be tracked, and start its run.

    Args:
        settings: where and as whom; by default what `resolve_settings()` finds.
        run_name: a name for the run; MLflow invents one otherwise.
        run_id: a run to go on with, instead of starting one.
        tags: set on the run, besides those `mlflow.start_run` sets.
        restore_deleted_experiment: bring a deleted experiment of this name back.
        clock: for tests.
        send: for tests: what carries requests.

    Returns:
        The run: it is running, and a metric and an artifact of it were read back.

    Raises:
        PreflightFailed: training must not begin. Every finding is listed, with its remedy.
    """
    given = settings
    try:
        settings = given or resolve_settings()
        check_is_a_server(settings)
    except ConfigurationError as error:
        report = _about_configuration(error)
        _leave_word(report, given)
        raise PreflightFailed(report) from error
    report = run_preflight(
        settings,
        run_name=run_name,
        run_id=run_id,
        tags=tags,
        restore_deleted_experiment=restore_deleted_experiment,
        clock=clock,
        send=send,
    )
    if not report.passed:
        raise PreflightFailed(report)
    return TrackedRun(
        run_id=report.run_id or "",
        experiment_id=report.experiment_id or "",
        experiment_name=report.experiment_name,
        tracking_uri=settings.tracking_uri,
        report=report,
    )


def run_preflight(
    settings: ClientSettings,
    *,
    run_name: str | None = None,
    run_id: str | None = None,
    tags: Mapping[str, str] | None = None,
    restore_deleted_experiment: bool = False,
    is_rehearsal: bool = False,
    clock: Clock | None = None,
    send: Send | None = None,
    on_finding: Callable[[Finding], None] = lambda _: None,
) -> PreflightReport:
    """The same, without raising: for the command line. A rehearsal's run is ended and deleted."""
    check_is_a_server(settings)
    clock = clock or Clock()
    began = clock.monotonic()
    apply_settings(settings)
    # A rehearsal's run is taken away again: the files must go on telling of the job's own.
    status = None if is_rehearsal else StatusFiles.for_settings(settings, clock=clock)
    problem = _quietly(lambda: status.initializing(settings)) if status else None
    visit = Visit(
        api=TrackingApi(settings, send),
        clock=clock,
        client_version=_client_version(),
        restore_deleted_experiment=restore_deleted_experiment,
        run_name=run_name,
        resumed_run_id=run_id,
        tags={**_mlflow_tags(), **(tags or {})},
        began=began,
    )
    try:
        findings = run_steps(STEPS, visit, settings=settings, clock=clock, on_finding=on_finding)
        report = _report(settings, visit, findings)
    except BaseException as error:
        # Interrupted: the file must not go on saying that it is being looked into.
        if status:
            said = f"{type(error).__name__} {mask(str(error), settings.secrets())}".strip()
            _quietly(lambda: status.interrupted(said))
        end_run(visit, "KILLED")
        raise
    if is_rehearsal:
        end_run(visit, "FINISHED" if report.passed else "FAILED", delete=report.passed)
    elif not report.passed:
        end_run(visit, "FAILED")
    if status:
        problem = _quietly(lambda: status.finished(report)) or problem
    return _with_status_problem(report, problem, on_finding)


def check_is_a_server(settings: ClientSettings) -> None:
    """Refuse what is no tracking server: there would be nothing to reach."""
    uri = settings.require_tracking_uri()
    if not uri.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"tracking_uri is {mask(uri)!r} ({settings.source_of('tracking_uri')}): the preflight "
            "proves a tracking server; give an address that begins with http:// or https://"
        )


def _report(
    settings: ClientSettings, visit: Visit, findings: tuple[Finding, ...]
) -> PreflightReport:
    return PreflightReport(
        tracking_uri=mask(visit.api.tracking_uri, settings.secrets()),
        experiment_name=settings.experiment_name,
        findings=findings,
        seconds=visit.clock.monotonic() - visit.began,
        experiment_id=visit.experiment_id,
        run_id=visit.run_id,
        artifact_uri=visit.artifact_uri,
        server_version=visit.server_version,
        client_version=visit.client_version,
    )


def _about_configuration(error: ConfigurationError) -> PreflightReport:
    findings = tuple(
        Finding(
            step="configuration",
            question="Do the settings hold?",
            outcome=Outcome.FAILED,
            message=problem,
        )
        for problem in error.problems
    )
    return PreflightReport(
        tracking_uri="(no usable address)", experiment_name="", findings=findings, seconds=0.0
    )


def _leave_word(report: PreflightReport, settings: ClientSettings | None) -> None:
    """A web application shall see what is wrong with the settings too, where it can be told."""
    directory = settings.status_directory if settings else os.environ.get(_STATUS_VARIABLE)
    if directory:
        _quietly(lambda: StatusFiles(open_storage(directory)).finished(report))


def _with_status_problem(
    report: PreflightReport, problem: StatusFileError | None, on_finding: Callable[[Finding], None]
) -> PreflightReport:
    """Tracking works without a status file: nobody but the web application will miss it."""
    if problem is None:
        return report
    finding = Finding(
        step="status",
        question="Can the status files be written?",
        outcome=Outcome.WARNING,
        message=str(problem),
        remedy="Correct MLFLOW_PLATFORM_STATUS_DIRECTORY, or unset it.",
    )
    on_finding(finding)
    return replace(report, findings=(*report.findings, finding))


def _quietly(write: Callable[[], None]) -> StatusFileError | None:
    try:
        write()
    except StatusFileError as error:
        _LOGGER.warning("%s", error)
        return error
    return None


def _client_version() -> str:
    version: Any = importlib.import_module("mlflow.version")
    return str(version.VERSION)


def _mlflow_tags() -> dict[str, str]:
    """What `mlflow.start_run` would set: user, source, git commit."""
    registry: Any = importlib.import_module("mlflow.tracking.context.registry")
    return {str(key): str(value) for key, value in registry.resolve_tags().items()}
