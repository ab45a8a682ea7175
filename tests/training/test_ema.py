"""With `ema`, the averaged weights are those that are judged and saved."""

import json

import torch
from scripts import QUICK

from litlab import checkpoint


def test_the_saved_weights_are_those_that_were_validated(train_here, use):
    light = ["data.train_limit=1500", "logger=csv", "callbacks.model_summary.enabled=false"]
    done = train_here(*QUICK, *light, "ema=0.99", "optimizer.lr=0.003")
    assert done.status == 0, done.err
    path = done.runs[0] / "checkpoints/best.ckpt"
    saved = torch.load(path, weights_only=True)
    trained, averaged = saved["ema"]["trained"], checkpoint.read_weights(path)
    assert trained.keys() == averaged.keys()
    assert not torch.equal(trained["classifier.0.weight"], averaged["classifier.0.weight"])
    assert saved["ema"]["steps"] == saved["global_step"] > 20
    use(f"ckpt={done.runs[0]}", "evaluate=val")
    again = json.loads(next(done.folder.glob("evaluation/*.json")).read_text())["metrics"]
    assert again["val/acc"] == done.result["metrics"]["val/acc"]
