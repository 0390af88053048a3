"""What watches the platform on Google Cloud: alert policies, who hears of them, a dashboard.

Owns which parts are watched together. What each policy watches, and where it is drawn and mailed,
stands in the files it joins.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.gcp.alerts import Alerts, AlertsWiring
from infra.gcp.dashboard import dashboard
from infra.gcp.notification import notification_channels
from infra.settings import PlatformSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchWiring:
    """What is watched."""

    project: str
    service_name: str
    service_host: str
    instance: str
    labels: dict[str, str]
    services: list[pulumi.Resource]  # Google's APIs, where they are enabled here


class Watch(pulumi.ComponentResource):
    """Alert policies with their channels, and the dashboard that draws what they watch."""

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        wiring: WatchWiring,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare them."""
        super().__init__("mlflow-platform:gcp:Watch", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=wiring.services)
        Alerts(
            f"{name}-alerts",
            settings,
            AlertsWiring(
                project=wiring.project,
                service_name=wiring.service_name,
                service_host=wiring.service_host,
                instance=wiring.instance,
                channels=notification_channels(f"{name}-mail", settings, child),
                labels=wiring.labels,
            ),
            child,
        )
        dashboard(
            f"{name}-dashboard",
            settings,
            service=wiring.service_name,
            instance=wiring.instance,
            opts=child,
        )
        self.register_outputs({})
