"""Why a training ended: in `result.json` and in the last line."""

import csv
import json
import re
import signal

import pytest
import torch
from faults.harness import PATHS
from pictures import draw_folder
from recorded_runs import WITHOUT_FAULT, record_run, stop_at, train_recorded
from scripts import asked

from litlab.checkpoint import read
from litlab.errors import ConfigError, RunFailed
from litlab.training.stopped import how_it_ended

STEPS = ["+trainer.max_steps=15", "scheduler=none"]
PATIENCE = ["callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=0.9", "trainer.max_epochs=9"]
PLAIN = ["callbacks.model_summary.enabled=false", "callbacks.diagnosis.enabled=false", "logger=none", "test=false"]


@pytest.mark.parametrize(
    ("settings", "word", "epochs", "last"),
    [
        ([], "max_epochs", 3, "completed after 3 epochs, "),
        (STEPS, "max_steps", 2, "completed after 1 epoch and a part of one, .*; stopped by max_steps .15.$"),
        (PATIENCE, "early_stopping", 2, "after 2 epochs, .*; stopped by early_stopping .val/acc, patience 1 valid"),
        (
            ["trainer.max_time=00:00:00:00", "scheduler=none", "trainer.max_epochs=9"],
            "max_time",
            0,
            "; stopped by max_time .00:00:00:00.$",
        ),
        (
            ["trainer.max_time={minutes: 0, seconds: 0}", "scheduler=none", "trainer.max_epochs=9"],
            "max_time",
            0,
            "; stopped by max_time .0 minutes, 0 seconds.$",
        ),
    ],
    ids=["max_epochs", "max_steps", "early_stopping", "max_time", "max_time as a mapping"],
)
def test_what_ended_a_training_is_one_word(tmp_path, capfd, settings, word, epochs, last):
    record_run(tmp_path / "run", *PLAIN, *settings)
    train_recorded(tmp_path / "run")
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert (result["status"], result["stopped_by"], result["epochs"]) == ("completed", word, epochs)
    line = next(line for line in capfd.readouterr().out.splitlines() if line.startswith("completed"))
    assert re.search(last, line)


def test_the_page_says_it_too_and_a_part_of_an_epoch_has_its_curve_of_steps(tmp_path):
    page = ["callbacks.report.enabled=true", "trainer.max_steps=5", "scheduler=none", "trainer.log_every_n_steps=50"]
    record_run(tmp_path / "run", *PLAIN[:2], "test=false", "logger=csv", *page)
    train_recorded(tmp_path / "run")
    text = (tmp_path / "run/report.html").read_text("utf-8")
    assert "completed after 5 steps of the first epoch" in text
    assert "stopped by max_steps (5)" in text
    rows = list(csv.DictReader((tmp_path / "run/metrics.csv").open()))
    assert [row["step"] for row in rows if row.get("train/loss_step")] == ["4"]


def test_an_epoch_that_was_cut_short_says_so(tmp_path, capfd):
    record_run(tmp_path / "run", *PLAIN, *STEPS)
    train_recorded(tmp_path / "run")
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("epoch")]
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3 (5 of 10 batches)"]


@pytest.mark.parametrize(
    "steps", [15, pytest.param(18, marks=pytest.mark.slow)], ids=["within a log period", "at its end"]
)
def test_a_resume_trains_the_rest_of_an_epoch_that_was_cut_short(tmp_path, capfd, steps):
    """As if nothing had stopped it: three times within an epoch, and then without an end in steps."""
    settings = [*PLAIN[:2], "test=false", "logger=csv", "scheduler=none", "trainer.max_epochs=4"]
    settings += ["trainer.log_every_n_steps=3", "model.dropout=0.1"]
    record_run(tmp_path / "run", *settings, f"+trainer.max_steps={steps}")
    for overrides, ended in (
        ([], "completed after 1 epoch and a part of one"),
        ([], "completed after 1 epoch and a part of one"),  # nothing to train
        (["trainer.max_steps=24"], "completed after 2 epochs and a part of one"),
        (["trainer.max_steps=37"], "completed after 3 epochs and a part of one"),
        (["trainer.max_steps=null"], "completed after 4 epochs"),
    ):
        train_recorded(tmp_path / "run", *overrides)
        said = capfd.readouterr()
        assert f"\n{ended}," in said.out
        assert "warning" not in said.err
    record_run(tmp_path / "whole", *settings)
    train_recorded(tmp_path / "whole")
    resumed, whole = (read(tmp_path / name / "checkpoints/last.ckpt")["state_dict"] for name in ("run", "whole"))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())
    rows, expected = (list(csv.DictReader((tmp_path / f"{name}/metrics.csv").open())) for name in ("run", "whole"))
    assert [row for row in rows if row["val/loss"]] == [row for row in expected if row["val/loss"]]
    assert json.loads((tmp_path / "run/result.json").read_text())["epochs"] == 4


def test_a_batch_size_cannot_change_where_an_epoch_was_cut_short(tmp_path):
    record_run(tmp_path / "run", *PLAIN, *STEPS)
    train_recorded(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"data.batch_size=.*can change at the end of an epoch only"):
        train_recorded(tmp_path / "run", "trainer.max_steps=null", "data.batch_size=2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (STEPS, "the run was stopped by max_steps (15); to go on, give another trainer.max_steps"),
        (["trainer.max_epochs=1"], "the run was stopped by max_epochs (1); to go on, give another trainer.max_epochs"),
        (PATIENCE, "early_stopping (val/acc, patience 1 validation); to go on, give another callbacks.early"),
    ],
)
def test_a_resume_that_has_nothing_to_train_says_so(tmp_path, capfd, settings, said):
    record_run(tmp_path / "run", *PLAIN, *settings)
    train_recorded(tmp_path / "run")
    assert "nothing to train" not in capfd.readouterr().out
    train_recorded(tmp_path / "run")
    assert said in capfd.readouterr().out


def test_a_signal_is_the_word_of_an_interrupted_run(tmp_path, capfd):
    record_run(tmp_path / "run", *PLAIN, stop_at(5))
    with pytest.raises(RunFailed):
        train_recorded(tmp_path / "run")
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert (result["status"], result["stopped_by"]) == ("interrupted", "SIGTERM")
    assert re.search(
        r"^interrupted after [56] steps of the first epoch, \d+ s, [1-9][\d,]* images/s$",
        capfd.readouterr().out,
        re.M,
    )


def test_an_interrupted_run_says_that_it_was_within_an_epoch(tmp_path, capfd):
    record_run(tmp_path / "run", *PLAIN, stop_at(15))
    with pytest.raises(RunFailed):
        train_recorded(tmp_path / "run")
    assert "interrupted after 1 epoch and a part of one, " in capfd.readouterr().out


def test_an_interrupted_run_names_its_best_epoch_and_has_the_metrics_of_it(tmp_path, capfd):
    """The signal comes late in the third epoch. The second one is the best so far."""
    record_run(tmp_path / "run", *PLAIN, stop_at(29))
    with pytest.raises(RunFailed):
        train_recorded(tmp_path / "run")
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["metrics"]["val/acc"] == result["objective"]["value"]
    assert {"train/loss", "val/loss"} <= set(result["metrics"])
    said = capfd.readouterr().out
    assert re.search("^epoch 2/3 .*best", said, re.M)
    assert f"best checkpoint: val/acc {result['objective']['value']:.4f}, in epoch 2 of 2" in said


def test_a_failed_run_has_no_word(tmp_path):
    record_run(tmp_path / "run", *PLAIN, "optimizer=sgd", "optimizer.lr=1e30")
    with pytest.raises(RunFailed):
        train_recorded(tmp_path / "run")
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert (result["status"], result["stopped_by"]) == ("failed", None)


@pytest.mark.parametrize(
    ("whole", "steps", "cut_short", "said"),
    [
        (0, 0, True, "before the end of the first step"),
        (0, 1, True, "after 1 step of the first epoch"),
        (1, 10, False, "after 1 epoch"),
        (2, 25, True, "after 2 epochs and a part of one"),
    ],
)
def test_how_far_a_run_came_is_said_in_steps_or_epochs(whole, steps, cut_short, said):
    result = {"status": "failed", "steps": steps, "stopped_by": None, "images_per_second": 5.0, "seconds": 2.0}
    assert how_it_ended(asked(), result, whole, cut_short)[0] == f"failed {said}"


def test_an_interrupted_run_that_is_resumed_with_fewer_epochs_has_all_that_it_had(tmp_path, capfd):
    record_run(tmp_path / "run", *PLAIN, stop_at(15))
    with pytest.raises(RunFailed):
        train_recorded(tmp_path / "run")
    capfd.readouterr()
    train_recorded(tmp_path / "run", "trainer.max_epochs=1", WITHOUT_FAULT)
    out = capfd.readouterr().out
    assert "nothing to train: the run was stopped by max_epochs (1); to go on, give another trainer.max_epochs" in out
    assert "completed after 1 epoch and a part of one, " in out


def test_a_run_ends_that_leaves_workers_in_the_middle_of_a_pass(tmp_path, train):
    pictures = draw_folder(tmp_path / "pictures", 20)
    done = train(
        *("data=image_folder", f"data.data_dir={pictures}", "data.image_size=16", "data.batch_size=2", "model=mlp"),
        *("data.num_workers=1", "data.persistent_workers=false", "data.cache=none", "engine=blocks", "trainer=cpu"),
        *(*PLAIN, "callbacks.report.enabled=false", "trainer.log_every_n_steps=3", stop_at(9)),
        **PATHS,
    )
    assert done.status == 128 + signal.SIGTERM, done.err
    assert done.result["status"] == "interrupted"
