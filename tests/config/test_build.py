import pytest
from omegaconf import OmegaConf
from torch import nn

from litlab.config import blame, build, class_of, option
from litlab.errors import ConfigError

CFG = {
    "model": {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2, "pretrained": False, "compile": True},
    "loss": {"_target_": "torch.nn.CrossEntropyLoss", "reduction": "sum"},
    "scheduler": {"warmup_epochs": 1},
}


@pytest.mark.parametrize("cfg", [CFG, OmegaConf.create(CFG)], ids=["plain", "composed"])
def test_a_group_is_built_with_its_settings_and_more_arguments(cfg):
    network = build(cfg, "model", bias=False)  # litlab's own keys of a model are left out
    assert (network.weight.shape, network.bias) == ((2, 3), None)
    assert build(cfg, "loss").reduction == "sum"
    assert build(cfg, "scheduler") is None
    assert class_of(cfg, "model") is nn.Linear


def test_arguments_reach_the_constructor_as_they_are():
    cfg = {"loss": {"_target_": "types.SimpleNamespace", "a": 1, "b": [1, {"c": 2}]}}
    sizes = ([1, 2], {"3": 4})
    built = build(cfg, "loss", sizes=sizes, a=2)
    assert built.sizes is sizes
    assert (built.a, built.b) == (2, [1, {"c": 2}]), "an argument takes the place of a setting"


def test_what_a_constructor_refuses_names_the_key():
    wrong = {"optimizer": {"_target_": "torch.optim.Adam", "betas": [2, 2]}, "model": {"_target_": "torch.nn.ReLU6"}}
    weights = [nn.Parameter()]
    with pytest.raises(ConfigError, match="^optimizer=adam: Invalid beta parameter at index 0: 2$"):
        build(wrong, "optimizer", {"optimizer": "adam"}, params=weights)
    assert str(blame({"data": {"val_size": 1}}, "data", ValueError("val_size=1 is too small"))) == (
        "data.val_size=1 is too small"
    )
    assert str(blame({"data": {}}, "data", ValueError("too small\nfor that"))) == "data: too small"


def test_settings_that_a_message_names_have_their_group():
    cfg = {"data": {"fold": 0, "folds": None, "dir": "x"}}
    for said, named in {
        "fold=0 needs folds: write folds=5": "data.fold=0 needs folds: write data.folds=5",
        "file a/fold=1 is gone; dir=DIR names it": "data=csv: file a/fold=1 is gone; data.dir=DIR names it",
        "fold needs folds=5": "data.fold needs data.folds=5",
        "data.fold=0 is wrong": "data.fold=0 is wrong",
    }.items():
        assert str(blame(cfg, "data", ValueError(said), {"data": "csv"})) == named


def test_null_is_left_out_where_the_constructor_does_not_take_it():
    trainer = {"_target_": "builtins.dict", "max_steps": None, "max_time": None}
    assert build({"trainer": trainer}, "trainer") == {"max_time": None}


def test_a_group_is_named_by_its_option():
    assert option("data", {"data": "mnist"}) == "data=mnist"
    assert option("data", {}) == option("data", None) == "data"


@pytest.mark.parametrize(("key", "value"), [("strategy", "ddpp"), ("accelerator", "foo")])
def test_a_setting_that_lightning_names_is_named(key, value):
    cfg = {"trainer": {"_target_": "lightning.Trainer", "accelerator": "cpu", "logger": False, key: value}}
    with pytest.raises(ConfigError, match=f"^trainer.{key}={value}: You selected an invalid {key} name"):
        build(cfg, "trainer", {"trainer": "cpu"})
