"""The Pulumi program: settings, platform, outputs."""

from infra import mlflow_platform, settings

platform_settings = settings.from_pulumi()
platform = mlflow_platform.deploy(platform_settings)
mlflow_platform.export(platform_settings, platform)
