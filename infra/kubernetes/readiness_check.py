"""Does this pod's server answer a real query? Runs inside the server's container.

Owns the readiness probe where MLflow asks for a password: Kubernetes' own HTTP probe cannot take
one from a Secret, and would show it in the Deployment. The text of this file is the command.

A wrong password counts as an answer: MLflow looked the user up in the database to say so. The
administrator's password may have been changed in MLflow since, and no server is unfit for it.
"""

import base64
import http.client
import os
import sys


def main(port: str, path: str, seconds: str) -> int:
    """Exit 0 when the database was asked and the answer is there."""
    user = os.environ["MLFLOW_AUTH_ADMIN_USERNAME"]
    password = os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"]
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    connection = http.client.HTTPConnection("localhost", int(port), timeout=float(seconds))
    try:
        connection.request("GET", path, headers={"Authorization": f"Basic {credentials}"})
        status = connection.getresponse().status
    except OSError as error:
        sys.stderr.write(f"no answer on port {port}: {error}\n")
        return 1
    finally:
        connection.close()
    if status in (200, 401):
        return 0
    sys.stderr.write(f"{path} answered {status}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
