"""Delivers a lane of texts to the artifact store, one at a time.

Owns which of the store's failures end a text: a refusal by the tracking server at once, anything
the artifact store says only after several attempts, because stores name passing trouble and lasting
refusal in the same words. Such a text goes to the dead letters and the next one is sent: one text
that no store takes must not hold up the others. When and how often to try is `delivery`'s business,
where a run's artifacts lie is MLflow's.
"""

from __future__ import annotations

import json

from mlflow_platform_client.circuit_breaker import Breaker
from mlflow_platform_client.dead_letters import DeadLetters
from mlflow_platform_client.delivery import Delivery, Urgency
from mlflow_platform_client.errors import ArtifactStoreFailed, RequestRejected
from mlflow_platform_client.spool_lane import Lane
from mlflow_platform_client.telemetry import ARTIFACT, Telemetry
from mlflow_platform_client.tracking_server import TrackingServer

MOST_TEXT_ATTEMPTS = 5


class TextDelivery(Delivery):
    """Texts for the artifact store, one at a time."""

    def __init__(
        self,
        lane: Lane,
        breaker: Breaker,
        urgency: Urgency,
        telemetry: Telemetry,
        server: TrackingServer,
        dead_letters: DeadLetters,
    ) -> None:
        """Uploads go through the server, or straight to the store, as MLflow decides."""
        super().__init__(lane, breaker, urgency, telemetry)
        self._server = server
        self._dead_letters = dead_letters

    def deliver_one(self) -> None:
        """One text."""
        start = self.lane.cursor
        line = self.lane.read()
        if line is None:
            self._acknowledge(0)
            return
        try:
            self._insist(lambda failures: self._upload(line, failures))
        except BaseException:
            self.lane.seek(start)
            raise
        self._acknowledge(1)

    def _upload(self, line: bytes, failures: int) -> None:
        _, run_id, content = line.decode().split("\t", 2)
        item = json.loads(content)
        try:
            with self._telemetry.timed(ARTIFACT):
                self._server.log_text(run_id, item["text"], item["path"])
        except (RequestRejected, ArtifactStoreFailed) as refusal:
            # An artifact store says everything in its own words; some of it passes.
            if isinstance(refusal, ArtifactStoreFailed) and failures < MOST_TEXT_ATTEMPTS:
                raise
            self._dead_letters.add_records([line], type(refusal).__name__, str(refusal))
            self._telemetry.count("rejected")
