"""Regression from the outside: the two curves of a first course, and points on pictures."""

import json
import math
import re

import lightning
import pytest
import torch
from pictures import draw_landmarks
from PIL import Image

from litlab import checkpoint
from litlab.data import Landmarks, SigmoidPoints
from litlab.modules import Regression
from litlab.modules.regression import R2
from litlab.networks import MnistCNN


@pytest.mark.slow
def test_linear_regression_lands_on_least_squares(train_here):
    done = train_here("experiment=linear_regression", "trainer=cpu")
    assert done.status == 0, done.err
    slope, intercept = map(float, re.search(r"fit +y = (\S+) x \+ (\S+)", done.out).groups())
    x = torch.tensor([1, 2, 0.5, 2.5, 2.6, 3.1]).double()
    y = torch.tensor([3.7, 4.6, 1.65, 5.68, 5.98, 6.95]).double()
    exact = torch.linalg.lstsq(torch.stack((x, torch.ones(6).double()), 1), y[:, None]).solution[:, 0]
    assert slope == pytest.approx(exact[0].item(), abs=1e-2)
    assert intercept == pytest.approx(exact[1].item(), abs=1e-2)
    checkpoint = torch.load(done.runs[0] / "checkpoints/best.ckpt", weights_only=True)
    weight = checkpoint["state_dict"]["network.layers.1.weight"].item()
    assert weight == pytest.approx(slope, abs=1e-3)
    assert (checkpoint["litlab"]["task"], checkpoint["litlab"]["data"]["target_shape"]) == ("Regression", [1])
    metrics = done.result["metrics"]
    assert metrics["train/mse"] == pytest.approx(((exact[0] * x + exact[1] - y) ** 2).mean().item(), abs=1e-4)
    assert set(metrics) == {"train/loss", "train/mae", "train/mse", "train/r2"}
    with Image.open(done.runs[0] / "fit.png") as picture:
        assert picture.size == (720, 480)
    assert done.result["dataset"] == {"name": "line_points", "train": 300}


@pytest.mark.slow
def test_logistic_regression_finds_the_sigmoid(train_here):
    done = train_here("experiment=logistic_regression", "trainer=cpu")
    assert done.status == 0, done.err
    slope, sign, intercept = re.search(r"fit +y = sigmoid\((\S+) x (.) (\S+)\)", done.out).groups()
    x, y = SigmoidPoints(seed=42).points()
    at = torch.tensor([float(slope), float(f"{sign}{intercept}")]).requires_grad_()
    loss = torch.nn.functional.binary_cross_entropy(torch.sigmoid(at[0] * x + at[1]), y)
    loss.backward()
    assert at.grad.abs().max() < 1e-3  # the minimum of the cross-entropy
    assert done.result["metrics"]["train/loss"] == pytest.approx(loss.item(), abs=1e-4)
    assert (done.runs[0] / "fit.png").exists()


@pytest.mark.slow
def test_landmarks_train_and_are_drawn(train_here, tmp_path):
    file = draw_landmarks(tmp_path / "faces", count=40)
    quick = ["model=mnist_cnn", "data.image_size=32", "trainer.max_epochs=2", "data.num_workers=0", "trainer=cpu"]
    done = train_here("experiment=landmarks", f"data.annotations={file}", *quick)
    assert done.status == 0, done.err
    assert {"val/mae", "val/mse", "val/r2", "test/mse"} <= set(done.result["metrics"])
    assert done.result["objective"]["name"] == "val/mse"
    record = torch.load(done.runs[0] / "checkpoints/best.ckpt", weights_only=True)["litlab"]
    assert record["network"]["args"]["num_classes"] == 10
    assert record["data"]["target_shape"] == [5, 2]
    assert record["data"]["preprocess"]["resize"] == 32
    with Image.open(done.runs[0] / "landmarks.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(maxcolors=2**24)}
        assert picture.width > 4 * 140
        assert {(255, 0, 0), (0, 255, 0)} <= colours  # predicted and true points


def test_a_metric_that_is_nan_is_left_out(train_here, use, tmp_path, capfd):
    """R2 of a validation set with one picture is NaN. Here it is the objective, too."""
    file = draw_landmarks(tmp_path / "faces", count=10)
    quick = ["model=mlp", "data.image_size=8", "trainer.max_epochs=2", "data.num_workers=0", "trainer=cpu"]
    quick += ["logger=none", "callbacks.report.enabled=false", "data.val_size=1", "trainer.gradient_clip_val=inf"]
    done = train_here("experiment=landmarks", f"data.annotations={file}", "objective=val/r2", *quick)
    assert done.status == 0, done.err
    text = (done.runs[0] / "result.json").read_text()
    result = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert "val/mse" in result["metrics"]
    assert "val/r2" not in result["metrics"]
    assert result["objective"] is None
    assert "warning: val/r2 is NaN after epoch 1: such an epoch cannot be the best\n" in done.err
    assert not (done.runs[0] / "checkpoints/best.ckpt").exists()
    last = done.runs[0] / "checkpoints/last.ckpt"
    old = torch.load(last, weights_only=True)
    assert "val/r2" not in old["litlab"]["metrics"]
    assert set(checkpoint.load(last).metrics) == set(old["litlab"]["metrics"])
    old["litlab"]["metrics"] |= {"val/r2": math.nan, "val/mse": math.inf}  # as old versions wrote it
    torch.save(old, "old.ckpt")
    use("ckpt=old.ckpt", f"input={tmp_path / 'faces'}")
    assert "faces/000.png" in capfd.readouterr().out


@pytest.mark.slow
def test_a_landmark_network_learns_a_square(tmp_path):
    lightning.seed_everything(0, verbose=False)
    data = Landmarks(draw_landmarks(tmp_path, count=200), image_size=32, batch_size=20)
    module = Regression(MnistCNN((3, 32, 32), 10), (5, 2))
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(max_epochs=15, enable_model_summary=False, default_root_dir=tmp_path, **quiet)
    trainer.fit(module, data)
    assert module(torch.zeros(3, 3, 32, 32)).shape == (3, 5, 2)
    assert trainer.callback_metrics["val/r2"] > 0.5


def test_r2_is_the_mean_over_the_numbers_of_a_target():
    torch.manual_seed(0)
    predicted, true = torch.randn(6, 5, 2), torch.randn(6, 5, 2)
    metric = R2()
    metric.update(predicted[:4], true[:4])
    metric.update(predicted[4:], true[4:])
    errors, spread = ((true - predicted) ** 2).sum(0), ((true - true.mean(0)) ** 2).sum(0)
    torch.testing.assert_close(metric.compute(), (1 - errors / spread).mean())
    metric.reset()
    metric.update(predicted[:1], true[:1])
    assert metric.compute().isnan()
