"""Builds the data module and the network in its LightningModule, and prepares the data."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from litlab.callbacks import learning_rate
from litlab.config import FILLED_FROM_DATA, UNGROUPED, Run, class_of
from litlab.console import warn
from litlab.data import DataModule, Mix, PictureDataModule, SourcesFailedError
from litlab.data.picture_cache import processes_here
from litlab.data.workers import WorkerFailed
from litlab.errors import ConfigError, described, one_line
from litlab.modules import Classification, Grouped, MakeOptimizer, Multilabel, Regression, Supervised, balanced_weights
from litlab.training import weights
from litlab.training.checks import (
    check_classes,
    check_device,
    check_loadable,
    check_monitors,
    check_network,
    check_optimization,
    check_own_pictures,
)
from litlab.training.limits import batches, times_read
from litlab.training.loss import build_loss, check_loss
from litlab.training.methods import check_methods
from litlab.training.metrics import build_metrics
from litlab.training.network import build_network

# The LightningModule for each task that data may have.
TASKS: dict[str, type[Supervised]] = {
    "classification": Classification,
    "multilabel": Multilabel,
    "regression": Regression,
}


def assemble(run: Run) -> tuple[Run, DataModule, Supervised]:
    """Builds the data module and the network in its LightningModule, and checks that they fit each other.

    Returns:
        The run, with the settings that published weights need filled in; the data module; the LightningModule.

    Raises:
        ConfigError: if a value is refused, or the network cannot take the data.
    """
    check_device(run)
    check_loadable(run)
    data = _build_data(run)
    if needed := weights.settings_for_pretrained(run, data):
        run = run.settled(**needed)
        data = run.build("data")
    check_classes(run, data)
    check_own_pictures(run, data)
    _check_filled_from_data(run, data)
    data.mix = build_mix(run, data)
    network = weights.frozen(run, build_network(run, data))
    check_network(run, network, data)
    if run.get("loss.class_weights") == "balanced":
        run = run.settled(**{"loss.class_weights": class_weights(run, data)})
    loss = build_loss(run)
    check_loss(run, loss, data, network)
    halved = {"lr": learning_rate(run.cfg)} if run.get("rewinds") else {}
    optimization = (loss, make_optimizer(run, network, run.build("optimizer", **halved)), run.build("scheduler"))
    module = make_module(run, data, network, optimization)
    module.writes_rows = True
    check_optimization(run, module)
    check_monitors(run, module, data)
    return run, data, module


def _build_data(run: Run) -> DataModule:
    """The data module. A run that is resumed may not find its files where they were."""
    try:
        data: DataModule = run.build("data")
    except ConfigError as error:
        place = str(error).partition(" ")[0]
        if not run.resumed or not isinstance(error.__cause__ and error.__cause__.__cause__, FileNotFoundError):
            raise
        raise ConfigError(f"{error}; if it has moved, write {place}=PATH") from error
    return data


def make_module(run: Run, data: DataModule, network: nn.Module, optimization: tuple[Any, Any, Any]) -> Supervised:
    """The LightningModule for the task of the data.

    Args:
        optimization: the loss, what makes the optimizer, and the schedule.

    Raises:
        ConfigError: if a metric is refused.
    """
    if run.cfg.top5 and data.task == "multilabel":
        raise ConfigError(f"top5=true: {run.option('data')} {_instead_of_classes(data)}")
    arguments: dict[str, Any] = dict(zip(("loss", "optimizer", "scheduler"), optimization, strict=True))
    arguments |= {"network": network, "metrics": build_metrics(run, data)}
    if data.task == "regression":
        arguments |= {"target_shape": data.target_shape}
    else:
        arguments |= {"num_classes": data.num_classes}
    if data.task == "classification":
        arguments |= {"top5": run.cfg.top5, "soft_targets": bool(data.mix)}
    if run.get("task"):
        return own_task(run, data, arguments)
    try:
        return TASKS[data.task](**arguments)
    except ValueError as error:
        message = one_line(error)
        key = f"top5=true: {run.option('data')} " if message.startswith("top5") else "metrics."
        raise ConfigError(f"{key}{message}") from error


def own_task(run: Run, data: DataModule, arguments: dict[str, Any]) -> Supervised:
    """The LightningModule that `task` names.

    Args:
        arguments: for the constructor, beside the settings of the group.

    Raises:
        ConfigError: if it is no subclass of the one for the task of the data, or refuses its arguments.
    """
    make, base = class_of(run.cfg, "task"), TASKS[data.task]
    if not (isinstance(make, type) and issubclass(make, base)):
        raise ConfigError(
            f"{run.option('task')}: {run.cfg.task['_target_']} must inherit from litlab.modules.{base.__name__}, "
            f"the task of {run.option('data')}"
        )
    make_task = run.build("task", _partial_=True)
    try:
        module: Supervised = make_task(**arguments)
    except Exception as error:
        raise run.blame("task", error) from error
    check_methods(module, base, run.option("task"))
    if type(module).step is not base.step:
        module.step = partial(_three_of, run.option("task"), module.step)  # type: ignore[method-assign]
    return module


def _three_of(task: str, step: Callable[[Tensor, Tensor], Any], images: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    """What a user's own step returns. Raises `ConfigError` unless it is what the training takes apart."""
    returned = step(images, targets)
    if isinstance(returned, tuple | list) and len(returned) == 3:
        return tuple(returned)
    given = f"{len(returned)} values" if isinstance(returned, tuple | list) else described(returned)
    raise ConfigError(f"{task}: step must return (loss to minimise, loss to log, predictions), not {given}")


def make_optimizer(run: Run, network: nn.Module, make: MakeOptimizer) -> MakeOptimizer:
    """What makes the optimizer: `make`, with groups of parameters if the config asks for them.

    Args:
        make: the optimizer's class with its settings bound.
    """
    wanted = {key: run.get(f"optimizer.{key}", default) for key, default in UNGROUPED.items()}
    if wanted == UNGROUPED:
        return make
    settings = getattr(make, "keywords", {})
    return Grouped(make, network, settings["lr"], settings.get("weight_decay", 0.0), **wanted)


def class_weights(run: Run, data: DataModule) -> list[float]:
    """The weights that `loss.class_weights=balanced` stands for. They need the training set.

    Raises:
        ConfigError: if the data cannot be had, or have no classes.
    """
    if data.task != "classification":
        raise ConfigError(f"loss.class_weights=balanced: {run.option('data')} {_instead_of_classes(data)}")
    if data.balanced:
        warn("data.balanced=true and loss.class_weights=balanced both make up for rare classes: one of them is enough")
    prepare_data(run, data)
    return balanced_weights(data.train_set.targets, data.num_classes)


def build_mix(run: Run, data: DataModule) -> Mix | None:
    """What mixes the training images of a run, if anything does.

    Raises:
        ConfigError: if a value is refused, or the data have no classes.
    """
    mix: Mix | None = run.build("mix", num_classes=data.num_classes, epochs=run.cfg.trainer.max_epochs)
    if mix and data.task != "classification":
        has = "several labels for a picture" if data.task == "multilabel" else "none"
        raise ConfigError(f"{run.option('mix')} mixes classes, and {run.option('data')} has {has}: write mix=none")
    return mix


def _instead_of_classes(data: DataModule) -> str:
    return "has several labels for a picture" if data.task == "multilabel" else "has no classes"


def _check_filled_from_data(run: Run, data: DataModule) -> None:
    """Refuses a value in `model` that the data decide, such as `input_shape`, if it differs from theirs."""
    given = run.plain()["model"]
    for key in FILLED_FROM_DATA:
        value = getattr(data, key)
        value = list(value) if isinstance(value, tuple) else value
        if given.get(key) not in (None, value):
            raise ConfigError(
                f"model.{key}={given[key]} contradicts {run.option('data')}, whose {key} is {value}: leave it out"
            )


def prepare_data(run: Run, data: DataModule) -> None:
    """Fetches, verifies and splits the data set.

    Raises:
        ConfigError: if it cannot be had.
    """
    try:
        data.prepare_data()
        data.setup("fit")
    except SourcesFailedError as error:  # the only message with more than one line: it names every source that failed
        raise ConfigError(str(error)) from error
    except (ValueError, OSError) as error:
        raise run.blame("data", error) from error


def fill_cache(run: Run, data: DataModule) -> None:
    """Decodes the pictures of the data set once, as `data.cache` says.

    Where it is `auto`, a training that reads its pictures only once decodes them while it trains. Each of several
    processes would decode all of them for its cache, so they must be read more often than there are processes.

    Raises:
        ConfigError: if there is no room for them, or one of them cannot be decoded.
    """
    if not isinstance(data, PictureDataModule):
        return
    if data.cache == "auto" and times_read(run.cfg.trainer, batches(data, "train")) <= processes_here():
        data.cache = "none"
    try:
        data.fill_cache()
    except WorkerFailed as error:
        raise ConfigError(f"a data worker died or hung ({error}); data.num_workers=0 does without them") from error
    except (ValueError, OSError) as error:
        raise run.blame("data", error) from error
