"""`python -m benchmarks.server_comparison`."""

from __future__ import annotations

from benchmarks.server_comparison.cli import main

raise SystemExit(main())
