"""A run from the command to its folder."""

import csv
import signal
import time

import pytest
import torch
from scripts import QUICK, finish, start
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def test_a_run_leaves_these_files(quick_run):
    run = quick_run.runs[0]
    assert run.parent == quick_run.folder / "runs" / "mnist_sample_mnist_cnn"
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    events = {name for name in files if name.startswith("events.out.tfevents.")}
    assert len(events) == 1
    assert files - events == {
        "result.json",
        "metrics.csv",
        "report.html",
        "report.png",
        "train.log",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "projector_config.pbtxt",
        "projector/vectors.tsv",
        "projector/labels.tsv",
        "projector/thumbnails.png",
    }


def test_curves_are_the_same_in_tensorboard_and_csv(quick_run):
    run = quick_run.runs[0]
    events = EventAccumulator(str(run))
    events.Reload()
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("train/loss", "train/acc", "val/loss", "val/acc"):
        curve = [(e.step, pytest.approx(e.value)) for e in events.Scalars(name)]
        assert [(int(r["step"]), float(r[name])) for r in rows if r[name]] == curve
        assert [step for step, _ in curve] == [55, 110]  # 3,500 images in batches of 64, two epochs
    assert 0 < events.Scalars("lr-Adam")[-1].value < events.Scalars("lr-Adam")[0].value < 1e-3
    assert float(rows[-1]["test/acc"]) == quick_run.result["metrics"]["test/acc"]


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_logged_step_has_one_point_in_tensorboard(train_here, accumulate):
    """Also if logging intervals do not divide the epoch, and if a step accumulates the gradients of several batches."""
    options = ("model=mlp", "trainer.max_epochs=2", "trainer.log_every_n_steps=2", "data.train_limit=832")
    done = train_here(*QUICK, *options, f"trainer.accumulate_grad_batches={accumulate}")
    assert done.status == 0, done.err
    events = EventAccumulator(str(done.runs[0]), size_guidance={"scalars": 0})
    events.Reload()
    steps = [event.step for event in events.Scalars("train/loss_step")]
    assert steps == {1: [*range(1, 13, 2), 12, *range(13, 26, 2)], 4: [1, 3, 5, 7]}[accumulate]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_metrics(train_here, quick_run):
    again = train_here(*QUICK, "trainer.max_epochs=2", "seed=1")
    assert again.result["metrics"] == quick_run.result["metrics"]


def test_ctrl_c_saves_the_current_step_and_ends_the_run(tmp_path):
    process = start("train.py", *QUICK, "trainer.max_epochs=1000", folder=tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/*/checkpoints/last.ckpt")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    done = finish(process, tmp_path, timeout=60)
    assert done.status == 130, done.err
    assert done.err == "interrupted: stopped by SIGINT\n"
    assert done.result["status"] == "interrupted"
    checkpoint = torch.load(done.runs[0] / "checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == done.result["steps"]
