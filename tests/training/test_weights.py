"""The first weights of a network come from a file, or there is a warning that there are none."""

import sys

import pytest
import torch
from safetensors.torch import save_file
from scripts import QUICK, REPOSITORY, asked

from litlab import checkpoint
from litlab.errors import ConfigError
from litlab.networks import MLP, ResNet18
from litlab.training import weights


def test_every_model_begins_from_a_file(quick_run, train_here, tmp_path):
    for file in (REPOSITORY / "conf/model").glob("*.yaml"):
        assert asked(f"model={file.stem}", "model.weights=x").cfg.model.weights == "x"
    name = "best (2), of ten.ckpt"
    (tmp_path / name).symlink_to(quick_run.runs[0] / "checkpoints/best.ckpt")
    quick = ["data.train_limit=64", "logger=none", "callbacks.model_summary.enabled=false", "optimizer.lr=1e-12"]
    done = train_here(*QUICK, *quick, f"model.weights={name}")
    assert done.status == 0, done.err
    before, after = (checkpoint.read_weights(run.runs[0] / "checkpoints/best.ckpt") for run in (quick_run, done))
    torch.testing.assert_close(after, before)


def test_a_frozen_backbone_without_weights_is_warned_of(tmp_path, capsys):
    torch.save(ResNet18((1, 28, 28), 10).state_dict(), tmp_path / "a.pth")
    frozen = ["model=resnet18", "model.freeze=backbone"]
    for more, said in (([], 1), ([f"model.weights={tmp_path}/a.pth"], 0)):
        weights.load(asked(*frozen, *more), ResNet18((1, 28, 28), 10, freeze="backbone"))
        assert capsys.readouterr().err.count("model.freeze=backbone without weights trains") == said


def test_a_missing_safetensors_package_is_named(tmp_path, monkeypatch):
    save_file(MLP().state_dict(), tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)  # as if it were not installed
    run = asked("model=mlp", f"model.weights={tmp_path}/a.safetensors")
    with pytest.raises(ConfigError, match=r"^model.weights=\S+: needs safetensors: pip install safetensors$"):
        weights.load(run, MLP())
