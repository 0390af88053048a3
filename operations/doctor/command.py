"""`doctor`: examine a platform in one pass and say every finding, with cause and next step.

Owns the arguments and the order: read the stack, ask all checks at once, find what explains what,
pack the bundle where one was asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from operations.doctor.bundle import write_bundle
from operations.doctor.check import Check
from operations.doctor.check_list import checks_of
from operations.doctor.diagnosis import in_order
from operations.doctor.patient import Options, Patient
from operations.doctor.report import DoctorReport
from operations.doctor.runner import examine
from operations.place import Place
from smoke_tests.errors import CouldNotLook


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    add = parser.add_argument
    add("--bundle", metavar="FILE", help="also write a .tar.gz for escalation, secrets masked")
    add(
        "--log-minutes",
        metavar="N",
        default="15",
        help="how far back logs and events are read (default: 15)",
    )
    add(
        "--certificate-days",
        metavar="N",
        default="21",
        help="a certificate that ends sooner is a finding (default: 21)",
    )
    add("--timeout", metavar="SECONDS", help="longest a check may take (default: 20 or 25)")
    add(
        "--kubeconfig",
        metavar="FILE",
        help="the cluster's kubeconfig (default: asked from the cloud, as the cloud's user)",
    )


def run(arguments: argparse.Namespace, place: Place) -> DoctorReport:
    """Examine the platform.

    Raises:
        CouldNotLook: an argument is not allowed, or no platform is named.
    """
    options = Options(
        log_minutes=_whole("--log-minutes", arguments.log_minutes, largest=10_080),
        certificate_days=_whole("--certificate-days", arguments.certificate_days, largest=3650),
        timeout_seconds=None
        if arguments.timeout is None
        else _whole("--timeout", arguments.timeout, largest=3600),
        kubeconfig=arguments.kubeconfig,
    )
    bundle = None if arguments.bundle is None else _writable(Path(arguments.bundle))
    place.progress("reading the stack")
    patient = Patient(place=place, options=options)
    report = diagnose(patient, checks_of(place))
    if bundle is None:
        return report
    place.progress("packing the bundle")
    write_bundle(bundle, patient, report)
    return replace(report, bundle=str(bundle))


def diagnose(patient: Patient, checks: Sequence[Check]) -> DoctorReport:
    """One pass over these checks."""
    place = patient.place
    # Read before the threads begin: what cannot be read keeps all of them from looking.
    _ = (place.outputs, place.settings, place.target)
    began = place.clock.monotonic()
    findings = in_order(examine(patient, checks, place.progress))
    return DoctorReport(findings=findings, seconds=place.clock.monotonic() - began)


def _whole(name: str, text: str, *, largest: int) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= largest):
        raise CouldNotLook(f"{name} is {text!r}: give a whole number from 1 to {largest}")
    return int(text)


def _writable(path: Path) -> Path:
    if not path.name.endswith((".tar.gz", ".tgz")):
        raise CouldNotLook(f"--bundle is {str(path)!r}: give a name that ends in .tar.gz")
    if not path.parent.is_dir():
        raise CouldNotLook(f"--bundle is {str(path)!r}: its folder does not exist; make it first")
    return path
