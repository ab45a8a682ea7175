"""What no checkpoint could name is refused before the training."""

import pytest
from scripts import QUICK, asked

from litlab.config import Run
from litlab.errors import ConfigError
from litlab.training import assemble

OF_A_LOSS = (
    "is a function, so its checkpoints could not be loaded: write a class that inherits from torch.nn.Module, whose "
    "forward(self, predictions, targets) returns the loss"
)


def with_part(key: str, target: str, **settings: object) -> Run:
    run = asked("data=mnist_sample", "trainer=cpu")
    return run.settled(**{key: {"_target_": f"own_parts.{target}", **settings}})


@pytest.mark.parametrize(
    ("key", "target", "settings", "message"),
    [
        (
            "model",
            "does_not_say",
            {},
            "is a function, and does not say that it makes a Module, so its checkpoints could not be loaded: "
            "write def does_not_say(...) -> torch.nn.Module, or a class",
        ),
        ("model", "makes_nothing", {}, "must make a torch.nn.Module, not None: is a return missing?"),
        ("model", "makes_a_class", {}, "must make a torch.nn.Module, not the class Dense: are its () missing?"),
        ("model", "NoModule", {}, "must inherit from torch.nn.Module"),
        ("loss", "LossOfNoModule", {}, "must inherit from torch.nn.Module"),
        *(("loss", "loss_function", given, OF_A_LOSS) for given in ({}, {"_partial_": True})),
        (
            "data",
            "makes_grey",
            {"val_size": 8},
            "is a function, so its checkpoints could not be loaded: write a class that inherits from "
            "litlab.data.DataModule",
        ),
        ("data", "NoModule", {}, "must inherit from litlab.data.DataModule"),
    ],
)
def test_what_no_checkpoint_could_name_is_refused_before_the_training(key, target, settings, message):
    shapes = {"input_shape": None, "num_classes": None} if key == "model" else {}
    with pytest.raises(ConfigError) as caught:
        assemble(with_part(key, target, **shapes, **settings))
    assert str(caught.value) == f"{key}={key.upper()}: own_parts.{target} {message}"


def test_an_argument_that_no_checkpoint_could_hold_is_refused_before_the_training():
    activation = {"_target_": "torch.nn.ReLU"}
    with pytest.raises(ConfigError) as caught:
        assemble(with_part("model", "TakesALayer", input_shape=None, num_classes=None, activation=activation))
    assert str(caught.value) == (
        "model=MODEL: the values of model.activation hold the key _target_: only plain data may be there, so its "
        "checkpoints could not be loaded: make it within own_parts.TakesALayer"
    )


@pytest.mark.parametrize("target", ["torch.hub.load", "torchvision.models.get_model", "torch.nn.functional.relu"])
def test_a_function_of_a_library_that_no_checkpoint_may_name_is_refused(target):
    with pytest.raises(ConfigError, match=rf"^model=MODEL: {target} is not .*: write def build\(\.\.\.\) -> torch"):
        assemble(asked("data=mnist_sample", "trainer=cpu").settled(**{"model": {"_target_": target}}))


def test_a_function_that_says_what_it_makes_is_trained_and_its_checkpoint_used(script_here):
    made = [
        "model=mnist_cnn",
        "model._target_=own_parts.makes_dense",
        "loss=mse",
        "loss._target_=own_parts.makes_a_loss",
    ]
    done = script_here("train.py", *QUICK, "data.train_limit=32", *made, "hydra.run.dir=run")
    assert done.status == 0, done.err
    done = script_here("predict.py", "ckpt=run", "evaluate=test", "trust=own_parts", "trainer=cpu")
    assert done.status == 0, done.err
