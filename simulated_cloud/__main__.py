"""`python -m simulated_cloud`."""

import sys

from simulated_cloud.command import main

if __name__ == "__main__":
    sys.exit(main())
