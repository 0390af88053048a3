"""`python -m mlflow_platform_server`."""

from __future__ import annotations

import sys

from mlflow_platform_server.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
