"""The JSON schemas for editors: the configs of litlab fit them, and mistakes do not."""

import json
from pathlib import Path

import pytest
import yaml
from scripts import REPOSITORY

from litlab.cli.schema import schemas, write

CONF = REPOSITORY / "conf"


@pytest.fixture(scope="module")
def found():
    return schemas(CONF)


def mistakes(schema, text: str) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")  # of the extras notebook and ray
    jsonschema.Draft7Validator.check_schema(schema)
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(yaml.safe_load(text) or {})]


def test_the_configs_of_litlab_fit(found):
    for group, schema in found.items():
        files = sorted((CONF / group).glob("*.yaml"))
        assert files
        assert {file.name: mistakes(schema, file.read_text()) for file in files} == {file.name: [] for file in files}


@pytest.mark.parametrize(
    ("group", "text"),
    [
        ("optimizer", "{_target_: torch.optim.SGD, lr: fast}"),
        ("optimizer", "{_target_: torch.optim.SGD, lr: 0}"),
        ("optimizer", "{_target_: torch.optim.SGD, learning_rate: 0.1}"),
        ("model", "{_target_: litlab.networks.MLP, hidden: 5}"),
        ("data", "{_target_: litlab.data.MNIST, batch_size: many}"),
        ("callbacks", "{progress: {_target_: litlab.callbacks.Progress, enabled: maybe}}"),
        ("experiment", "{seed: first}"),
        ("experiment", "{checkpoint: {every_n_steps: 0}}"),
    ],
)
def test_a_mistake_does_not_fit(found, group, text):
    assert mistakes(found[group], text)


@pytest.mark.parametrize(
    ("group", "text"),
    [
        ("optimizer", "{_target_: mylab.optimizers.SignSGD, lr: fast}"),
        ("optimizer", "{_target_: torch.optim.SGD, lr: '${rate}'}"),
        ("data", "{_target_: litlab.data.MNIST, batch_size: auto}"),
        ("experiment", "{seed: 3, optimizer: {lr: 0.1}}"),
    ],
)
def test_what_is_right_fits(found, group, text):
    assert mistakes(found[group], text) == []


def test_an_editor_shows_what_a_setting_is(found):
    [sgd] = [case["then"] for case in found["optimizer"]["allOf"] if "nesterov" in case["then"]["properties"]]
    assert sgd["properties"]["lr"]["description"] == "learning rate"


def test_the_command_writes_files_and_says_what_each_is_for(tmp_path):
    said = write(tmp_path / ".schemas", CONF)
    assert said[f"{(tmp_path / '.schemas').as_posix()}/model.json"] == "conf/model/*.yaml"
    assert all("properties" in json.loads(Path(name).read_text()) for name in said)
