"""`python -m mlflow_platform_client`."""

import sys

from mlflow_platform_client.command_line import main

sys.exit(main())
