"""The data module and the network in its LightningModule."""

import sys
from types import SimpleNamespace

import pytest
import torch
from scripts import QUICK, asked

from litlab.errors import ConfigError
from litlab.modules import Classification
from litlab.networks import ResNet18
from litlab.training.assemble import assemble


@pytest.mark.slow
def test_top5_balanced_classes_and_weights_of_a_file_in_one_run(train_here, tmp_path):
    network = ResNet18((1, 28, 28), 7, head="append")
    torch.save(network.state_dict(), tmp_path / "seven.pth")
    arguments = ["data.train_limit=8", "data.batch_size=4", "data.val_size=10", "trainer.limit_test_batches=1"]
    model = ["model=resnet18", "model.freeze=backbone", "model.head=append"]
    settings = [*QUICK, *model, "logger=none", "data.eval_batch_size=10", "top5=true", "data.balanced=true", *arguments]
    refused = train_here(*settings, "model.weights=seven.pth")
    assert refused.status == 2
    assert "model.weights=seven.pth: weights do not fit ResNet18: 2 of another size: fc.appended.weight" in refused.err
    done = train_here(*settings, "model.weights=seven.pth", "model.weights_skip_head=true")
    assert done.status == 0, done.err
    assert {"val/acc", "val/acc_top5", "test/acc_top5"} <= set(done.result["metrics"])
    checkpoint = torch.load(done.runs[0] / "checkpoints/last.ckpt", weights_only=True)
    assert torch.equal(checkpoint["state_dict"]["network.bn1.weight"], network.state_dict()["bn1.weight"])
    assert not {"weights", "weights_skip_head", "pretrained"} & set(checkpoint["litlab"]["network"]["args"])


def test_balanced_class_weights_are_recorded_as_numbers(capsys):
    run, _, module = assemble(asked("data=mnist_sample", "loss.class_weights=balanced", "trainer=cpu"))
    weights = run.cfg.loss.class_weights
    assert len(weights) == 10
    assert torch.equal(module.loss.weight, torch.tensor(list(weights)))
    assert "make up for rare classes" not in capsys.readouterr().err
    assemble(asked("data=mnist_sample", "loss.class_weights=balanced", "data.balanced=true", "trainer=cpu"))
    assert "data.balanced=true and loss.class_weights=balanced both make up for rare classes" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="^loss.class_weights=balanced: data=DATA has no classes"):
        assemble(asked("data=line_points", "model=mlp", "loss.class_weights=balanced", "objective=train/mse"))


def test_mixing_needs_classes():
    with pytest.raises(ConfigError, match="mixes classes, and .* has none: write mix=none"):
        assemble(asked("data=line_points", "model=mlp", "mix=cutmix", "loss=mse", "objective=train/mse"))
    with pytest.raises(ConfigError, match="^mix.until needs the length of the training"):
        assemble(asked("data=mnist_sample", "mix=cutmix", "mix.until=0.5", "trainer.max_epochs=null"))


class Twice(Classification):
    """Counts the loss twice."""

    def __init__(self, times: int = 2, **options):
        if times < 1:
            raise ValueError("times must be at least 1")
        super().__init__(**options)
        self.times = times


def own(task: type | str, *overrides: str) -> list[str]:
    """The overrides with which a class is the task."""
    name = task if isinstance(task, str) else f"{task.__module__}.{task.__qualname__}"
    return [f"+task._target_={name}", *overrides]


@pytest.fixture
def importable(monkeypatch):
    """The classes of this file, for the names in a config."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or SimpleNamespace(Twice=Twice))


def test_an_own_task_gets_its_settings(importable):
    _, _, module = assemble(asked("data=mnist_sample", "trainer=cpu", *own(Twice, "+task.times=3")))
    assert type(module) is Twice
    assert module.times == 3


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (own(Twice, "+task.times=0"), r"^task\.times must be at least 1$"),
        (
            own("litlab.modules.Regression"),
            r"must inherit from litlab\.modules\.Classification, the task of data=DATA$",
        ),
        (own("litlab.networks.MLP"), r"must inherit from litlab\.modules\.Classification"),
        (own("litlab.direction.better"), r"must inherit from litlab\.modules\.Classification"),
    ],
)
def test_an_own_task_that_does_not_fit_is_one_line(importable, overrides, message):
    with pytest.raises(ConfigError, match=message):
        assemble(asked("data=mnist_sample", "trainer=cpu", *overrides))
