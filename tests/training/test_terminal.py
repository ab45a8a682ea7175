"""What a training prints."""

import re
import shlex
from pathlib import Path

import pytest
from scripts import QUICK, REPOSITORY, asked

from litlab import data
from litlab.config import SweepJob
from litlab.training.terminal import beside_each_other, data_in_words, of_switched_off


def test_the_output_has_no_control_codes_and_no_warnings(quick_run):
    assert "\x1b" not in quick_run.out + quick_run.err
    assert quick_run.err == ""
    assert "mnist_sample: 3,500/500/1,000 images, 10 classes | MnistCNN | cpu, " in quick_run.out
    assert "epoch 2/2" in quick_run.out
    assert "test/acc" in quick_run.out
    assert "tensorboard --logdir runs/mnist_sample_mnist_cnn/" in quick_run.out
    assert "epoch 2/2" in (quick_run.runs[0] / "train.log").read_text()


@pytest.mark.parametrize(
    ("dataset", "sizes", "network"),
    [
        (data.MNISTSample, (3_500, 500, 1_000), "CIFAR10Quick"),
        (data.MNIST, (55_000, 5_000, 10_000), "GoogLeNet"),
        (data.FashionMNIST, (55_000, 5_000, 10_000), "MnistCNN"),
        (data.CIFAR10, (45_000, 5_000, 10_000), "CIFAR10Quick"),
        (data.CIFAR100, (45_000, 5_000, 10_000), "CIFAR10Quick"),
    ],
)
def test_the_first_line_fits_a_terminal_of_80_columns(monkeypatch, dataset, sizes, network):
    monkeypatch.setattr(dataset, "sizes", dict(zip(("train", "val", "test"), sizes, strict=True)))
    said = beside_each_other([data_in_words(dataset()), network, "cpu, 32-true"], 80)
    assert said.endswith(f" images, {dataset().num_classes} classes | {network} | cpu, 32-true")
    assert "\n" not in said


def test_the_first_line_says_which_fold_is_held_out():
    folds = data.MNISTSample(folds=4)
    folds.setup()
    assert data_in_words(folds) == "mnist_sample: 3,000/1,000/1,000 images, 10 classes, fold 0 of 4 held out"


def test_what_has_no_room_in_the_first_line_begins_a_new_one():
    words = ["photos: 300/60/60 images, 2 classes", "EfficientNetLite0", "NVIDIA H100 80GB HBM3, bf16-mixed"]
    assert beside_each_other(words, 80) == f"{words[0]} | {words[1]}\n  {words[2]}"
    assert beside_each_other(words, 40) == f"{words[0]}\n  {words[1]}\n  {words[2]}"
    assert beside_each_other(words, 120) == " | ".join(words)


def test_a_setting_of_a_callback_that_is_off_is_said_to_change_nothing():
    patience, on = "callbacks.early_stopping.patience=2", "callbacks.early_stopping.enabled=true"
    assert of_switched_off(asked(patience, "callbacks.pictures.count=8")) == [
        f"{patience} changes nothing: that callback is off; write {on} too"
    ]
    assert of_switched_off(asked(patience, on)) == []
    assert of_switched_off(asked("callbacks.pictures.count=8", "callbacks.pictures.enabled=false")) == []


def test_a_setting_of_a_callback_that_jobs_of_a_sweep_leave_out_is_said_to_change_nothing():
    count, on = "callbacks.projector.count=100", "callbacks.projector.in_sweeps=true"
    job = SweepJob(0, Path("sweep"), "Basic")
    assert of_switched_off(asked(count, job=job)) == [
        f"{count} changes nothing: that callback is off in sweeps; write {on} too"
    ]
    assert of_switched_off(asked(count, on, job=job)) == of_switched_off(asked(count)) == []
    assert of_switched_off(asked("callbacks.report.enabled=false", job=job)) == []


def test_a_summary_prints_the_layers_and_leaves_no_folder(train_here, tmp_path):
    done = train_here(*QUICK, "model=lenet5", "summary=true")
    assert done.status == 0, done.err
    assert re.search(r"features\.3 +Conv2d +6 x 14 x 14 +16 x 10 x 10 +2,416", done.out)
    assert re.search(r"LeNet5 +61,706", done.out)
    assert list(tmp_path.iterdir()) == []


def test_the_commands_at_the_end_can_be_pasted(train_here, use, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("from litlab.networks import MLP\n\n\nclass Net(MLP):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    folder = "hydra.run.dir='my runs/a b'"
    done = train_here(*QUICK, folder, "model=mlp", "model._target_=mine.Net", "data.train_limit=64", "test=false")
    assert done.status == 0, done.err
    python, script, *arguments = shlex.split(re.search(r"use it +(.*)", done.out)[1])
    assert (python, script) == ("python", str(REPOSITORY / "predict.py"))
    assert arguments == ["ckpt=my runs/a b", "trust=[mine]", "input=IMAGE"]
    use(*arguments[:2], "evaluate=val")
    assert (tmp_path / "evaluation/evaluation.json").exists()
