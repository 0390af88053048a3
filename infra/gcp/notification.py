"""Who hears of trouble.

Owns one notification channel for each address in `alarmEmails`; channels that exist (a pager, a
chat) are named by `existingNotificationChannels` and left alone.
"""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from infra.settings import PlatformSettings


def notification_channels(
    name: str, settings: PlatformSettings, opts: pulumi.ResourceOptions
) -> list[pulumi.Input[str]]:
    """Channels that every alert policy notifies."""
    made = [
        gcp.monitoring.NotificationChannel(
            f"{name}-{address}",
            display_name=f"MLflow {settings.environment}: {address}",
            type="email",
            labels={"email_address": address},
            opts=opts,
        ).name
        for address in settings.cloud.alarms.emails
    ]
    return [*made, *settings.gcp.existing_notification_channels]
