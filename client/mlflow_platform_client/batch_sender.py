"""Sends one batch so that a bad item costs only itself.

Owns the search for what a server refuses. A refused batch is first asked about its run (an empty
`log-batch`: does this run take anything?). If the run is gone, everything for it is set aside with
two requests; otherwise the batch is cut in halves, in order, until the bad items stand alone and go
to the dead letters. What was sent on the way is sent again after an interruption: the server keeps
it once. A server that fails (5xx) is no refusal and leaves the batch whole, except when it goes on
failing on this batch: then single items that fail while others of the same batch are accepted are
set aside too, so that one poisonous value cannot stop all others for ever.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from mlflow_platform_client.batching import Batch, body_of
from mlflow_platform_client.dead_letters import DeadLetters
from mlflow_platform_client.errors import RequestRejected, ServerFailed, TrackingError
from mlflow_platform_client.telemetry import REQUEST, Telemetry
from mlflow_platform_client.tracking_server import TrackingServer

POISON_AFTER_FAILURES = 5
LONGEST_TIMEOUT_SECONDS = 300.0


class BatchSender:
    """For one lane; keeps nothing between batches."""

    def __init__(
        self,
        server: TrackingServer,
        dead_letters: DeadLetters,
        telemetry: Telemetry,
        *,
        timeout_seconds: float,
    ) -> None:
        """`timeout_seconds` is how long one request may stay unanswered."""
        self._server = server
        self._dead_letters = dead_letters
        self._telemetry = telemetry
        self._timeout_seconds = timeout_seconds

    def be_patient(self) -> None:
        """The smallest batch was not answered in time: wait longer for the next."""
        longest = max(LONGEST_TIMEOUT_SECONDS, self._timeout_seconds)
        self._timeout_seconds = min(longest, self._timeout_seconds * 2)

    def send(self, batch: Batch, *, failures: int = 0) -> None:
        """Return when each item is accepted or set aside; raise what is worth another attempt.

        `failures` says how often the server has failed on this very batch before.
        """
        if not batch.lines:
            return
        try:
            self._post(batch.run_id, batch.lines)
        except RequestRejected as refusal:
            if (gone := self._problem_with_run(batch.run_id)) is not None:
                self._set_aside(batch, batch.lines, gone)
            else:
                self._isolate(batch, refusal)
        except ServerFailed as failure:
            if failures < POISON_AFTER_FAILURES or len(batch.lines) == 1:
                raise
            self._isolate_poison(batch, failure)

    def _isolate(self, batch: Batch, refusal: RequestRejected) -> None:
        """The batch as a whole was refused; find out why, part by part."""
        if len(batch.lines) == 1:
            self._set_aside(batch, batch.lines, refusal)
            return
        waiting = list(reversed(_parts(list(batch.lines))))
        while waiting:
            lines = waiting.pop()
            try:
                self._post(batch.run_id, lines)
            except RequestRejected as error:
                if len(lines) == 1:
                    self._set_aside(batch, lines, error)
                else:
                    waiting.extend(reversed(_parts(lines)))

    def _isolate_poison(self, batch: Batch, failure: ServerFailed) -> None:
        """The server keeps failing on this batch: is it the batch?"""
        accepted = False
        suspects: list[tuple[bytes, TrackingError]] = []
        waiting: list[list[bytes]] = list(reversed(_parts(list(batch.lines))))
        while waiting:
            lines = waiting.pop()
            try:
                self._post(batch.run_id, lines)
                accepted = True
            except (ServerFailed, RequestRejected) as error:
                if len(lines) == 1:
                    suspects.append((lines[0], error))
                else:
                    waiting.extend(reversed(_parts(lines)))
            if not accepted and len(suspects) >= POISON_AFTER_FAILURES:
                raise failure  # nothing gets through: it is the server after all
        if not accepted:
            raise failure
        for line, error in suspects:
            self._set_aside(batch, [line], error)

    def _problem_with_run(self, run_id: str) -> RequestRejected | None:
        try:
            self._post(run_id, [])
        except RequestRejected as refusal:
            return refusal
        return None

    def _set_aside(self, batch: Batch, lines: Sequence[bytes], why: TrackingError) -> None:
        lines = list(lines)
        code = getattr(why, "code", None) or type(why).__name__
        self._dead_letters.add_records(lines, str(code), str(why))
        self._telemetry.count("rejected", len(lines))
        # An interrupted search starts again with what is left, so nothing is set aside twice.
        gone = set(lines)
        batch.lines[:] = [line for line in batch.lines if line not in gone]

    def _post(self, run_id: str, lines: list[bytes]) -> None:
        started = time.monotonic()
        outcome = "error"
        try:
            self._server.log_batch(body_of(run_id, lines), self._timeout_seconds)
            outcome = "ok"
        except RequestRejected:
            outcome = "rejected"
            raise
        finally:
            self._telemetry.observe(REQUEST, time.monotonic() - started, outcome)


def _parts(lines: list[bytes]) -> list[list[bytes]]:
    """Kinds apart if there are several, else two halves; order is kept within a kind."""
    kinds: dict[bytes, list[bytes]] = {}
    for line in lines:
        kinds.setdefault(line[:1], []).append(line)
    if len(kinds) > 1:
        return list(kinds.values())
    middle = len(lines) // 2
    return [lines[:middle], lines[middle:]]
