"""One shape for what reinforcement-learning components report."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_platform_client.rl_data import normalize_rl_data

DEFAULTS = {
    "policy_info": {"method": "epsilon_greedy", "epsilon": 0.1},
    "exploration_data": {"exploration_rate": 0.1, "strategy": "adaptive"},
    "value_estimation": 0.0,
    "reward_signal": 0.0,
    "rl_metrics": {"episode": 0, "total_reward": 0.0},
    "rl_state": {"initialized": False},
    "learning_feedback": {"gradient_norm": 0.0, "loss": 0.0},
}


class TestTheShapeIsAlwaysThere:
    """Every group, whatever was given."""

    @pytest.mark.parametrize("nothing", [None, "text", 7, [], {}])
    def test_defaults(self, nothing: object) -> None:
        assert normalize_rl_data(nothing) == DEFAULTS

    @given(
        st.dictionaries(
            st.one_of(st.sampled_from(list(DEFAULTS)), st.text()),
            st.one_of(st.none(), st.text(), st.floats(), st.dictionaries(st.text(), st.integers())),
        )
    )
    def test_any_input(self, given_data: dict[str, object]) -> None:
        found = normalize_rl_data(given_data)
        assert set(DEFAULTS) <= set(found)
        for key, default in DEFAULTS.items():
            assert isinstance(found[key], type(default))
            if isinstance(default, dict):
                assert set(default) <= set(found[key])


class TestWhatIsGivenWins:
    """Group by group; nothing given is changed or shared."""

    def test_groups_are_filled(self) -> None:
        found = normalize_rl_data(
            {
                "reward_signal": "0.5",
                "rl_metrics": {"episode": 7, "total_reward": None, "extra": 1},
                "policy_info": "not a group",
                "mine": [1],
            }
        )
        assert found["reward_signal"] == 0.5
        assert found["rl_metrics"] == {"episode": 7, "total_reward": 0.0, "extra": 1}
        assert found["policy_info"] == DEFAULTS["policy_info"]
        assert found["mine"] == [1]

    def test_not_a_number_is_a_finding(self) -> None:
        assert math.isnan(normalize_rl_data({"reward_signal": math.nan})["reward_signal"])

    def test_nothing_is_shared(self) -> None:
        given_data = {"rl_state": {"inner": [1]}}
        first = normalize_rl_data(given_data)
        first["rl_state"]["inner"].append(2)
        first["policy_info"]["epsilon"] = 9
        assert given_data == {"rl_state": {"inner": [1]}}
        assert normalize_rl_data({}) == DEFAULTS
