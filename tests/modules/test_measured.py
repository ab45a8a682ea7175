import csv

import pytest
from recorded_runs import record_run, train_recorded

QUIET = ["logger=csv", "test=false", "callbacks.diagnosis.enabled=false", "callbacks.model_summary.enabled=false"]


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        (["trainer.log_every_n_steps=50"], [9, 19, 29]),  # an epoch has 10 steps
        (["trainer.log_every_n_steps=50", "trainer.accumulate_grad_batches=3"], [3, 7, 11]),
        (["trainer.log_every_n_steps=4"], [3, 7, 11, 15, 19, 23, 27]),
        (["trainer.log_every_n_steps=50", "data.train_limit=64"], []),  # one step: the curves of epochs are enough
    ],
)
def test_curves_of_steps_have_a_point_for_each_epoch(tmp_path, settings, steps):
    record_run(tmp_path / "run", *QUIET, *settings)
    train_recorded(tmp_path / "run")
    with (tmp_path / "run/metrics.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file) if row.get("lr-Adam")] == steps
