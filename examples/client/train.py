"""A training job that is tracked or does not begin: a straight line, fitted by gradient descent.

Owns nothing but the example; it needs no machine-learning library. Against any MLflow server:

    MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python examples/client/train.py

Exit codes: 0 trained and tracked; 3 the preflight failed, nothing was trained.
"""

from __future__ import annotations

import logging
import random
import sys

import mlflow

from mlflow_platform_client import (
    PreflightFailed,
    TrackingLogger,
    mask_handlers,
    preflight,
    resolve_settings,
)

STEPS = 2_000
LEARNING_RATE = 0.05


def main() -> int:
    """Preflight, then training; the logger is closed before the run ends."""
    logging.basicConfig(level=logging.INFO)
    mask_handlers()
    try:
        settings = resolve_settings()
        run = preflight(settings, run_name="straight-line")
    except PreflightFailed as failure:
        print(failure, file=sys.stderr)
        return 3
    print(f"tracked as run {run.run_id} of {run.experiment_name!r}")
    with mlflow.start_run(run_id=run.run_id):
        with TrackingLogger(run, settings=settings.logging) as logger:
            logger.log_params({"steps": STEPS, "learning_rate": LEARNING_RATE})
            slope, offset = train(logger)
            logger.log_text(f"y = {slope:.3f} x + {offset:.3f}\n", "model.txt")
        print(f"y = {slope:.3f} x + {offset:.3f}")
    return 0


def train(logger: TrackingLogger) -> tuple[float, float]:
    """Fit y = 2 x + 1 from noisy points."""
    chance = random.Random(7)  # noqa: S311  # an example's noise
    slope = offset = 0.0
    for step in range(STEPS):
        x = chance.uniform(-1, 1)
        error = slope * x + offset - (2 * x + 1 + chance.gauss(0, 0.1))
        slope -= LEARNING_RATE * error * x
        offset -= LEARNING_RATE * error
        logger.log_metrics({"loss": error * error, "slope": slope, "offset": offset}, step=step)
    return slope, offset


if __name__ == "__main__":
    sys.exit(main())
