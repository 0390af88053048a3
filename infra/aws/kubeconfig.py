"""The kubeconfig of an EKS cluster, as a plain function.

Owns the text that the Kubernetes provider, an operator and a command share. It holds no credential:
whoever uses it signs in as themselves through `aws eks get-token`.
"""

from __future__ import annotations

import json


def kubeconfig(*, cluster: str, endpoint: str, certificate_authority: str, region: str) -> str:
    """A kubeconfig as JSON, which is YAML too.

    Args:
        cluster: its name in EKS.
        endpoint: its API's address.
        certificate_authority: as EKS gives it, in base64.
        region: where it is.
    """
    login = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "aws",
        "args": ["--region", region, "eks", "get-token", "--cluster-name", cluster],
        # A deployment waits for nobody at a keyboard.
        "interactiveMode": "Never",
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": cluster,
                    "cluster": {
                        "server": endpoint,
                        "certificate-authority-data": certificate_authority,
                    },
                }
            ],
            "users": [{"name": cluster, "user": {"exec": login}}],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
            "current-context": cluster,
        }
    )
