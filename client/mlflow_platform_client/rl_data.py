"""One shape for what reinforcement-learning components report, whatever they left out.

Owns the defaults (those of the pooling fix, September 2025) and the rule: what is given wins,
group by group; what is missing or of the wrong kind gets its default; unknown entries are kept.
Nothing given is changed, and no two results share a mutable part.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, cast

_DEFAULTS: Mapping[str, Any] = {
    "policy_info": {"method": "epsilon_greedy", "epsilon": 0.1},
    "exploration_data": {"exploration_rate": 0.1, "strategy": "adaptive"},
    "value_estimation": 0.0,
    "reward_signal": 0.0,
    "rl_metrics": {"episode": 0, "total_reward": 0.0},
    "rl_state": {"initialized": False},
    "learning_feedback": {"gradient_norm": 0.0, "loss": 0.0},
}


def normalize_rl_data(rl_data: object) -> dict[str, Any]:
    """Every group of the defaults, filled with what `rl_data` has to say."""
    normal = copy.deepcopy(dict(_DEFAULTS))
    if not isinstance(rl_data, Mapping):
        return normal
    for key, value in cast("Mapping[object, object]", rl_data).items():
        name = str(key)
        default: object = normal.get(name)
        if isinstance(default, dict):
            if isinstance(value, Mapping):
                given = cast("Mapping[str, Any]", value)
                cast("dict[str, Any]", default).update(
                    {k: copy.deepcopy(v) for k, v in given.items() if v is not None}
                )
        elif isinstance(default, float):
            normal[name] = _number(value, default)
        else:
            normal[name] = copy.deepcopy(value)
    return normal


def _number(value: object, default: float) -> float:
    """NaN is kept: a reward that is not a number is a finding, not a gap."""
    try:
        number = float(cast("Any", value))
    except (TypeError, ValueError):
        return default
    return number if math.isfinite(number) or isinstance(value, float) else default
