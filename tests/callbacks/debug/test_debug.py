"""`debug=`: each option in a real run."""

import json
import re

import lightning
import pytest
import torch
from scripts import QUICK
from torch import nn

from litlab.callbacks import FirstNonFinite, OverfitOneBatch
from litlab.data import MNISTSample
from litlab.errors import RunFailed
from litlab.modules import Classification
from litlab.networks import MLP

SMALL = [argument for argument in QUICK if not argument.startswith("trainer.max_epochs")]
SMALL += ["model=mlp", "model.hidden=[16]", "callbacks.model_summary.enabled=false"]


def test_fast_dev_run_does_one_step_of_everything(train_here):
    done = train_here(*SMALL, "debug=fast_dev_run", "trainer.max_epochs=1")
    assert done.status == 0, done.err
    assert done.result["steps"] == 1
    assert {"val/acc", "test/acc"} <= set(done.result["metrics"])
    assert (done.runs[0] / "checkpoints/best.ckpt").exists()
    assert re.search(r"^verdict       too short to tell: train loss .* in 1 step$", done.out, re.M), done.out


def test_limit_trains_on_ten_batches_for_two_epochs(train_here):
    done = train_here(*SMALL, "debug=limit")
    assert done.status == 0, done.err
    assert (done.result["epochs"], done.result["steps"]) == (2, 20)


def test_overfit_learns_one_batch_by_heart(train_here):
    done = train_here(*SMALL, "debug=overfit", "optimizer.lr=0.01", "data.augment=[cutout]", "loss.label_smoothing=0.1")
    assert done.status == 0, done.err
    assert "overfit       without augmentation and label smoothing" in done.out
    assert "overfit       learned one batch by heart: loss 2.3" in done.out
    assert done.result["steps"] < 300


@pytest.mark.parametrize(("lr", "said"), [("1e-9", "did not learn one batch"), ("1e-3", "not yet: ")])
def test_overfit_says_when_it_has_not_learned(train_here, lr, said):
    done = train_here(*SMALL, "debug=overfit", f"optimizer.lr={lr}", "trainer.max_epochs=30")
    assert done.status == 0, done.err
    assert f"overfit       {said}" in done.out


def test_overfit_with_a_limit_of_more_than_a_batch_is_refused_before_it_begins(train_here):
    done = train_here(*[a for a in SMALL if "train_limit" not in a], "debug=overfit", "data.train_limit=640")
    assert done.err == "error: debug=overfit: there are 10 batches; write data.train_limit=N, at most data.batch_size\n"
    assert done.status == 2
    assert done.runs == []


def test_overfit_needs_one_batch(tmp_path):
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, callbacks=[OverfitOneBatch()], default_root_dir=tmp_path,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    with pytest.raises(RunFailed, match="^debug=overfit: there are 55 batches; write data.train_limit=N"):
        trainer.fit(Classification(MLP((1, 28, 28), 10), num_classes=10), MNISTSample())


@pytest.mark.slow
def test_profile_shows_operations_and_functions(train_here):
    done = train_here(*SMALL, "debug=profile")
    assert done.status == 0, done.err
    assert [name in done.out for name in ("operation  ", "function  ", "ms a step")] == [True] * 3
    page = (done.runs[0] / "profile.txt").read_text()
    assert "aten::addmm" in page
    assert "modules/supervised.py" in page
    assert re.search("^profile       runs/[^ ]*/profile.txt has longer tables", done.out, re.M)
    assert "epoch 1 (50 of 55 batches)" in done.out, "steps end it, and not epochs"
    assert len(page.splitlines()) > 40
    assert json.loads((done.runs[0] / "trace.json").read_text())["traceEvents"]


def test_profile_says_when_there_were_too_few_steps(train_here):
    done = train_here(*SMALL, "debug=profile", "trainer.max_steps=8")
    assert done.status == 0, done.err
    assert "profile       there were 8 steps, and 45 are needed: write trainer.max_steps=45" in done.out


def test_profile_says_when_there_were_too_few_epochs(train_here):
    done = train_here(*SMALL, "debug=profile", "trainer.max_epochs=1", "data.train_limit=500", "data.batch_size=64")
    assert done.status == 0, done.err
    assert "profile       there were 8 steps, and 45 are needed: write trainer.max_epochs=6" in done.out


class Logarithm(nn.Module):
    """Its output is not finite where its input is zero."""

    def forward(self, inputs):
        return inputs.log()


class SquareRoot(nn.Module):
    """Its gradient is not finite where its input is zero."""

    def forward(self, inputs):
        return inputs.sqrt()


def fit(network, data, tmp_path, lr=1e-3):
    module = Classification(network, num_classes=10, optimizer=lambda p: torch.optim.SGD(p, lr=lr))
    lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, callbacks=[FirstNonFinite()], default_root_dir=tmp_path,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    ).fit(module, data)  # fmt: skip


def network(middle):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), middle, nn.Linear(8, 10))


def test_anomaly_names_the_layer_that_made_it(tmp_path):
    with pytest.raises(
        RunFailed, match=r"^debug=anomaly: 3 \(Logarithm\) made infinity of finite inputs in step 0: try a lower"
    ):
        fit(network(Logarithm()), MNISTSample(), tmp_path)


def test_anomaly_names_the_layer_whose_gradient_it_is(tmp_path):
    expected = r"gradient became (NaN|infinity) in step 0, on the way back from 3 \(SquareRoot\) to 2 \(ReLU\): look"
    with pytest.raises(RunFailed, match=expected):
        fit(network(SquareRoot()), MNISTSample(), tmp_path)


def test_anomaly_tells_weights_from_pictures(tmp_path):
    with pytest.raises(RunFailed, match=r"weights 1.weight became (NaN|infinity) in the update of step 0: try a lower"):
        fit(network(nn.Identity()), MNISTSample(normalize={"mean": [0.5], "std": [1e-3]}), tmp_path, lr=1e38)
    broken = network(nn.Identity())
    torch.nn.init.constant_(broken[1].bias, float("nan"))
    with pytest.raises(RunFailed, match=r"weights 1.bias became NaN before any training: look at model.weights"):
        fit(broken, MNISTSample(), tmp_path)
    data = MNISTSample(normalize={"mean": [0.5], "std": [1e-45]})
    with pytest.raises(RunFailed, match="the pictures of step 0 have (NaN|infinity): see the data"):
        fit(network(nn.Identity()), data, tmp_path)


def test_anomaly_ends_a_run_in_one_line(train_here):
    done = train_here(*SMALL, "debug=anomaly", "optimizer=sgd", "optimizer.lr=1e20")
    assert done.status == 1
    assert done.err.splitlines()[-1].startswith("failed: debug=anomaly: ")
    assert done.result["status"] == "failed"
