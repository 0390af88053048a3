"""The platform on one machine: PostgreSQL, an artifact folder and the MLflow server, supervised."""
