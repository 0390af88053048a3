"""What the server will never take: set aside in a file with the reason, said once, never raised.

    <spool>/rejected/<session>.jsonl    one JSON object per refused item, mode 0600

Owns that file. Nothing is thrown away: an item keeps its record, so that `spool replay --rejected`
can send it again after somebody mended the cause (restored the run, say). The first refusal of a
name is logged as a warning, up to twenty of them; what follows is logged at debug level: a training
loop that logs a bad parameter every step must not fill its own log.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mlflow_platform_client.masking import mask
from mlflow_platform_client.record_encoding import KIND_NAMES, Refused

_logger = logging.getLogger(__name__)
_MOST_WARNINGS = 20


class DeadLetters:
    """The refused items of one session."""

    def __init__(self, path: Path, tracking_uri: str) -> None:
        """The file is made when the first item arrives."""
        self.path = path
        self._tracking_uri = tracking_uri
        self._lock = threading.Lock()
        self._warned: set[tuple[str, str, str, str]] = set()
        self.count = 0

    def add_records(self, lines: Iterable[bytes], code: str, reason: str) -> None:
        """Records that the server refused."""
        for line in lines:
            kind, _, rest = line.decode("utf-8", "replace").partition("\t")
            run_id, _, body = rest.partition("\t")
            item = json.loads(body)
            name = str(item.get("key", item.get("path", "")))
            self._add(KIND_NAMES.get(kind, kind), run_id, name, code, reason, record=body)

    def add_refused(self, refused: Refused) -> None:
        """An item that never became a record."""
        self._add(refused.kind, refused.run_id, refused.key, "NOT_SENT", refused.reason,
                  value=refused.value)  # fmt: skip

    def _add(
        self, kind: str, run_id: str, key: str, code: str, reason: str, **content: str
    ) -> None:
        reason = mask(reason)[:2000]
        entry: Mapping[str, object] = {
            "rejected_at": datetime.datetime.now(datetime.UTC).isoformat(),
            "tracking_uri": self._tracking_uri,
            "run_id": run_id,
            "kind": kind,
            "key": key,
            "code": code,
            "reason": reason,
            **content,
        }
        with self._lock:
            self.count += 1
            try:
                self._write(entry)
            except OSError as error:
                _logger.log(
                    logging.ERROR,
                    "%s %r of run %s was refused (%s) and could not be kept in %s: %s",
                    kind, key, run_id, reason, self.path, error,
                )  # fmt: skip
                return
            cause = (run_id, kind, key, code)
            is_news = cause not in self._warned and len(self._warned) < _MOST_WARNINGS
            if is_news:
                self._warned.add(cause)
        _logger.log(
            logging.WARNING if is_news else logging.DEBUG,
            "%s %r of run %s was refused and set aside in %s (further ones without a message): %s",
            kind, key, run_id, self.path, reason,
        )  # fmt: skip

    def _write(self, entry: Mapping[str, object]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def read_dead_letters(path: Path) -> Iterator[Mapping[str, str]]:
    """The items of one file; a last line cut short is left out."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                yield json.loads(line)
            except ValueError:
                continue
