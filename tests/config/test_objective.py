import pytest
from scripts import composed

from litlab import config
from litlab.config import directions, numeric, objective_mode
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


def test_several_objectives_are_refused():
    said = r"^objective=\[val/acc, seconds\]: there can be one only; sweep.csv has"
    for refuse in (objective_mode, config.check):
        with pytest.raises(ConfigError, match=said):
            refuse(composed("objective=[val/acc,seconds]"))


def test_another_word_is_refused():
    with pytest.raises(ConfigError, match="^objective_mode=up: must be min, max or null$"):
        objective_mode(composed("objective_mode=up"))


STOPPING = "callbacks.early_stopping.mode"


@pytest.mark.parametrize(
    ("overrides", "key", "mode"),
    [
        (["callbacks.early_stopping.monitor=val/loss"], STOPPING, "min"),
        (["objective=val/loss", "callbacks.early_stopping.monitor=val/acc"], STOPPING, "max"),
        (["objective=val/loss"], STOPPING, "min"),
        (["objective=val/acc", "objective_mode=min"], STOPPING, "min"),
        (["callbacks.early_stopping.monitor=val/loss", "callbacks.early_stopping.mode=max"], STOPPING, "max"),
        (["scheduler=plateau"], "scheduler.mode", "min"),
        (["scheduler=plateau", "scheduler.monitor=val/acc"], "scheduler.mode", "max"),
        (["scheduler=plateau", "scheduler.monitor=val/acc", "scheduler.mode=min"], "scheduler.mode", "min"),
        (["scheduler=plateau", "objective=val/loss", "scheduler.monitor=val/acc"], "scheduler.mode", "max"),
    ],
)
def test_each_monitored_metric_has_its_own_direction(overrides, key, mode):
    assert directions(composed(*overrides))[key] == mode
    if key == STOPPING:
        overrides = [*overrides, "callbacks.early_stopping.enabled=true"]
    assert numeric(composed(*overrides))[key] == mode


def test_a_config_without_a_monitor_has_the_direction_of_its_objective_only():
    assert directions(composed("~callbacks.early_stopping")) == {"objective_mode": "max"}
