"""Objects in a bucket of Google Cloud Storage.

Owns that what is read is one generation of an object, and that an upload is resumable, of unknown
length, and never finished when its source fails. Credentials are Google's own search; with
STORAGE_EMULATOR_HOST the library asks nobody for any.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from operations.archive.errors import ObjectChanged, ObjectGone, StoreProblem
from operations.archive.stores import StoredObject, prefix_of
from operations.archive.streams import Readable, read_whole

_PIECE_BYTES = 8 << 20
_REQUEST_SECONDS = 60


class GcsStore:
    """A bucket, or what lies below a prefix of it."""

    def __init__(self, uri: str, environ: Mapping[str, str]) -> None:
        """No request is made yet, but credentials are looked for."""
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage

        self.uri = uri.rstrip("/")
        self._prefix = prefix_of(uri)
        emulator = environ.get("STORAGE_EMULATOR_HOST")
        library: Any = storage
        try:
            client = (
                library.Client.create_anonymous_client()
                if emulator
                else library.Client(project=environ.get("GOOGLE_CLOUD_PROJECT"))
            )
        except (GoogleAuthError, OSError) as error:
            raise StoreProblem(
                f"{self.uri} cannot be reached without credentials ({type(error).__name__}): run "
                "`gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
            ) from None
        self._bucket: Any = client.bucket(urlsplit(uri).netloc)
        self._client: Any = client

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose name begins so."""
        with self._problems("list", prefix):
            for blob in self._client.list_blobs(self._bucket, prefix=self._prefix + prefix):
                if blob.name.endswith("/"):
                    continue  # a folder, as consoles make them
                yield StoredObject(
                    name=blob.name.removeprefix(self._prefix),
                    size_bytes=int(blob.size or 0),
                    modified=blob.updated.timestamp(),
                )

    @contextlib.contextmanager
    def open(self, name: str) -> Generator[_OpenBlob]:
        """Read the present generation of an object."""
        with self._problems("read", name):
            blob = self._bucket.get_blob(self._prefix + name, timeout=_REQUEST_SECONDS)
        if blob is None:
            raise ObjectGone(f"{self.uri}/{name} is not there any more")
        # Asking for another generation fails; and what is stored is wanted, not what it unpacks to.
        with blob.open(
            "rb",
            chunk_size=_PIECE_BYTES,
            if_generation_match=blob.generation,
            raw_download=True,
        ) as opened:
            yield _OpenBlob(f"{self.uri}/{name}", opened, int(blob.size or 0))

    def write(self, name: str, source: Readable, *, about_bytes: int = 0) -> None:
        """Upload in pieces; the object appears with the last one."""
        del about_bytes
        blob = self._bucket.blob(self._prefix + name, chunk_size=_PIECE_BYTES)
        with self._problems("write", name):
            blob.upload_from_file(_Reading(source), timeout=_REQUEST_SECONDS)

    def delete(self, name: str) -> None:
        """Delete an object; a versioned bucket keeps what it was."""
        from google.api_core.exceptions import NotFound

        with self._problems("delete", name), contextlib.suppress(NotFound):
            self._bucket.blob(self._prefix + name).delete(timeout=_REQUEST_SECONDS)

    @contextlib.contextmanager
    def _problems(self, verb: str, name: str) -> Generator[None]:
        from google.api_core.exceptions import GoogleAPIError, NotFound
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        try:
            yield
        except NotFound:
            raise ObjectGone(f"{self.uri}/{name} is not there (any more)") from None
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            said = getattr(cast("Any", error), "code", None) or type(error).__name__
            raise StoreProblem(
                f"{self.uri}/{name} refuses to {verb} ({said}): the identity that runs this "
                "command needs storage.objects.list, get and, for a destination, create and "
                "delete, and the bucket has to exist"
            ) from None


class _OpenBlob:
    def __init__(self, uri: str, opened: Any, size_bytes: int) -> None:
        self._uri = uri
        self._opened = opened
        self.size_bytes = size_bytes

    def read(self, size: int, /) -> bytes:
        from google.api_core.exceptions import GoogleAPIError
        from requests import RequestException

        if not self.size_bytes:
            return b""  # a range of nothing is refused
        try:
            return read_whole(self._opened, size)
        except (GoogleAPIError, RequestException) as error:
            raise ObjectChanged(
                f"{self._uri} changed or broke off ({type(error).__name__})"
            ) from None


class _Reading:
    """What the library takes for a file whose length nobody knows."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._position = 0

    def read(self, size: int = -1, /) -> bytes:
        piece = read_whole(self._source, size)
        self._position += len(piece)
        return piece

    def tell(self) -> int:
        return self._position
