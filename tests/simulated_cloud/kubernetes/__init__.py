"""The kubernetes provider and the control plane behind it."""
