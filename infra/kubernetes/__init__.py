"""MLflow in a Kubernetes cluster: every object of namespace `mlflow`, wherever the cluster is."""
