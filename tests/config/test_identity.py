import json

import pytest
from omegaconf import OmegaConf
from scripts import composed

from litlab import config


@pytest.mark.parametrize(
    "place",
    [
        "data.num_workers=2",
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "data.data_dir=/elsewhere",
        "logger=none",
        "threads=1",
        "callbacks.progress.enabled=false",
    ],
)
def test_where_a_run_is_trained_does_not_change_its_numbers(place):
    assert config.numeric(composed(place)) == config.numeric(composed())


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ("optimizer.lr=0.5", "optimizer.lr", 0.5),
        ("seed=7", "seed", 7),
        ("model=lenet5", "model._target_", "litlab.networks.LeNet5"),
        ("scheduler=none", "scheduler", {}),
        ("objective=val/loss", "objective_mode", "min"),
        ("callbacks.early_stopping.enabled=true", "callbacks.early_stopping.mode", "max"),
        ("callbacks.early_stopping.enabled=true", "callbacks.early_stopping.enabled", True),
        ("~callbacks.early_stopping", "callbacks.early_stopping.enabled", False),
    ],
)
def test_what_changes_the_numbers_is_a_flat_key(change, key, value):
    found = config.numeric(composed(change))
    assert (key in found, found.get(key)) == (True, value)


def test_another_folder_of_pictures_is_another_data_set():
    cfg = composed("data=image_folder", "data.data_dir=/a")
    assert config.numeric(cfg)["data.data_dir"] == "/a"


def test_infinity_is_written_as_text_since_json_has_none():
    found = config.numeric(composed("optimizer.lr=inf", "optimizer.weight_decay=nan"))
    assert (found["optimizer.lr"], found["optimizer.weight_decay"]) == ("inf", "nan")
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_setting_is_left_open_by_auto_and_by_published_weights():
    auto = config.numeric(composed("data.batch_size=auto", "trainer.precision=32-true"))
    assert config.is_left_open(auto, "data.batch_size")
    assert not config.is_left_open(auto, "trainer.precision")
    assert not config.is_left_open(auto, "data.normalize.mean")
    pictures = ["data=image_folder", "data.data_dir=/a", "model=resnet18", "model.pretrained=true"]
    published = config.numeric(composed(*pictures))
    assert config.is_left_open(published, "data.normalize.mean")
    assert config.is_left_open(published, "model.variant")
    assert not config.is_left_open(config.numeric(composed(*pictures, "data.normalize=false")), "data.normalize")


def test_what_published_weights_filled_in_is_taken_from_the_recorded_config():
    pictures = ["data=image_folder", "data.data_dir=/a", "model=resnet18", "model.pretrained=true"]
    before = composed(*pictures, "data.image_size=64", "model.variant=imagenet")
    assert config.filled_then(composed(*pictures), before)["data.image_size"] == 64
    assert config.filled_then(composed(*pictures), before)["model.variant"] == "imagenet"
    assert "data.image_size" not in config.filled_then(composed(*pictures, "data.image_size=32"), before)
    assert config.filled_then(composed("model=resnet18"), OmegaConf.create()) == {}
