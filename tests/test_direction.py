import pytest

from litlab.direction import better


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("val/loss", "min"),
        ("train/mse", "min"),
        ("mae", "min"),
        ("val/acc", "max"),
        ("val/r2", "max"),
        ("lossy", "max"),
    ],
)
def test_losses_and_errors_are_better_when_they_are_lower(metric, direction):
    assert better(metric) == direction
