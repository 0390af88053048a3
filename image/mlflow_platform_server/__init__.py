"""MLflow's tracking server as one process tree that every target starts instead of `mlflow server`.

Owns how MLflow's own application is started, shared between workers, kept alive and ended; what
the application answers is MLflow's alone. It imports nothing of the repository it lives in.
"""
