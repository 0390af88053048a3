"""`python -m simulated_cloud.kubernetes`."""

import sys

from simulated_cloud.kubernetes.command import main

if __name__ == "__main__":
    sys.exit(main())
