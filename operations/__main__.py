"""`python -m operations`: see `operations.command_line`.

Owns that a command which is told to end (a job's deadline, a pod that is taken away) ends as with
Ctrl-C: it takes away what it began, and leaves no process of its own behind.
"""

import signal
import sys
from types import FrameType

from operations.command_line import main


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
