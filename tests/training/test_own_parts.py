"""The mistakes that beginners make in their own networks, data sets and callbacks are one line each."""

from pathlib import Path

import own_parts
import pytest
import torch
from lightning import Callback
from own_parts import Dense, Grey
from scripts import asked

from litlab.callbacks import Panel
from litlab.config import Run, check_group
from litlab.data import DataModule
from litlab.errors import ConfigError, own_frames
from litlab.files import shown
from litlab.modules import Supervised
from litlab.runs import read_result
from litlab.training import assemble
from litlab.training.assemble import prepare_data
from litlab.training.methods import check_methods
from litlab.training.record import failure_recorded
from litlab.training.run import run_training
from litlab.training.trainer import make_trainer

GREY = ["data.val_size=8", "data.batch_size=8", "trainer=cpu"]


def own(model: str = "Dense", data: str = "Grey", folder: Path = Path()) -> Run:
    """A run with own parts in the place of litlab's."""
    network = {"_target_": f"own_parts.{model}", "input_shape": None, "num_classes": None}
    run = asked("data=mnist_sample", *GREY, folder=folder)
    return run.settled(**{"model": network, "data._target_": f"own_parts.{data}"})


def place(text: str) -> str:
    """`tests/own_parts.py, line 12`: the line that holds a text, as a message names it from the current folder."""
    lines = Path(own_parts.__file__).read_text().splitlines()
    return f"{shown(Path(own_parts.__file__))}, line {next(n for n, line in enumerate(lines, 1) if text in line)}"


def assemble_and_prepare(run: Run) -> tuple[DataModule, Supervised]:
    run, data, module = assemble(run)
    prepare_data(run, data)
    return data, module


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"model": "TakesNoImages"},
            "model=MODEL cannot take images [1, 4, 4] of data=DATA: TakesNoImages.forward() takes 1 positional "
            "argument but 2 were given; write def forward(self, images)",
        ),
        (
            {"model": "TakesMore"},
            "missing 1 required positional argument: 'targets'; write def forward(self, images)",
        ),
        ({"model": "NoReturn"}, "model=MODEL: its forward must return one tensor, not None: is a return missing?"),
        ({"model": "Pair"}, "model=MODEL: its forward must return one tensor, not tuple"),
        (
            {"model": "PairInTraining"},
            "model=MODEL: in training its forward must return one tensor, or litlab.networks.WithAuxiliary with more "
            "outputs, not tuple",
        ),
        ({"model": "Detached"}, "model=MODEL: its outputs have no gradient with respect to its parameters: leave out "),
        ({"model": "InAList"}, "model=MODEL has no parameters to train: layers in a list need nn.ModuleList or "),
        ({"data": "NoNames"}, "data=DATA: class_names is empty; it must name each class"),
        ({"data": "ThreeMeans"}, r"mean and std must have 1 values each, one a channel, not (0.4, 0.4, 0.4) and (0.2"),
        (
            {"data": "NoArrays"},
            "load_arrays must return Arrays(train_images, train_labels, test_images, test_labels), ",
        ),
        ({"data": "TwoArrays"}, "load_arrays must return Arrays(train_images, train_labels, test_images, test_labels)"),
        ({"data": "OneMean"}, "must have 1 values each, one a channel, such as mean, std = (0.4,), (0.2,)"),
        ({"data": "CountedNames"}, "data=DATA: class_names must be a tuple of names, not 2"),
        ({"data": "NoImages"}, "data=DATA: load_arrays: train_images is empty; there must be images to train on"),
        ({"data": "OnlyFacts"}, "data=DATA: OnlyFacts has no load_arrays: write def load_arrays(self), which returns "),
        ({"data": "NoFile"}, f"data=DATA: FileNotFoundError: data/grey.npy ({place('data/grey.npy')})"),
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


def test_a_data_set_that_needs_no_preparing_has_no_method_for_it():
    data, _ = assemble_and_prepare(own(data="NothingToPrepare"))
    assert data.sizes == {"train": 32, "val": 8, "test": 10}


def test_a_network_that_takes_no_shapes_is_told_which_litlab_gives_it():
    run = own().settled(model={"_target_": "own_parts.NoArguments"})
    with pytest.raises(ConfigError, match=r"; litlab gives .* write def __init__\(self, input_shape, num_classes\)$"):
        assemble(run)


def test_a_step_that_returns_two_values_is_told_which_three_there_must_be(tmp_path):
    run = own(folder=tmp_path).settled(task={"_target_": "own_parts.TwoOfThree"})
    said = r"task.*: step must return \(loss to minimise, loss to log, predictions\), not 2 values$"
    with pytest.raises(ConfigError, match=said):
        run_training(run)


def test_a_class_that_is_no_callback_is_named(tmp_path):
    run = asked("data=mnist_sample", "trainer=cpu", "+callbacks.mine._target_=own_parts.NotACallback", folder=tmp_path)
    with pytest.raises(ConfigError, match=r"^callbacks\.mine: own_parts\.NotACallback must inherit from lightning\."):
        make_trainer(run, None, [], torch.nn.Linear(1, 1))


def with_part(key: str, target: str, **settings: object) -> Run:
    return own().settled(**{key: {"_target_": f"own_parts.{target}", **settings}})


@pytest.mark.parametrize(
    ("key", "target", "message"),
    [
        ("optimizer", "FailingOptimizer", f"optimizer: KeyError: 'beta' ({place('beta')})"),
        ("optimizer", "NoStep", "optimizer has no step: write def step(self, closure=None)"),
        ("optimizer", "NoClosure", "optimizer: its step must take a closure: def step(self, closure=None)"),
        (
            "optimizer",
            "optimizer_of_nothing",
            "optimizer: optimizer_of_nothing() takes 0 positional arguments but 1 positional argument (and 1 "
            "keyword-only argument) were given; its first arguments must be (params), the weights to train",
        ),
        (
            "scheduler",
            "takes_too_few",
            "scheduler=SCHEDULER: takes_too_few() takes 1 positional argument but 3 were given; its first arguments "
            "must be (optimizer, steps_per_epoch, epochs)",
        ),
        ("optimizer", "no_optimizer", "optimizer must make a torch.optim.Optimizer, not None: is a return missing?"),
        ("scheduler", "bare_schedule", "scheduler=SCHEDULER must return a list of what Lightning steps, such as ["),
        ("scheduler", "no_schedule", "not None: is a return missing?"),
    ],
)
def test_a_mistake_in_an_own_optimizer_or_schedule_is_one_line(key, target, message):
    settings = {"lr": 0.1, "_partial_": True} if key == "optimizer" else {}
    with pytest.raises(ConfigError) as caught:
        assemble(with_part(key, target, **settings))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "end"),
    [
        ("needs_another", "required positional argument: 'gamma'"),
        ("calls_wrongly", f"({place('return takes_too_few(')})"),
    ],
)
def test_arguments_are_named_only_where_a_schedule_does_not_take_what_it_gets(target, end):
    with pytest.raises(ConfigError) as caught:
        assemble(with_part("scheduler", target))
    assert str(caught.value).endswith(end)


def test_a_mistake_within_an_own_forward_keeps_its_own_line():
    with pytest.raises(TypeError) as caught:
        assemble(own("CallsWrongly"))
    assert own_frames(caught.value)[-1].name == "forward"


def test_an_own_function_that_makes_an_optimizer_must_be_partial():
    with pytest.raises(ConfigError, match="^optimizer: write _partial_: true beside its _target_"):
        assemble(with_part("optimizer", "no_optimizer", lr=0.1))


def test_a_function_is_no_metric():
    with pytest.raises(ConfigError) as caught:
        assemble(own().settled(**{"metrics": {"mine": {"_target_": "own_parts.loss_function"}}}))
    assert str(caught.value) == (
        "metrics.mine._target_=own_parts.loss_function: a metric is a class that inherits from torchmetrics.Metric"
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("FailingTransform", f"'FailingTransform' object has no attribute 'nothing' ({place('self.nothing(')})"),
        ("FloatTransform", "shape: of uint8 [2, 1, 4, 4] FloatTransform makes float32 [2, 1, 4, 4]"),
        ("no_images", "of uint8 [2, 1, 4, 4] no_images makes None: is a return missing?"),
        (
            "called_too_early",
            "data.augment: own_parts.called_too_early: called_too_early() missing 1 required positional argument: "
            "'images'; beside _target_: own_parts.called_too_early write _partial_: true",
        ),
        ("NoAngle", "data.augment: own_parts.NoAngle: NoAngle.__init__() got an unexpected keyword argument 'angle'"),
        ("FloatTransfrom", "own_parts has no FloatTransfrom; did you mean FloatTransform?"),
    ],
)
def test_a_mistake_in_an_own_augmentation_names_it(target, message):
    given = {"_partial_": True, "strength": 2} if target == "no_images" else {"angle": 3} if target == "NoAngle" else {}
    run = own().settled(**{"data.augment": ["random_crop", {"_target_": f"own_parts.{target}", **given}]})
    with pytest.raises(ConfigError) as caught:
        assemble(run)
    assert message in str(caught.value)


def test_a_callback_that_cannot_be_built_is_named_with_its_line(tmp_path):
    run = asked(
        "data=mnist_sample", "trainer=cpu", "+callbacks.mine._target_=own_parts.FailsWhenBuilt", folder=tmp_path
    )
    with pytest.raises(ConfigError) as caught:
        make_trainer(run, None, [], torch.nn.Linear(1, 1))
    assert str(caught.value) == f"callbacks.mine: no panel ({place('no panel')})"


QUICK = ["data=mnist_sample", "data.train_limit=32", "model=mlp", "trainer=cpu", "trainer.max_epochs=1"]


@pytest.mark.parametrize(
    ("made", "base", "method"),
    [
        (own_parts.LacksAnArgument, Callback, "on_train_epoch_end(self, trainer, pl_module)"),
        (own_parts.NamesItsStage, Callback, "setup(self, trainer, pl_module, stage)"),
        (own_parts.LacksTheView, Panel, "end_epoch(self, view)"),
    ],
)
def test_a_method_that_does_not_take_its_arguments_is_named_before_the_training(made, base, method):
    check_methods(own_parts.TakesAll(), Callback, "callbacks.mine")
    with pytest.raises(ConfigError) as caught:
        check_methods(made(), base, "callbacks.mine")
    said = f"callbacks.mine: own_parts.{made.__name__}: must be def {method}, as in its base class"
    assert str(caught.value) == said


def test_a_callback_is_checked_before_anything_is_trained(train_here, tmp_path):
    done = train_here(*QUICK, "+callbacks.mine._target_=own_parts.LacksAnArgument")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("error: callbacks.mine: own_parts.LacksAnArgument: must be def on_train_epoch_end(")
    assert not list(tmp_path.iterdir())


def test_an_error_of_own_code_in_training_shows_its_own_lines_alone(train_here, tmp_path):
    done = train_here(*QUICK, "+callbacks.mine._target_=own_parts.FailsInStep", "hydra.run.dir=run")
    where = place('{}["nothing"]')
    line = f"KeyError: 'nothing' ({where})"
    assert done.status == 1
    assert done.err.splitlines()[-1] == f"failed: {line}"
    assert done.err.count("  File ") == 1
    assert "HYDRA_FULL_ERROR=1 shows all calls" in done.err
    assert read_result(tmp_path / "run")["error"] == line
    assert (tmp_path / "run" / "train.log").read_text().count("  File ") > 5  # all calls


@pytest.mark.parametrize(
    ("target", "line"), [("ExitsWhenBuilt", 'sys.exit("when built")'), ("ExitsInStep", "sys.exit()")]
)
def test_own_code_that_ends_the_program_has_ended_the_run(train_here, tmp_path, target, line):
    done = train_here(*QUICK, f"+callbacks.mine._target_=own_parts.{target}", "hydra.run.dir=run")
    said = f"sys.exit() in your own code ended the run ({place(line)})"
    assert (done.status, done.err.splitlines()[-1]) == (1, f"failed: {said}")
    assert read_result(tmp_path / "run")["status"] == "failed"


def test_an_optimizer_that_does_not_call_its_closure_is_told_so(train_here):
    optimizer = ["optimizer=sgd", "optimizer._target_=own_parts.ClosureNotCalled", "optimizer.fused=null"]
    done = train_here(*QUICK, *optimizer)
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert done.err.endswith("its step must call closure(), which computes the loss and its gradient\n"), done.err


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
        ("own_parts.Dens", "own_parts has no Dens; did you mean Dense?"),
        ("own_part.Dense", "No module named 'own_part'"),
    ],
)
def test_a_typo_in_a_target_says_what_is_not_there(target, reason):
    with pytest.raises(ConfigError) as caught:
        check_group("model", {"_target_": target})
    assert str(caught.value).startswith(f"model._target_={target}: cannot be imported: ")
    assert reason in str(caught.value)


def test_a_data_set_that_does_not_take_the_settings_of_its_base_class_is_told_how():
    with pytest.raises(ConfigError) as caught:
        check_group("data", {"_target_": "own_parts.NoOptions", "noise": 2.0, "data_dir": "data"})
    assert str(caught.value) == (
        "data.data_dir is unknown to own_parts.NoOptions; its base class takes it: let __init__ take **options too, "
        "and call super().__init__(**options)"
    )
