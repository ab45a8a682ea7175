"""Where a network's first weights come from: a file, or a warning that there are none."""

import sys

import pytest
import torch
from safetensors.torch import save_file
from scripts import QUICK, REPOSITORY, asked

from litlab import checkpoint
from litlab.errors import ConfigError
from litlab.networks import MLP, ResNet18, load_weights
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


def test_files_of_weights(tmp_path):
    state_dict = ResNet18().state_dict()
    torch.save(state_dict, tmp_path / "a.pth")
    save_file(state_dict, tmp_path / "a.safetensors")
    checkpoint.write(
        {"litlab": {}, "state_dict": {f"network.{k}": v for k, v in state_dict.items()}}, tmp_path / "a.ckpt"
    )
    for name in ("a.pth", "a.safetensors", "a.ckpt"):
        assert load_weights(ResNet18(), checkpoint.read_weights(tmp_path / name)) == []
    for name in ("bad.pth", "bad.safetensors"):
        (tmp_path / name).write_bytes(b"no weights")
        with pytest.raises(ValueError, match=f"{name}: not a whole"):
            checkpoint.read_weights(tmp_path / name)
        with pytest.raises(FileNotFoundError, match="no such"):
            checkpoint.read_weights(tmp_path / f"no_{name}")
    torch.save({"epoch": 3, "model_state_dict": state_dict}, tmp_path / "c.pth")
    torch.save(torch.nn.DataParallel(ResNet18()).state_dict(), tmp_path / "d.pth")
    for name in ("c.pth", "d.pth"):
        network = ResNet18()
        assert load_weights(network, checkpoint.read_weights(tmp_path / name)) == []
    parallel = checkpoint.read_weights(tmp_path / "d.pth")["module.conv1.weight"]
    assert torch.equal(network.conv1.weight, parallel)
    torch.save({"epoch": 1}, tmp_path / "b.pth")
    with pytest.raises(ValueError, match="its weight epoch is a int, not a tensor"):
        checkpoint.read_weights(tmp_path / "b.pth")


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


def test_weights_that_would_run_code_are_refused(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "pickled.pth")
    with pytest.raises(ValueError, match=r"pickled\.pth: holds pickled objects"):
        checkpoint.read_weights(tmp_path / "pickled.pth")
