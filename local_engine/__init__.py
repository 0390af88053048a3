"""Runs the Pulumi program where no Pulumi CLI is installed.

`python -m local_engine` takes the verbs and flags of `pulumi`, keeps state in the format of its
file backend, and deploys to this machine and to simulated clouds only. docs/local-engine.md lists
what it answers and what it refuses.
"""

__version__ = "0.1.0"
