"""Which resources hold what nobody can make again.

Owns one table: the type, and what is lost with it. `drift` calls it critical when one of them is
gone, `preview-summary` prints its replacement or deletion in bold, and a deployment stops for it.
"""

from __future__ import annotations

from collections.abc import Mapping

HOLDS_DATA: Mapping[str, str] = {
    # AWS
    "aws:rds/instance:Instance": "every run, metric and model version",
    "aws:s3/bucket:Bucket": "the artifacts of every run",
    "aws:kms/key:Key": "what decrypts the database, the artifacts and the secrets",
    "aws:secretsmanager/secret:Secret": "a password that others were given",
    "aws:backup/vault:Vault": "the backups",
    "aws:ecr/repository:Repository": "the server's images",
    "aws:cloudwatch/logGroup:LogGroup": "the logs",
    # Google Cloud
    "gcp:sql/databaseInstance:DatabaseInstance": "every run, metric and model version",
    "gcp:sql/database:Database": "every run, metric and model version",
    "gcp:storage/bucket:Bucket": "the artifacts of every run",
    "gcp:kms/keyRing:KeyRing": "what decrypts the database, the artifacts and the secrets",
    "gcp:kms/cryptoKey:CryptoKey": "what decrypts the database, the artifacts and the secrets",
    "gcp:secretmanager/secret:Secret": "a password that others were given",
    "gcp:artifactregistry/repository:Repository": "the server's images",
    # Kubernetes
    "kubernetes:core/v1:Namespace": "everything in the namespace",
    "kubernetes:core/v1:PersistentVolumeClaim": "what is on the volume",
    "kubernetes:core/v1:PersistentVolume": "what is on the volume",
    "kubernetes:core/v1:Secret": "a password that others were given",
    # This machine
    "pulumi-python:dynamic/local:Postgres": "every run, metric and model version",
    "pulumi-python:dynamic/local:ArtifactFolder": "the artifacts of every run",
    "pulumi-python:dynamic/local:Password": "a password that others were given",
}


def holds(type_token: str) -> str | None:
    """What is lost with a resource of that type; None where nothing is."""
    return HOLDS_DATA.get(type_token)
