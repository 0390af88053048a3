"""What a type takes is read from the class the SDK really passes."""

from __future__ import annotations

import pytest

from simulated_cloud.sdk_schema import resource_schema


class TestNamesThatAreTaken:
    """Where an argument of another resource has the name, the SDK's class is called `InitArgs`."""

    @pytest.mark.parametrize(
        ("token", "required"),
        [
            (
                (
                    "aws:s3/bucketServerSideEncryptionConfiguration:"
                    "BucketServerSideEncryptionConfiguration"
                ),
                {"bucket", "rules"},
            ),
            ("aws:s3/bucketVersioning:BucketVersioning", {"bucket", "versioningConfiguration"}),
            ("aws:kms/alias:Alias", {"targetKeyId"}),
        ],
    )
    def test_required(self, token: str, required: set[str]) -> None:
        schema = resource_schema("pulumi_aws", token)
        assert schema is not None
        assert schema.required == required
