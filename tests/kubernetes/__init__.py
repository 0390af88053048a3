"""The platform on a real Kubernetes control plane."""
