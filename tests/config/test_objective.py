import pytest
from scripts import composed

from litlab.config import objective_mode
from litlab.errors import ConfigError


@pytest.mark.parametrize(
    ("overrides", "mode"),
    [
        (["objective=val/acc"], "max"),
        (["objective=val/loss"], "min"),
        (["objective=train/mae"], "min"),
        (["objective=val/loss_of_mine"], "max"),
        (["objective=val/loss", "objective_mode=max"], "max"),
    ],
)
def test_losses_and_errors_are_better_if_they_are_lower(overrides, mode):
    assert objective_mode(composed(*overrides)) == mode


def test_another_word_is_refused():
    with pytest.raises(ConfigError, match="^objective_mode=up: must be min, max or null$"):
        objective_mode(composed("objective_mode=up"))
