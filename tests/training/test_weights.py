"""The first weights of a network come from a file, or there is a warning that there are none."""

import re
import sys
from pathlib import Path

import matplotlib
import pytest
import torch
from pictures import draw_folder
from safetensors.torch import save_file
from scripts import QUICK, REPOSITORY, asked

from litlab import checkpoint, config
from litlab.checkpoint.record import record_of
from litlab.config import build
from litlab.data import open_picture
from litlab.errors import ConfigError
from litlab.networks import MLP, ResNet18
from litlab.training import assemble, weights


@pytest.mark.slow
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


@pytest.mark.slow
def test_fine_tuning_with_real_weights_reaches_its_figure(torch_home, train_here, tmp_path, monkeypatch):
    """Two classes from a real photograph: Grace Hopper's face, and her uniform. Chance is 50 %."""
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    photograph = open_picture(Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg")
    generator = torch.Generator().manual_seed(0)
    for name, (left, top) in {"face": (130, 60), "uniform": (100, 350)}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(30):
            x, y = torch.randint(60, (2,), generator=generator).tolist()
            crop = photograph.crop((left + x, top + y, left + x + 180, top + y + 180))
            crop.save(tmp_path / "photos" / name / f"{number}.jpg")
    done = train_here(
        "experiment=fine_tune_folder", f"data.data_dir={tmp_path}/photos", "model=efficientnet_lite0", "trainer=cpu",
        "trainer.max_epochs=2", "data.num_workers=0", "logger=none", "callbacks.report.enabled=false",
        "model.freeze=backbone", "data.image_size=128", "data.resize=128", "data.transforms=[]",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert done.result["objective"]["value"] >= 0.95
    assert re.search(r"best checkpoint: val/acc (0\.9\d+|1\.0+), in epoch [12] of 2", done.out)  # there is no test set
    assert "stuck" not in done.out


@pytest.mark.parametrize("model", ["mnist_cnn", "cifar10_quick", "whitened_cnn", "lenet5", "mlp", "efficientnet_lite0"])
def test_every_network_can_be_fine_tuned_with_a_frozen_backbone(model, tmp_path):
    draw_folder(tmp_path, count=5)
    run = asked(
        "experiment=fine_tune_folder", f"data.data_dir={tmp_path}", f"model={model}", "model.pretrained=false",
        "model.freeze=backbone", "data.image_size=32", "data.transforms=[]", "trainer=cpu",
    )  # fmt: skip
    config.check(run.cfg)
    run, data, module = assemble(run)
    network = module.network.train()
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert {name.rpartition(".")[0] for name in trained} == {list(last_linear(network))[-1]}
    assert not any(layer.training for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    assert type(network).__name__ == run.cfg.model._target_.rpartition(".")[2]
    record = record_of(run.plain(), data.record(), "Classification", data.input_shape, data.num_classes)
    build({"model": {"_target_": record["network"]["name"]} | record["network"]["args"]}, "model")


def last_linear(network):
    return [name for name, layer in network.named_modules() if isinstance(layer, torch.nn.Linear)]


def test_a_network_without_published_weights_says_what_to_write(tmp_path):
    run = asked("experiment=fine_tune_folder", f"data.data_dir={draw_folder(tmp_path, count=2)}", "model=lenet5")
    with pytest.raises(ConfigError, match=r"^model\.pretrained=true: LeNet5 has no published .*=false, .*=FILE$"):
        assemble(run)


def test_a_head_that_appends_needs_published_outputs():
    with pytest.raises(ConfigError, match=r"^model\.head=append: must be replace$"):
        config.check(asked("model=lenet5", "+model.head=append").cfg)


def test_each_network_is_frozen_by_the_same_words(train_here, tmp_path):
    """As the README has it: without a + for networks that have no such argument."""
    small = [*QUICK, "data.train_limit=64", "logger=none", "test=false", "trainer.max_epochs=2"]
    done = train_here(*small, "model.freeze=backbone", "model.unfreeze_at=1")
    assert done.status == 0, done.err
    assert "  freeze: backbone\n" in (done.runs[0] / ".hydra/config.yaml").read_text()
    done = train_here(*small, "model.freeze=all")
    assert (done.status, done.err) == (2, "error: model.freeze=all: must be one of backbone or null\n")


def test_a_folder_of_weights_is_answered_with_a_file_in_it(train_here, tmp_path):
    done = train_here(*QUICK, f"model.weights={tmp_path}")
    best = tmp_path / "checkpoints/best.ckpt"
    assert done.err == f"error: model.weights={tmp_path}: is a folder; name a file in it, such as {best}\n"


def test_weights_are_tried_for_a_summary_too(train_here, tmp_path):
    torch.save(MLP((1, 8, 8), 10).state_dict(), tmp_path / "other.pth")
    torch.save(MLP((1, 28, 28), 10).state_dict(), tmp_path / "fits.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for file, said in (
        ("none", "no such checkpoint"),
        ("text", ""),
        ("other", "weights do not fit MLP: 1"),
    ):
        done = train_here(*QUICK, "model=mlp", "summary=true", f"model.weights={file}.pth")
        assert (done.status, done.err.count("\n")) == (2, 1), done.err
        assert done.err.startswith(f"error: model.weights={file}.pth: ")
        assert said in done.err
    done = train_here(*QUICK, "model=mlp", "summary=true", "model.weights=fits.pth")
    assert (done.status, done.err, done.runs) == (0, "", [])
