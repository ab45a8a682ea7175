import pytest
from scripts import REPOSITORY

from litlab.cli.keys import OTHER_WORDS, Keys

CONF = REPOSITORY / "conf"


@pytest.fixture(scope="module")
def keys():
    return Keys(CONF, "train")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lr", ["optimizer.lr"]),
        ("data.lr", ["optimizer.lr"]),
        ("learning_rate", ["optimizer.lr"]),
        ("learning-rate", ["optimizer.lr"]),
        ("epochs", ["trainer.max_epochs"]),
        ("max_epoch", ["trainer.max_epochs"]),
        ("network", ["model"]),
        ("patience", ["callbacks.early_stopping.patience"]),
        ("every_n_epochs", ["callbacks.histograms.every_n_epochs", "callbacks.pictures.every_n_epochs"]),
        ("zzz", []),
    ],
)
def test_the_setting_that_a_name_means_is_found_in_all_groups(keys, name, meant):
    assert keys.meant(name) == meant


def test_only_the_exact_name_counts_if_a_close_one_is_not_wanted(keys):
    assert keys.meant("max_epoch", close=False) == []
    assert keys.meant("max_epochs", close=False) == ["trainer.max_epochs"]


def test_a_word_means_what_the_script_has():
    assert Keys(CONF, "predict").meant("checkpoint") == ["ckpt"]
    assert Keys(CONF, "predict").meant("picture") == ["input"]


@pytest.mark.parametrize("name", ["ckpt", "evaluate", "split", "onnx", "export.opset", "opset"])
def test_what_only_predict_has_is_known_to_be_its(keys, name):
    assert keys.other_script(name) == "predict"
    assert (keys.meant(name, close=False), keys.options_with(name)) == ([], [])


@pytest.mark.parametrize("name", ["epochs", "lr", "trainer.max_epochs", "optimizer.lr", "mlp", "model", "momentum"])
def test_what_only_a_training_has_is_no_setting_of_predict(name):
    predict = Keys(CONF, "predict")
    assert predict.other_script(name) == "train"
    assert (predict.meant(name), predict.options_with(name)) == ([], [])


@pytest.mark.parametrize("name", ["trainer.precision", "data", "mnist", "batch_size", "zzz"])
def test_what_both_scripts_have_and_what_none_has_is_of_no_other(keys, name):
    assert keys.other_script(name) is None
    assert Keys(CONF, "predict").other_script(name) is None


def test_the_options_that_have_a_setting_are_named(keys):
    assert keys.options_with("momentum") == ["optimizer=muon", "optimizer=sgd"]
    assert keys.options_with("optimizer.momentum") == ["optimizer=muon", "optimizer=sgd"]


def test_every_other_word_leads_to_a_setting():
    known = {*Keys(CONF, "train").all, *Keys(CONF, "predict").all}
    later = {"trainer.max_steps", "model.pretrained", "optimizer.nesterov"}  # of other options, or typed with a +
    assert {key for meant in OTHER_WORDS.values() for key in meant} - known <= later
