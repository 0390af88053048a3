"""The service's logs in Cloud Logging.

Owns the question: the service's lines of the last minutes, with the time that Google noted.
"""

from __future__ import annotations

import datetime
import json
from typing import Any

from operations.doctor.check import NotRun
from operations.doctor.gcp_account import asking_google
from operations.doctor.log_lines import Logs
from operations.doctor.patient import Patient

LINES = 1000


def cloud_logs(patient: Patient) -> Logs:
    """The service's lines by its name, oldest first.

    Raises:
        NotRun: Google does not show them.
    """
    name = patient.outputs.service_name
    if not name:
        raise NotRun("the stack exports no serviceName")
    now = datetime.datetime.fromtimestamp(patient.place.clock.epoch(), datetime.UTC)
    begin = now - datetime.timedelta(minutes=patient.options.log_minutes)
    with asking_google(patient) as google:
        answer: Any = google.post(
            "logging",
            "v2/entries:list",
            {
                "resourceNames": [f"projects/{patient.outputs.account}"],
                "filter": f'resource.labels.service_name="{name}" AND '
                f'timestamp>="{begin.isoformat()}"',
                "orderBy": "timestamp desc",
                "pageSize": LINES,
            },
        )
    lines = [_line(entry) for entry in reversed((answer or {}).get("entries") or [])]
    return Logs({name: "\n".join(lines)})


def _line(entry: dict[str, Any]) -> str:
    text = entry.get("textPayload")
    if text is None:
        text = json.dumps(entry.get("jsonPayload") or entry.get("protoPayload") or {})
    return f"{entry.get('timestamp')} {text}"
