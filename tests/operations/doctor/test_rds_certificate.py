"""RDS's word on its certificate: moto keeps none, so the instance's description is given here."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from operations.doctor import aws_database
from operations.doctor.check import Answer
from operations.doctor.patient import Patient
from operations.doctor.runner import answer_of
from operations.place import Place
from tests.operations.doctor.conftest import outputs_of

CHECK = next(item for item in aws_database.CHECKS if item.name == "aws.database_certificate")


def asked(**described: Any) -> Answer:
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    place = Place(stack="test", url=None, environ=environ)
    place.__dict__["outputs"] = outputs_of(
        target="aws", region="eu-central-1", database_identifier="mlops-platform-dev-mlflow"
    )
    patient = Patient(place=place)
    patient.once("aws instance", lambda: described)
    return answer_of(CHECK, patient)


class TestCertificate:
    """A month before its end it is a finding, with the command that renews it."""

    @pytest.mark.parametrize(("days", "status"), [(400, "passed"), (20, "failed"), (-3, "failed")])
    def test_days(self, days: int, status: str) -> None:
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days, hours=1)
        found = asked(CertificateDetails={"CAIdentifier": "rds-ca-2019", "ValidTill": ends})
        assert found.status == status
        assert found.evidence.startswith(f"rds-ca-2019, valid until {ends:%Y-%m-%d}")
        if status == "failed":
            assert found.next_step is not None
            assert found.next_step.endswith("--ca-certificate-identifier rds-ca-rsa2048-g1")

    def test_rds_says_nothing(self) -> None:
        found = asked(CACertificateIdentifier="rds-ca-rsa2048-g1")
        assert found.status == "not_run"
        assert found.evidence == "RDS does not say until when (authority rds-ca-rsa2048-g1)"
