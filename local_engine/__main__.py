"""`python -m local_engine`."""

import sys

from local_engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
