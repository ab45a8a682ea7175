"""`python train.py`, from the outside: what a run leaves behind, and what a mistake says."""

import csv
import os
import re
import signal
import time

import pytest
import torch
from scripts import QUICK, finish, start
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from litlab.report import files


def test_result_says_what_happened(quick_run):
    result = quick_run.result
    assert result["status"] == "completed"
    assert result["epochs"] == 2
    assert result["best_checkpoint"] == "checkpoints/best.ckpt"
    assert result["last_checkpoint"] == "checkpoints/last.ckpt"
    assert result["dataset"] == {"name": "mnist_sample", "train": 3500, "val": 500, "test": 1000}
    assert result["overrides"] == [*QUICK, "callbacks.report.enabled=true", "trainer.max_epochs=2", "seed=1"]
    assert result["versions"]["torch"] == torch.__version__
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0
    names = {f"{split}/{metric}" for split in ("train", "val", "test") for metric in ("loss", "acc")}
    assert set(result["metrics"]) == names
    assert 0.5 < result["metrics"]["test/acc"] < 1


def test_run_folder_holds_what_the_contract_says(quick_run):
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
def test_a_step_has_one_point(train_here, accumulate):
    """Where logging intervals do not divide the epoch, and where batches are gathered for a step."""
    options = ("model=mlp", "trainer.max_epochs=2", "trainer.log_every_n_steps=2", "data.train_limit=832")
    done = train_here(*QUICK, *options, f"trainer.accumulate_grad_batches={accumulate}")
    assert done.status == 0, done.err
    events = EventAccumulator(str(done.runs[0]), size_guidance={"scalars": 0})
    events.Reload()
    steps = [event.step for event in events.Scalars("train/loss_step")]
    assert steps == {1: [*range(1, 13, 2), 12, *range(13, 26, 2)], 4: [1, 3, 5, 7]}[accumulate]


def test_output_is_plain_and_silent_about_what_nobody_can_act_on(quick_run):
    assert "\x1b" not in quick_run.out + quick_run.err
    assert quick_run.err == ""
    assert "epoch 2/2" in quick_run.out
    assert "test/acc" in quick_run.out
    assert "tensorboard --logdir runs/mnist_sample_mnist_cnn/" in quick_run.out
    assert "epoch 2/2" in (quick_run.runs[0] / "train.log").read_text()


def test_same_seed_same_numbers(train_here, quick_run):
    again = train_here(*QUICK, "trainer.max_epochs=2", "seed=1")
    assert again.result["metrics"] == quick_run.result["metrics"]


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(train_here, tmp_path):
    done = train_here(*QUICK, "optimizer=sgd", "optimizer.lr=1e20")
    assert done.status == 1, done.err
    assert done.err.count("\n") == 1
    assert "the loss became" in done.err
    assert "at step 1:" in done.err
    assert "optimizer.lr" in done.err
    result = done.result
    assert result["status"] == "failed"
    assert result["best_checkpoint"] is None  # it diverged before the first epoch ended
    assert result["diagnosis"][0].startswith("diverged: the loss was NaN or infinite at step 1; try optimizer.lr=")
    row = EventAccumulator(str(done.runs[0])).Reload().summary_metadata
    ended = HParamsPluginData.FromString(row["_hparams_/session_end_info"].plugin_data.content)
    assert ended.session_end_info.status == STATUS_FAILURE
    columns = HParamsPluginData.FromString(row["_hparams_/experiment"].plugin_data.content).experiment.metric_infos
    results = {f"result/{split}/{name}" for split in ("train", "val") for name in ("loss", "acc")}
    assert {info.name.tag for info in columns} == {*results, "test/loss", "test/acc"}


def test_a_new_run_in_the_folder_of_another_has_nothing_of_it(train_here):
    options = (*QUICK, "model=mlp", "data.train_limit=320", "hydra.run.dir=runs/one")
    assert train_here(*options).status == 0
    done = train_here(*options, "optimizer=sgd", "optimizer.lr=1e30", "on_nan=rewind")
    assert done.status == 1, done.err
    assert "back to the beginning" in done.err
    assert "last good checkpoint" not in done.err
    assert (done.result["status"], done.result["best_checkpoint"]) == ("failed", None)
    assert not list(done.runs[0].glob("checkpoints/*"))


def test_a_fast_dev_run_leaves_a_result(train_here):
    done = train_here(*QUICK, "model=mlp", "+trainer.fast_dev_run=true")
    assert (done.status, done.err, done.result["steps"]) == (0, "", 1)


def test_ctrl_c_saves_and_says_interrupted(tmp_path):
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


@pytest.mark.usefixtures("ctrl_c")
def test_who_stops_the_drawing_of_the_page_keeps_the_result(train_here, monkeypatch):
    monkeypatch.setattr(files, "write_page", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    quick = (*QUICK, "model=mlp", "data.train_limit=320", "callbacks.report.enabled=true")
    done = train_here(*quick)
    assert (done.status, done.err) == (130, "interrupted\n")
    assert (done.result["status"], done.result["report"]) == ("completed", None)
    assert "test/acc" in done.result["metrics"]
    assert "run folder " in done.out


def test_a_summary_prints_the_layers_and_leaves_nothing(train_here, tmp_path):
    done = train_here(*QUICK, "model=lenet5", "summary=true")
    assert done.status == 0, done.err
    assert re.search(r"features\.3 +Conv2d +6 x 14 x 14 +16 x 10 x 10 +2,416", done.out)
    assert re.search(r"LeNet5 +61,706", done.out)
    assert list(tmp_path.iterdir()) == []


def test_top5_balance_and_weights_from_a_file(train_here, tmp_path):
    from litlab.networks import ResNet18

    network = ResNet18((1, 28, 28), 7, head="append")
    torch.save(network.state_dict(), tmp_path / "seven.pth")
    arguments = ["data.train_limit=8", "data.batch_size=4", "data.val_size=10", "trainer.limit_test_batches=1"]
    model = ["model=resnet18", "model.freeze=backbone", "model.head=append"]
    settings = [*QUICK, *model, "data.eval_batch_size=10", "top5=true", "data.balanced=true", *arguments]
    refused = train_here(*settings, "model.weights=seven.pth")
    assert refused.status == 2
    assert "model.weights=seven.pth: weights do not fit ResNet18: 2 of another size: fc.appended.weight" in refused.err
    done = train_here(*settings, "model.weights=seven.pth", "model.weights_skip_head=true")
    assert done.status == 0, done.err
    assert {"val/acc", "val/acc_top5", "test/acc_top5"} <= set(done.result["metrics"])
    checkpoint = torch.load(done.runs[0] / "checkpoints/last.ckpt", weights_only=True)
    assert torch.equal(checkpoint["state_dict"]["network.bn1.weight"], network.state_dict()["bn1.weight"])
    assert not {"weights", "weights_skip_head", "pretrained"} & set(checkpoint["litlab"]["network"]["args"])
