"""The group `metrics`: metrics of torchmetrics are logged, watched, saved and measured again; mistakes are one line."""

import csv
import json
import sys

import pytest
import torch
from faults.compare import differences
from quiet_runs import LINE, TINY
from recorded_runs import TINY as STOPPED
from recorded_runs import WITHOUT_FAULT, record_run, stop_at, train_recorded
from scripts import asked
from torchmetrics import Metric

from litlab import config
from litlab.config import directions
from litlab.errors import ConfigError, RunFailed
from litlab.training import assemble

SMALL = ["data=mnist_sample", "model=mlp", "trainer=cpu"]


class Largest(Metric):
    """A metric of one's own, with a number of classes and no module in torchmetrics: the mean of the largest output."""

    higher_is_better = False
    full_state_update = False

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, probabilities, classes) -> None:
        assert probabilities.shape == (len(classes), self.num_classes)
        self.total += probabilities.max(1).values.sum()

    def compute(self):
        return self.total


class NaNAtFirst(Largest):
    """Not a number in the first epoch, in which it is computed twice."""

    computed = 0

    def compute(self):
        self.computed += 1
        return self.total if self.computed > 2 else self.total * torch.nan


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_an_epoch_whose_objective_is_nan_is_not_the_best(tmp_path, capsys):
    quick = ["data.train_limit=64", "trainer.max_epochs=3", "test=false", "checkpoint.keep=1"]
    mine = [*own("mine", "training.test_metrics.NaNAtFirst"), "objective=val/mine", "objective_mode=max"]
    record_run(tmp_path / "run", *quick, *mine, base=TINY)
    train_recorded(tmp_path / "run")
    result, said = json.loads((tmp_path / "run/result.json").read_text()), capsys.readouterr()
    values = [float(row["val/mine"]) for row in rows(tmp_path / "run") if row["val/mine"]]
    assert [value > 0 for value in values] == [False, True, True]
    assert result["objective"]["value"] == pytest.approx(max(values[1:]), rel=1e-5)
    best = values.index(max(values[1:])) + 1
    assert f"in epoch {best} of 3" in said.out
    assert said.err.count("val/mine is NaN after epoch 1: such an epoch cannot be the best\n") == 1
    assert [path.name for path in (tmp_path / "run/checkpoints").glob("epoch_*")] == [f"epoch_00{best}.ckpt"]


def test_metrics_are_logged_for_every_split_and_measured_again(tmp_path, use):
    folder = tmp_path / "run"
    record_run(folder, "metrics=[f1,auroc]", "objective=val/f1", base=TINY)
    train_recorded(folder)
    result = json.loads((folder / "result.json").read_text())
    assert {"train/f1", "val/f1", "test/f1", "train/auroc", "val/auroc", "test/auroc"} <= set(result["metrics"])
    values = [float(row["val/f1"]) for row in rows(folder) if row["val/f1"]]
    assert result["objective"] == {"name": "val/f1", "mode": "max", "value": pytest.approx(max(values))}
    assert any(row["train/f1_step"] for row in rows(folder))
    use(f"ckpt={folder}", "evaluate=test", "trainer=cpu", f"output={tmp_path / 'out'}")
    again = json.loads((tmp_path / "out/evaluation.json").read_text())["metrics"]
    assert again == {name: value for name, value in result["metrics"].items() if name.startswith("test/")}


@pytest.mark.slow
def test_metrics_of_a_regression(tmp_path):
    folder = tmp_path / "run"
    record_run(folder, "metrics=mape", "objective=train/mape", base=LINE)
    train_recorded(folder)
    result = json.loads((folder / "result.json").read_text())
    assert result["objective"]["mode"] == "min"
    assert result["objective"]["value"] == min(float(row["train/mape"]) for row in rows(folder) if row["train/mape"])


@pytest.mark.slow
def test_blocks_of_steps_measure_what_eager_steps_measure(tmp_path):
    for engine in ("eager", "blocks"):
        record_run(tmp_path / engine, "metrics=f1_auroc", "mix=mixup", f"engine={engine}", base=TINY)
        train_recorded(tmp_path / engine)
    assert differences(tmp_path / "blocks", tmp_path / "eager") == []


@pytest.mark.slow
def test_a_stopped_run_with_metrics_goes_on_as_if_it_had_not_stopped(tmp_path):
    exact = ["metrics=f1_auroc", "metrics.auroc.thresholds=null", "objective=val/auroc", "trainer.max_epochs=2"]
    record_run(tmp_path / "peace", *exact, base=STOPPED)
    train_recorded(tmp_path / "peace")
    record_run(tmp_path / "run", *exact, stop_at(5), base=STOPPED)
    with pytest.raises(RunFailed, match="stopped by SIGTERM"):
        train_recorded(tmp_path / "run")
    train_recorded(tmp_path / "run", WITHOUT_FAULT)
    assert differences(tmp_path / "run", tmp_path / "peace") == []


def checked(*overrides: str) -> None:
    run = asked(*overrides)
    config.check(run.cfg)
    assemble(run)


def own(name: str, target: str, **settings) -> list[str]:
    given = ", ".join(f"{key}: {value}" for key, value in {"_target_": target, **settings}.items())
    return [f"+metrics.{name}={{{given}}}"]


FACADE = "torchmetrics.CalibrationError"


@pytest.mark.parametrize(
    ("overrides", "objective", "mode"),
    [
        (["metrics=f1"], "val/f1", "max"),
        (["metrics=calibration"], "val/calibration", "min"),
        (["metrics=calibration", "objective_mode=max"], "val/calibration", "max"),
        (own("wrong", FACADE), "val/wrong", "min"),
        (own("accuracy", "torchmetrics.Accuracy"), "val/accuracy", "max"),
        (own("largest", "training.test_metrics.Largest"), "train/largest", "min"),
        (own("error", "torchmetrics.F1Score"), "val/error", "max"),
        ([], "val/calibration", "max"),
    ],
)
def test_the_class_of_a_metric_says_which_values_are_better(overrides, objective, mode, monkeypatch):
    monkeypatch.setitem(sys.modules, "training.test_metrics", sys.modules[__name__])
    run = asked(*SMALL, *overrides, f"objective={objective}")
    stops = {"callbacks.early_stopping.mode": mode} if objective == run.cfg.objective else {}
    assert directions(run.cfg) == {"objective_mode": mode, **stops}
    if overrides:
        checked(*SMALL, *overrides, f"objective={objective}")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (own("f1", "torchmetrics.F2Score"), r"^metrics.f1._target_=torchmetrics.F2Score: "),
        (own("f1", "torch.nn.ReLU"), r"^metrics.f1._target_=torch.nn.ReLU: must be a metric of torchmetrics"),
        (["metrics=f1", "metrics.f1.average=macros"], r"^metrics.f1.average=macros: must be one of micro, macro"),
        (["metrics=f1", "+metrics.f1.averages=macro"], r"^metrics.f1: Unexpected keyword arguments: `averages`"),
        (["metrics=f1", "metrics.f1.average=none"], r"^metrics.f1 .* classes of .*: must make one number, not \[10\]"),
        (["metrics=mape"], r"^metrics.mape cannot measure the classes of data=mnist_sample: "),
        (
            ["+metrics.acc={_target_: torchmetrics.F1Score}"],
            r"^metrics.acc: the task itself logs a metric of this name",
        ),
        (["+metrics.f1.average=macro"], r"^metrics.f1 has no _target_"),
        (["+metrics.f-1={_target_: torchmetrics.F1Score}"], r"^metrics.f-1: must be named with letters"),
    ],
)
def test_a_mistake_is_one_line_before_the_training(overrides, message):
    with pytest.raises(ConfigError, match=message) as caught:
        checked(*SMALL, *overrides)
    assert "\n" not in str(caught.value)


def test_a_metric_of_classes_is_refused_where_there_are_none():
    with pytest.raises(ConfigError, match="^metrics.f1 is for classes, and data=line_points has none$"):
        checked("experiment=linear_regression", "trainer=cpu", "metrics=f1")


def test_without_metrics_a_run_and_its_checkpoint_are_as_before():
    from litlab.checkpoint import record_of
    from litlab.config import numeric

    run = asked(*SMALL)
    assert not [key for key in numeric(run.cfg) if key.startswith("metrics")]
    run, data, _ = assemble(run)
    assert "added" not in record_of(run.plain(), data.record(), "Classification", data.input_shape, data.num_classes)
