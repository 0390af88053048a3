"""Which checks a platform gets: the table.

Owns the choice by target and the order, from the ground upwards: machine or cloud, database,
cluster, server, logs. A cloud's checks are imported for that cloud's stacks alone.
"""

from __future__ import annotations

from operations.doctor import (
    certificates,
    database_access,
    database_activity,
    database_schema,
    log_patterns,
    machine,
    server,
    server_artifacts,
)
from operations.doctor.check import Check
from operations.place import Place


def checks_of(place: Place) -> tuple[Check, ...]:
    """Every check that has a meaning for this platform."""
    ours = (*_name(place), *server.CHECKS, *server_artifacts.CHECKS, certificates.SERVER)
    if place.outputs is None:
        return ours
    stores: tuple[Check, ...] = ()
    if not place.outputs.backend_store.startswith("sqlite:"):
        stores = (
            *database_access.CHECKS,
            *database_schema.CHECKS,
            *database_activity.CHECKS,
            certificates.DATABASE,
        )
    return (*_ground(place.outputs.target), *stores, *ours, *log_patterns.CHECKS)


def _name(place: Place) -> tuple[Check, ...]:
    return (server.NAME,) if server.is_named(place.target.uri) else ()


def _ground(target: str) -> tuple[Check, ...]:
    if target == "local":
        return machine.CHECKS
    if target == "aws":
        from operations.doctor import (
            aws_account,
            aws_database,
            aws_store,
            aws_way,
            kubernetes_access,
            kubernetes_network,
            kubernetes_pods,
            kubernetes_work,
        )

        return (
            *aws_account.CHECKS,
            *aws_store.CHECKS,
            *aws_database.CHECKS,
            *aws_way.CHECKS,
            *kubernetes_access.CHECKS,
            *kubernetes_work.CHECKS,
            *kubernetes_pods.CHECKS,
            *kubernetes_network.CHECKS,
        )
    if target == "gcp":
        from operations.doctor import gcp_account, gcp_database, gcp_service

        return (*gcp_account.CHECKS, *gcp_database.CHECKS, *gcp_service.CHECKS)
    return ()
