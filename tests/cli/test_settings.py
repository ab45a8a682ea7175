import pytest
from omegaconf import DictConfig, OmegaConf
from scripts import REPOSITORY

from litlab.cli.settings import Setting, header, own_settings, parents, settings_of

CONF = REPOSITORY / "conf"


def leaves(node, prefix=""):
    for key in node:
        child = node._get_node(key)
        name = f"{prefix}{key}"
        if isinstance(child, DictConfig) and not child._is_none() and len(child):
            yield from leaves(child, f"{name}.")
        elif not str(key).startswith("_"):
            yield name


@pytest.mark.parametrize("file", sorted(CONF.glob("[!h]*/*.yaml")), ids=lambda file: f"{file.parent.name}={file.stem}")
def test_every_setting_of_a_file_is_found(file):
    if file.parent.name in ("experiment", "debug"):
        pytest.skip("it has the settings of the groups")
    content = OmegaConf.load(file)
    content.pop("defaults", None)
    assert [s.key for s in own_settings(file, "") if s.value] == list(leaves(content))


def test_a_setting_has_its_value_and_the_words_beside_it():
    found = {s.key: s for s in settings_of(CONF / "data/mnist_sample.yaml", "data")}
    assert found["data.val_size"] == Setting(
        "data.val_size",
        "500",
        "training images held out for validation, or their part if below 1; drawn by the seed alone",
    )
    assert found["data.image_size"].value == "null"
    assert parents(CONF / "data/mnist_sample.yaml") == ["mnist"]


def test_the_switch_of_a_callback_has_the_words_of_the_callback():
    found = {s.key: s.words for s in settings_of(CONF / "callbacks/default.yaml", "callbacks")}
    assert found["callbacks.graph.enabled"] == "the operations of the network"


def test_the_head_of_an_experiment_is_read_without_what_is_for_hydra():
    first, measured = header(CONF / "experiment/mnist_cnn.yaml")[:2]
    assert first.startswith("Two convolutions")
    assert measured.startswith("Measured: ")
