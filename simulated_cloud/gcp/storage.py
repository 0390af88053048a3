"""Cloud Storage: buckets.

Owns what Cloud Storage refuses: names that are none, a lifecycle rule without a condition, soft
delete out of range, and the deletion of a bucket with objects in it. Objects themselves are not
kept here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from simulated_cloud.errors import InputProblem
from simulated_cloud.gcp.cloud import GcpCloud
from simulated_cloud.gcp.gcp_type import GcpType, at
from simulated_cloud.gcp.kms import CRYPTO_KEY
from simulated_cloud.property_values import Properties
from simulated_cloud.resource_type import Call

BUCKET = "gcp:storage/bucket:Bucket"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
SOFT_DELETE_SECONDS = (7 * 86_400, 90 * 86_400)


class Bucket(GcpType):
    """storage.Bucket."""

    token = BUCKET
    title = "Bucket"
    identity = "{name}"
    name_property = "name"
    name_length = 63
    replace_on = frozenset({"name", "location", "project"})
    refers_to = {"encryption.defaultKmsKeyName": CRYPTO_KEY}  # noqa: RUF012
    defaults = {"storageClass": "STANDARD", "forceDestroy": False}  # noqa: RUF012

    def check(self, call: Call[GcpCloud], inputs: Properties) -> Iterable[InputProblem]:
        """Yield what no bucket can be."""
        name = inputs.get("name")
        if name is not None and (not _NAME.fullmatch(str(name)) or "google" in str(name)):
            yield InputProblem("name", f"Invalid bucket name: '{name}'")
        seconds = at(inputs, "softDeletePolicy.retentionDurationSeconds")
        least, most = SOFT_DELETE_SECONDS
        if seconds not in (None, 0) and not least <= seconds <= most:
            yield InputProblem(
                "softDeletePolicy.retentionDurationSeconds",
                f"must be 0 or between {least} and {most}, got {seconds}",
            )
        for rule in inputs.get("lifecycleRules") or []:
            if not rule.get("condition"):
                yield InputProblem("lifecycleRules", "A lifecycle rule needs a condition")

    def refuse(self, cloud: GcpCloud, values: Properties) -> Iterator[str]:
        """Yield access rights that contradict each other."""
        prevention = values.get("publicAccessPrevention")
        if prevention not in (None, "enforced", "inherited"):
            yield f"Invalid value for publicAccessPrevention: {prevention}"

    def computed(self, cloud: GcpCloud, identity: str, values: Properties) -> Properties:
        """Add the addresses."""
        return {
            "url": f"gs://{identity}",
            "selfLink": f"https://www.googleapis.com/storage/v1/b/{identity}",
            "projectNumber": 0,
        }


TYPES = (Bucket,)
