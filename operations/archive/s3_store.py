"""Objects in a bucket of S3, or of anything that speaks its protocol.

Owns that what is read is one version (its size and bytes come with one answer), and that an upload
of unknown length is made in parts and given up when its source fails: an object appears whole or
not at all. Credentials and region are boto3's own search; the endpoint is AWS_ENDPOINT_URL_S3,
AWS_ENDPOINT_URL or MLflow's MLFLOW_S3_ENDPOINT_URL.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from operations.archive.errors import ObjectChanged, ObjectGone, StoreProblem
from operations.archive.stores import StoredObject, prefix_of
from operations.archive.streams import Readable, read_whole

_PART_BYTES = 8 << 20
_MOST_PARTS = 9_000  # S3 takes 10,000; what is expected may be a little wrong
_PARTS_AT_ONCE = 4


class S3Store:
    """A bucket, or what lies below a prefix of it."""

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        """No request is made yet."""
        import boto3
        from botocore.config import Config

        self.uri = uri.rstrip("/")
        self._bucket = urlsplit(uri).netloc
        self._prefix = prefix_of(uri)
        endpoint = (
            environ.get("AWS_ENDPOINT_URL_S3")
            or environ.get("AWS_ENDPOINT_URL")
            or environ.get("MLFLOW_S3_ENDPOINT_URL")
        )
        retries: Any = {"mode": "standard", "total_max_attempts": 5}
        self._client: Any = cast("Any", boto3).client(
            "s3",
            endpoint_url=endpoint,
            config=Config(retries=retries, connect_timeout=10, read_timeout=60),
        )

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key begins so."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        with self._problems("list", prefix):
            for page in pages:
                for item in page.get("Contents", ()):
                    if item["Key"].endswith("/"):
                        continue  # a folder, as consoles make them
                    yield StoredObject(
                        name=item["Key"].removeprefix(self._prefix),
                        size_bytes=item["Size"],
                        modified=item["LastModified"].timestamp(),
                    )

    @contextlib.contextmanager
    def open(self, name: str) -> Generator[_OpenKey]:
        """Read the present version of an object."""
        with self._problems("read", name):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
        with contextlib.closing(answer["Body"]) as body:
            yield _OpenKey(f"{self.uri}/{name}", body, answer["ContentLength"])

    def write(self, name: str, source: Readable, *, about_bytes: int = 0) -> None:
        """Upload; in parts where it is long, and given up where `source` fails."""
        from boto3.s3.transfer import TransferConfig

        part = max(_PART_BYTES, about_bytes // _MOST_PARTS)
        config: Any = TransferConfig(
            multipart_chunksize=part,
            multipart_threshold=part,
            max_concurrency=_PARTS_AT_ONCE,
        )
        with self._problems("write", name):
            self._client.upload_fileobj(
                _Reading(source), self._bucket, self._prefix + name, Config=config
            )

    def delete(self, name: str) -> None:
        """Delete an object; a versioned bucket keeps what it was."""
        with self._problems("delete", name):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    @contextlib.contextmanager
    def _problems(self, verb: str, name: str) -> Generator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(cast("Any", error.response).get("Error", {}).get("Code", ""))
            if code in ("NoSuchKey", "404"):
                raise ObjectGone(f"{self.uri}/{name} is not there any more") from None
            raise StoreProblem(
                f"{self.uri}/{name} refuses to {verb} ({code or 'no code'}): the identity that "
                "runs this command needs s3:ListBucket, s3:GetObject and, for a destination, "
                "s3:PutObject and s3:DeleteObject, and the bucket has to exist"
            ) from None
        except BotoCoreError as error:
            raise StoreProblem(
                f"{self.uri}/{name}: cannot {verb} ({type(error).__name__}): check the "
                "credentials, the region (AWS_REGION) and the network"
            ) from None


class _OpenKey:
    def __init__(self, uri: str, body: Any, size_bytes: int) -> None:
        self._uri = uri
        self._body = body
        self.size_bytes = size_bytes

    def read(self, size: int, /) -> bytes:
        from botocore.exceptions import BotoCoreError, HTTPClientError

        try:
            # The answer is all of one version; a broken one ends with an error.
            return read_whole(self._body, size)
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise ObjectChanged(f"{self._uri} broke off ({type(error).__name__})") from None


class _Reading:
    """What boto3 takes for a file that can be read and nothing else."""

    def __init__(self, source: Readable) -> None:
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        return read_whole(self._source, size)
