"""Numbers of training steps beside the loss."""

import csv

import pytest


def test_gradient_norm_and_rate_stand_at_the_step_of_the_loss(quick_run, seen):
    logged = [event.step for event in seen.Scalars("train/gradient_norm")]
    assert logged == [event.step for event in seen.Scalars("lr-Adam")] == [49, 99]
    assert set(logged) <= {event.step for event in seen.Scalars("train/loss_step")}
    assert all(event.value > 0 for event in seen.Scalars("train/gradient_norm"))
    assert 10 < seen.Scalars("speed/images_per_second")[0].value < 1e6
    assert 0.1 < seen.Scalars("memory/cpu")[0].value <= seen.Scalars("memory/cpu_peak")[0].value < 20
    with (quick_run.runs[0] / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    row = next(row for row in rows if row["step"] == "49")
    assert row["train/loss_step"]
    assert float(row["train/gradient_norm"]) == pytest.approx(seen.Scalars("train/gradient_norm")[0].value)
    assert not [name for name in rows[0] if name.startswith(("speed/", "memory/"))]
