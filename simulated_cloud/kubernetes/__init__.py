"""Kubernetes on this machine: a real control plane, and the provider that deploys to it.

`python -m simulated_cloud.kubernetes up` starts an API server, controllers and a scheduler of the
release that `RELEASE` names; nodes and pods are simulated by kwok. docs/kubernetes.md says what is
real about it.
"""

RELEASE = "1.36.3"
"""Of Kubernetes: the control plane built here, and the schemas in `schemas/`."""
