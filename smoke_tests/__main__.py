"""`python -m smoke_tests`: see `smoke_tests.command_line`."""

import sys

from smoke_tests.command_line import main

if __name__ == "__main__":
    sys.exit(main())
