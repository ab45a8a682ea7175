"""The mistakes that beginners make in their own networks, data sets and callbacks are one line each."""

from pathlib import Path

import pytest
import torch
from own_parts import Dense, Grey
from scripts import asked

from litlab.config import Run, check_group
from litlab.data import DataModule
from litlab.errors import ConfigError
from litlab.modules import Supervised
from litlab.runs import read_result
from litlab.training import assemble
from litlab.training.assemble import prepare_data
from litlab.training.record import failure_recorded
from litlab.training.run import run_training
from litlab.training.trainer import make_trainer

GREY = ["data.val_size=8", "data.batch_size=8", "trainer=cpu"]


def own(model: str = "Dense", data: str = "Grey", folder: Path = Path()) -> Run:
    """A run with own parts in the place of litlab's."""
    network = {"_target_": f"own_parts.{model}", "input_shape": None, "num_classes": None}
    run = asked("data=mnist_sample", *GREY, folder=folder)
    return run.settled(**{"model": network, "data._target_": f"own_parts.{data}"})


def assemble_and_prepare(run: Run) -> tuple[DataModule, Supervised]:
    run, data, module = assemble(run)
    prepare_data(run, data)
    return data, module


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model": "NoReturn"}, "model=MODEL: its forward must return one tensor, not NoneType: is a return missing?"),
        ({"model": "Pair"}, "model=MODEL: its forward must return one tensor, not tuple"),
        ({"model": "Detached"}, "model=MODEL: its outputs have no gradient with respect to its parameters: leave out "),
        ({"model": "InAList"}, "model=MODEL has no parameters to train: layers in a list need nn.ModuleList or "),
        ({"data": "NoNames"}, "data=DATA: class_names is empty; it must name each class"),
        ({"data": "ThreeMeans"}, r"mean and std must have 1 values each, one a channel, not (0.4, 0.4, 0.4) and (0.2"),
        (
            {"data": "NoArrays"},
            "load_arrays must return Arrays(train_images, train_labels, test_images, test_labels), ",
        ),
        ({"data": "TwoArrays"}, "load_arrays must return Arrays(train_images, train_labels, test_images, test_labels)"),
        ({"data": "NoFile"}, "data=DATA: FileNotFoundError: data/grey.npy"),
    ],
)
def test_a_beginners_mistake_is_one_line(parts, message):
    with pytest.raises(ConfigError) as caught:
        assemble_and_prepare(own(**parts))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["Dense", "DetachedInEvaluation"])
def test_what_is_no_mistake_is_not_refused(model):
    data, module = assemble_and_prepare(own(model))
    assert isinstance(module.network, Dense)
    assert isinstance(data, Grey)
    assert data.sizes == {"train": 32, "val": 8, "test": 10}


def test_a_class_that_is_no_callback_is_named(tmp_path):
    run = asked("data=mnist_sample", "trainer=cpu", "+callbacks.mine._target_=own_parts.NotACallback", folder=tmp_path)
    with pytest.raises(ConfigError, match=r"^callbacks\.mine: own_parts\.NotACallback must inherit from lightning\."):
        make_trainer(run, None, [], torch.nn.Linear(1, 1))


def test_a_run_that_its_own_code_ends_before_training_has_failed_and_was_not_killed(tmp_path):
    (tmp_path / "run").mkdir()
    run = own("Crashes", folder=tmp_path / "run")
    with pytest.raises(AttributeError, match="layr"):
        run_training(run)
    assert read_result(tmp_path / "run")["status"] == "failed"
    assert "layr" in read_result(tmp_path / "run")["error"]


def test_an_error_stays_what_it_is_where_no_result_can_be_written(tmp_path):
    run = own(folder=tmp_path / "gone")  # as on a disk that is full
    with pytest.raises(RuntimeError, match="not saved"), failure_recorded(run):
        raise RuntimeError("not saved")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("own_parts.Dens", "No module named 'own_parts.Dens'"),
        ("own_part.Dense", "No module named 'own_part'"),
    ],
)
def test_a_typo_in_a_target_says_what_is_not_there(target, reason):
    with pytest.raises(ConfigError) as caught:
        check_group("model", {"_target_": target})
    assert str(caught.value).startswith(f"model._target_={target}: cannot be imported: ")
    assert reason in str(caught.value)
