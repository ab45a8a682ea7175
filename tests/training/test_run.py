"""A run from the command to its folder: what it leaves, and what a wrong setting leaves."""

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


def test_the_same_seed_gives_the_same_metrics(train_here, quick_run):
    again = train_here(*QUICK, "trainer.max_epochs=2", "seed=1")
    assert again.result["metrics"] == quick_run.result["metrics"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=resnet99"], "model=resnet99: no such option;"),
        (["trainer=null"], "trainer=null: no such option; there is: auto, cpu"),
        (["model=mnist_cn"], "did you mean mnist_cnn? there is: alexnet"),
        (["modle=mlp"], "modle is unknown; the config: did you mean model?"),
        (["optimizer.lrr=1"], "optimizer.lrr is unknown; optimizer: did you mean lr? there is:"),
        (["trainer.max_epoch=1"], "did you mean max_epochs?"),
        (["optimizer.lr=-0.1"], "optimizer.lr=-0.1: must be greater than 0"),
        (["optimizer.lr=fast"], "optimizer.lr=fast: must be a number"),
        (["trainer.max_epochs=abc"], "trainer.max_epochs=abc: must be an integer or null"),
        (["trainer.max_epochs=0"], "trainer.max_epochs=0: must be at least 1"),
        (["data.batch_size=0"], "data.batch_size must be at least 1"),
        (["data.batch_size=many"], "data.batch_size=many: must be an integer"),
        (["data.val_size=4000"], "data.val_size"),
        (["data.augment=[flip]"], "data.augment"),
        (["data.data_dir=file/below", "data=mnist"], "data.data_dir"),
        (["hydra.run.dir=file/below"], "Not a directory: 'file/below'"),
        (["+optimizer.speed=2"], "optimizer.speed is unknown to torch.optim.Adam; there is:"),
        (["model.input_shape=[3,32,32]"], "model.input_shape=[3, 32, 32] contradicts data=mnist_sample"),
        (["model.num_classes=7"], "model.num_classes=7 contradicts data=mnist_sample"),
        (
            ["objective=val/accuracy"],
            "objective=val/accuracy is not logged; what is: train/loss, train/acc, val/loss, val/acc",
        ),
        (
            ["callbacks.early_stopping.enabled=true", "callbacks.early_stopping.monitor=val/accc"],
            "callbacks.early_stopping.monitor=val/accc is not logged; what is: train/loss, train/acc, val/loss",
        ),
        (["objective_mode=up"], "objective_mode=up: must be min, max or null"),
        (["trainer.devices=0"], "trainer.devices=0: must name at least one device"),
        (["logger.csv.save_dir=shared"], "logger.csv.save_dir=shared: must be null, the run folder"),
        (["trainer.precision=17"], "trainer.precision=17: must be one of"),
        (["seed=x"], "seed=x: must be an integer"),
        (["scheduler=cosine", "scheduler.warmup_epochs=9"], "scheduler.warmup_epochs must be at least 0 and less"),
        (["optimizer.lr=[1"], "optimizer.lr=[1"),
        (["optimizer.betas=[1,2]"], "optimizer=adam: Invalid beta parameter"),
    ],
)
def test_a_wrong_setting_is_one_line_and_leaves_no_folder(train_here, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    done = train_here(*QUICK, *arguments)
    assert done.status == 2, done.err
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


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
