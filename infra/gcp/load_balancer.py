"""A public address for browsers, guarded by Identity-Aware Proxy.

Owns the global load balancer in front of the Cloud Run service: address, Google-managed
certificate, TLS policy, and who passes. People sign in with Google before a request reaches
MLflow; programs send an identity token for IAP's audience. The service itself takes requests of
this load balancer and of its own network, and IAP's agent is its invoker.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

IAP_ACCESSOR = "roles/iap.httpsResourceAccessor"


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBalancerWiring:
    """What is behind the address, and who passes."""

    base_name: str  # of the load balancer's parts at Google
    region: str
    domain: str
    service_name: pulumi.Input[str]
    members: tuple[str, ...]
    log_sample: float


class LoadBalancer(pulumi.ComponentResource):
    """HTTPS with a certificate and a sign-in, in front of Cloud Run."""

    address: pulumi.Output[str]

    def __init__(
        self, name: str, wiring: LoadBalancerWiring, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Make address, certificate, proxy and backend."""
        super().__init__("mlflow-platform:gcp:LoadBalancer", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        backend = self._backend(name, wiring)
        url_map = gcp.compute.URLMap(
            f"{name}-urls", name=wiring.base_name, default_service=backend.id, opts=self._child
        )
        certificate = gcp.compute.ManagedSslCertificate(
            f"{name}-certificate",
            name=wiring.base_name,
            managed=gcp.compute.ManagedSslCertificateManagedArgs(domains=[wiring.domain]),
            opts=self._child,
        )
        policy = gcp.compute.SSLPolicy(
            f"{name}-tls",
            name=wiring.base_name,
            profile="MODERN",
            min_tls_version="TLS_1_2",
            opts=self._child,
        )
        proxy = gcp.compute.TargetHttpsProxy(
            f"{name}-proxy",
            name=wiring.base_name,
            url_map=url_map.id,
            ssl_certificates=[certificate.id],
            ssl_policy=policy.id,
            opts=self._child,
        )
        address = gcp.compute.GlobalAddress(
            f"{name}-address", name=wiring.base_name, opts=self._child
        )
        gcp.compute.GlobalForwardingRule(
            f"{name}-https",
            name=wiring.base_name,
            target=proxy.id,
            ip_address=address.address,
            port_range="443",
            load_balancing_scheme="EXTERNAL_MANAGED",
            opts=self._child,
        )
        self.address = address.address
        self.register_outputs({"address": self.address})

    def _backend(self, name: str, wiring: LoadBalancerWiring) -> gcp.compute.BackendService:
        group = gcp.compute.RegionNetworkEndpointGroup(
            f"{name}-endpoints",
            name=wiring.base_name,
            region=wiring.region,
            network_endpoint_type="SERVERLESS",
            cloud_run=gcp.compute.RegionNetworkEndpointGroupCloudRunArgs(
                service=wiring.service_name
            ),
            opts=self._child,
        )
        backend = gcp.compute.BackendService(
            f"{name}-backend",
            name=wiring.base_name,
            protocol="HTTPS",
            load_balancing_scheme="EXTERNAL_MANAGED",
            backends=[gcp.compute.BackendServiceBackendArgs(group=group.id)],
            iap=gcp.compute.BackendServiceIapArgs(enabled=True),
            log_config=gcp.compute.BackendServiceLogConfigArgs(
                enable=True, sample_rate=wiring.log_sample
            ),
            opts=self._child,
        )
        for member in wiring.members:
            gcp.iap.WebBackendServiceIamMember(
                f"{name}-{member}",
                web_backend_service=backend.name,
                role=IAP_ACCESSOR,
                member=member,
                opts=self._child,
            )
        return backend
