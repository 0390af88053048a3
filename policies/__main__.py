"""What Pulumi runs for `--policy-pack policies`: the rules, handed over."""

import sys
from pathlib import Path

# Pulumi runs this file from its own folder; the package is that folder's name in the one above.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from policies.pack import make_pack  # noqa: E402

make_pack()
