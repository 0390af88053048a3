"""All rules there are, subject by subject, in the order in which findings are told."""

from __future__ import annotations

from policies import (
    artifact_expiry,
    backups,
    deletion_protection,
    encryption,
    ownership,
    pod_exposure,
    public_exposure,
    tls,
    warm_servers,
)
from policies.rule import Rule

RULES: tuple[Rule, ...] = (
    *encryption.RULES,
    *public_exposure.RULES,
    *pod_exposure.RULES,
    *tls.RULES,
    *backups.RULES,
    *deletion_protection.RULES,
    *artifact_expiry.RULES,
    *ownership.RULES,
    *warm_servers.RULES,
)
