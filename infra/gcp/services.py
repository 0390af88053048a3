"""The APIs of the project that the platform needs.

Owns switching them on; destroying a stack leaves them on, because other things in the project may
use them.
"""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

SERVICES = (
    "artifactregistry.googleapis.com",
    "cloudkms.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "iap.googleapis.com",
    "monitoring.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
    "storage.googleapis.com",
)


def enable_services(name: str, project: str, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Each of them, switched on."""
    return [
        gcp.projects.Service(
            f"{name}-{service.partition('.')[0]}",
            project=project,
            service=service,
            disable_on_destroy=False,
            opts=opts,
        )
        for service in SERVICES
    ]
